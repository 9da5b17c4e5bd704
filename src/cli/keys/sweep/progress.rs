//! The progress of a sweep: a bar on a terminal, else a line every few seconds.

use super::shard_sweep::ShardSweep;
use crate::{cli::table::escaped, store::ScanPage};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    io::{self, IsTerminal},
    time::Duration,
};
use tokio::time::Instant;

/// Time between two lines where standard error is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// The progress of one shard. A bar is cleared on drop.
pub struct SweepProgress {
    /// The name of the shard.
    shard: String,
    /// `None` where standard error is no terminal.
    bar: Option<ProgressBar>,
    line_at: Instant,
    /// The number of keys that were examined so far.
    examined: u64,
}

impl SweepProgress {
    /// Begins to show the progress of a shard of which earlier runs have examined some keys.
    pub fn new(shard: &str, examined: u64) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{prefix} {bar:20} {msg}") {
                bar.set_style(style);
            }
            bar.set_prefix(escaped(shard));
            bar
        });
        Self { shard: escaped(shard), bar, line_at: Instant::now(), examined }
    }

    /// Shows the progress after a step that examined `examined` keys.
    pub fn update(&mut self, page: &ScanPage, examined: u64, sweep: &ShardSweep) {
        self.examined += examined;
        let ShardSweep { misplaced, deleted, .. } = sweep;
        // Deleted keys are not on the node any more.
        let keys = (page.keys_on_node + deleted).max(self.examined);
        let text = format!("{} of about {keys} keys, {misplaced} misplaced, {deleted} deleted", self.examined);
        if let Some(bar) = &self.bar {
            bar.set_length(keys);
            bar.set_position(self.examined);
            bar.set_message(text);
        } else if self.line_at.elapsed() >= LINE_INTERVAL {
            self.line_at = Instant::now();
            eprintln!("shard \"{}\": {text}", self.shard);
        }
    }
}

impl Drop for SweepProgress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
