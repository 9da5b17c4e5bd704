//! Small charts of the last hour, or of the time since the start, with one or two lines, axes and a text for each point.

use crate::admin::console::{
    format::{clock, span},
    html::{HtmlElement, el},
    snapshot::Point,
};
use std::{fmt::Write, time::Duration};

const WIDTH: f64 = 150.0;
const HEIGHT: f64 = 40.0;
/// Shortest time that fills the width, in milliseconds. A shorter history fills the right part of it.
const SPAN_MIN_MS: u64 = 300_000;

/// The time that the charts show.
#[derive(Clone, Copy)]
pub struct ChartSpan {
    from_ms: u64,
    to_ms: u64,
}

impl ChartSpan {
    /// Returns the time from the first point to the last one, or the shortest time that a chart shows.
    pub fn of(points: &[Point]) -> Self {
        let to_ms = points.last().map_or(0, |last| last.at_ms);
        let first_ms = points.first().map_or(to_ms, |first| first.at_ms);
        Self { from_ms: first_ms.min(to_ms.saturating_sub(SPAN_MIN_MS)), to_ms }
    }

    /// Returns the time in words: `5 min`.
    pub fn words(self) -> String {
        span(Duration::from_millis((self.to_ms - self.from_ms).max(SPAN_MIN_MS)))
    }

    /// Returns the place of a time in a chart.
    #[expect(clippy::cast_precision_loss, reason = "an hour in milliseconds")]
    fn x(self, at_ms: u64) -> f64 {
        let all = (self.to_ms - self.from_ms).max(1) as f64;
        WIDTH * at_ms.saturating_sub(self.from_ms) as f64 / all
    }
}

/// A line of a chart.
pub struct ChartLine {
    /// The CSS class of its colour.
    pub class: &'static str,
    /// The value of each point. The line has a gap where a value is missing.
    pub values: Vec<Option<f64>>,
}

/// The contents of a chart.
pub struct Chart {
    /// A sentence for readers who do not see the chart.
    pub description: String,
    /// The value at the top.
    pub max: f64,
    /// The value at the top as people read it.
    pub max_shown: String,
    /// The lines. The first one has a coloured area below it.
    pub lines: Vec<ChartLine>,
    /// The values of each point as people read them.
    pub shown: Vec<String>,
}

impl Chart {
    /// Draws the chart of some points.
    pub fn draw(self, points: &[Point]) -> HtmlElement {
        let time = ChartSpan::of(points);
        let at: Vec<f64> = points.iter().map(|point| time.x(point.at_ms)).collect();
        let places: Vec<String> = at.iter().map(|x| format!("{:.3}", x / WIDTH)).collect();
        let texts = points.iter().zip(&self.shown).map(|(point, shown)| format!("{} UTC: {shown}", clock(point.at_ms)));
        let axis = el("p")
            .class("axis")
            .with("aria-hidden", "true")
            .child(el("span").text(format!("{} ago", time.words())))
            .child(el("span").text("now"));
        el("div")
            .class("chart")
            .with("data-at", places.join(" "))
            .with("data-shown", texts.collect::<Vec<_>>().join("|"))
            .child(el("p").class("top").with("aria-hidden", "true").text(&self.max_shown))
            .child(self.svg(&at))
            .child(axis)
    }

    fn svg(&self, at: &[f64]) -> HtmlElement {
        let svg = el("svg")
            .class("spark")
            .with("viewBox", format!("0 0 {WIDTH} {HEIGHT}"))
            .with("preserveAspectRatio", "none")
            .with("role", "img")
            .with("aria-label", &self.description);
        let max = self.max.max(f64::MIN_POSITIVE);
        svg.children(self.lines.iter().enumerate().flat_map(|(number, ChartLine { class, values })| {
            let runs = runs(at, values, max);
            let area = (number == 0).then(|| el("path").class(format!("area {class}")).with("d", areas(&runs)));
            let line = el("path").class(format!("line {class}")).with("d", paths(&runs));
            area.into_iter().chain([line])
        }))
    }
}

/// Returns the points between the gaps, from left to right.
fn runs(at: &[f64], values: &[Option<f64>], max: f64) -> Vec<Vec<(f64, f64)>> {
    let mut runs = vec![Vec::new()];
    for (x, value) in at.iter().zip(values) {
        match value {
            // The margin keeps the whole width of the line visible.
            Some(value) => {
                let y = HEIGHT - 1.5 - (value / max).clamp(0.0, 1.0) * (HEIGHT - 3.0);
                runs.last_mut().expect("there is always a run").push((*x, y));
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
    use crate::admin::console::snapshot::Rate;

    #[test]
    fn a_line_has_a_gap_where_a_value_is_missing() {
        let runs = runs(&[0.0, 1.0, 2.0, WIDTH], &[Some(0.0), Some(2.0), None, Some(9.0)], 2.0);
        assert_eq!(runs.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
        let (first, second, last) = (runs[0][0], runs[0][1], runs[1][0]);
        assert!((first.1 - 38.5).abs() < 1e-9 && (second.1 - 1.5).abs() < 1e-9 && (last.1 - 1.5).abs() < 1e-9);
        assert_eq!(paths(&runs).matches('M').count(), 2);
    }

    #[test]
    fn a_chart_shows_five_minutes_at_least_and_its_last_point_at_the_right() {
        let points = |secs: &[u64]| -> Vec<Point> {
            secs.iter().map(|secs| Point { at_ms: 1_000_000 + secs * 1000, rate: Rate::default() }).collect()
        };
        let young = ChartSpan::of(&points(&[0, 60]));
        assert_eq!(young.words(), "5 min");
        assert!((young.x(1_060_000) - WIDTH).abs() < 1e-9 && (young.x(1_000_000) - WIDTH * 0.8).abs() < 1e-9);
        let old = ChartSpan::of(&points(&[0, 1800, 3600]));
        assert_eq!(old.words(), "1 h 0 min");
        assert!(old.x(1_000_000) < 1e-9 && (old.x(2_800_000) - WIDTH / 2.0).abs() < 1e-9);
        assert_eq!(ChartSpan::of(&[]).words(), "5 min");
    }
}
