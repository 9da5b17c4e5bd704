//! The progress bar of a load test.

use super::load::LiveFigures;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    io::{self, IsTerminal},
    sync::atomic::Ordering::Relaxed,
    time::Duration,
};
use tokio::time::{Instant, interval};

const STEP: Duration = Duration::from_millis(250);
/// Number of the last steps whose rate is shown.
const STEPS: usize = 4;

/// Shows the progress for ever, if standard error is a terminal.
pub async fn show(live: &LiveFigures, duration: Duration) {
    if !io::stderr().is_terminal() {
        return std::future::pending().await;
    }
    let length = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let bar = ClearedBar(ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr()));
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {msg}") {
        bar.0.set_style(style);
    }
    let start = Instant::now();
    let mut steps = interval(STEP);
    let mut before = std::collections::VecDeque::from([(start, 0)]);
    loop {
        let now = steps.tick().await;
        let (answered, failed) = (live.answered.load(Relaxed), live.failed.load(Relaxed));
        if before.len() > STEPS {
            before.pop_front();
        }
        let (since, then) = before.front().copied().unwrap_or((start, 0));
        before.push_back((now, answered));
        let window_ms = u64::try_from((now - since).as_millis()).unwrap_or(u64::MAX).max(1);
        let elapsed = (now - start).min(duration);
        bar.0.set_position(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
        let rate = (answered - then) * 1000 / window_ms;
        let failures = if failed == 0 { String::new() } else { format!(", {failed} failed") };
        bar.0.set_message(format!("{} of {} s, {rate}/s{failures}", elapsed.as_secs(), duration.as_secs()));
    }
}

/// A progress bar that is cleared on drop.
struct ClearedBar(ProgressBar);

impl Drop for ClearedBar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
