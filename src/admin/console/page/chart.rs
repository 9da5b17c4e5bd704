//! Small charts of the last minutes with one or two lines.

use crate::admin::console::html::{HtmlElement, el};
use std::fmt::Write;

const WIDTH: f64 = 150.0;
const HEIGHT: f64 = 40.0;
/// The points that fill the width. Fewer points fill the right part of it.
const POINTS: usize = 150;

/// Draws a chart. `max` is the value at the top. A line has a gap where a value is missing.
pub fn spark(description: &str, max: f64, lines: &[(&str, Vec<Option<f64>>)]) -> HtmlElement {
    let chart = el("svg")
        .class("spark")
        .with("viewBox", format!("0 0 {WIDTH} {HEIGHT}"))
        .with("preserveAspectRatio", "none")
        .with("role", "img")
        .with("aria-label", description);
    let max = max.max(f64::MIN_POSITIVE);
    chart.children(lines.iter().enumerate().flat_map(|(number, (class, values))| {
        let runs = runs(values, max);
        let area = (number == 0).then(|| el("path").class(format!("area {class}")).with("d", areas(&runs)));
        let line = el("path").class(format!("line {class}")).with("d", paths(&runs));
        area.into_iter().chain([line])
    }))
}

/// Returns the points between the gaps, from left to right.
fn runs(values: &[Option<f64>], max: f64) -> Vec<Vec<(f64, f64)>> {
    let missing = POINTS.saturating_sub(values.len());
    let mut runs = vec![Vec::new()];
    for (position, value) in values.iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "some hundred points")]
        let x = (missing + position) as f64 * WIDTH / (POINTS - 1) as f64;
        match value {
            // The margin keeps the whole width of the line visible.
            Some(value) => {
                let y = HEIGHT - 1.5 - (value / max).clamp(0.0, 1.0) * (HEIGHT - 3.0);
                runs.last_mut().expect("there is always a run").push((x, y));
            }
            None => runs.push(Vec::new()),
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

fn paths(runs: &[Vec<(f64, f64)>]) -> String {
    let mut path = String::new();
    for run in runs {
        for (number, (x, y)) in run.iter().enumerate() {
            let _ = write!(path, "{}{x:.1} {y:.1}", if number == 0 { 'M' } else { 'L' });
        }
        if let [(x, y)] = run[..] {
            // A single point would be invisible.
            let _ = write!(path, "L{:.1} {y:.1}", x + 0.5);
        }
    }
    path
}

fn areas(runs: &[Vec<(f64, f64)>]) -> String {
    let mut path = String::new();
    for run in runs.iter().filter(|run| run.len() > 1) {
        let _ = write!(path, "M{:.1} {HEIGHT}", run[0].0);
        for (x, y) in run {
            let _ = write!(path, "L{x:.1} {y:.1}");
        }
        let _ = write!(path, "L{:.1} {HEIGHT}Z", run[run.len() - 1].0);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_gap_where_a_value_is_missing() {
        let runs = runs(&[Some(0.0), Some(2.0), None, Some(9.0)], 2.0);
        assert_eq!(runs.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
        let (first, second, last) = (runs[0][0], runs[0][1], runs[1][0]);
        assert!((first.1 - 38.5).abs() < 1e-9 && (second.1 - 1.5).abs() < 1e-9 && (last.1 - 1.5).abs() < 1e-9);
        assert!((last.0 - WIDTH).abs() < 1e-9, "the latest point is at the right");
        assert_eq!(paths(&runs).matches('M').count(), 2);
    }
}
