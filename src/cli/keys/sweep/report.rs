//! The result of a sweep, for people and for programs.

use super::{
    shard_sweep::ShardSweep,
    state_file::StateFile,
    steps::{SweepFailure, SweepOutcome},
};
use crate::cli::table::{Column, Side, escaped, table};
use serde_json::{Value, json};
use std::{fmt::Write, path::Path};

/// The result of a sweep.
pub struct SweepReport<'a> {
    /// The state of each shard.
    pub file: &'a StateFile,
    /// The other results of the run.
    pub outcome: &'a SweepOutcome,
    /// The path of the settings.
    pub settings: &'a Path,
}

impl SweepReport<'_> {
    /// Formats the result for people.
    pub fn text(&self) -> String {
        let columns = [
            Column("SHARD", Side::Left),
            Column("MASTER", Side::Left),
            Column("SCANNED", Side::Right),
            Column("MISPLACED", Side::Right),
            Column("DELETED", Side::Right),
            Column("COMPLETE", Side::Left),
        ];
        let rows: Vec<_> = self.file.shards().map(|(name, sweep)| row(name, sweep)).collect();
        let mut text = table(&columns, &rows);
        if !self.outcome.shown.is_empty() {
            let columns = [Column("SHARD", Side::Left), Column("BELONGS TO", Side::Left), Column("KEY", Side::Left)];
            let rows: Vec<_> = self
                .outcome
                .shown
                .iter()
                .map(|(shard, key)| {
                    vec![escaped(shard), escaped(&key.owner), escaped(&String::from_utf8_lossy(&key.name))]
                })
                .collect();
            let _ = write!(text, "\n{}", table(&columns, &rows));
        }
        let plan = self.file.plan();
        if !plan.delete && self.file.shards().any(|(_, sweep)| sweep.misplaced > 0) {
            text.push_str("\nThis was a dry run: nothing was deleted. --delete deletes the misplaced keys.\n");
            if plan.pattern.is_none() {
                text.push_str(
                    "Keys of other programs in this database are among them, if there are any: look at some with\n\
                     --show-keys 20, and limit the sweep with --match or --client.\n",
                );
            }
        }
        text
    }

    /// Returns the result as JSON.
    pub fn document(&self) -> Value {
        let plan = self.file.plan();
        let shards: Vec<Value> = self
            .file
            .shards()
            .zip(&plan.shards)
            .map(|((name, sweep), (_, weight))| {
                json!({
                    "shard": name,
                    "weight": weight,
                    "node": sweep.node,
                    "scanned": sweep.scanned,
                    "misplaced": sweep.misplaced,
                    "deleted": sweep.deleted,
                    "complete": sweep.complete,
                })
            })
            .collect();
        let shown: Vec<Value> = self.outcome.shown.iter().map(|(shard, key)| {
            json!({ "shard": shard, "belongs_to": &*key.owner, "key": String::from_utf8_lossy(&key.name) })
        }).collect();
        json!({
            "settings": self.settings.display().to_string(),
            "db": plan.db,
            "match": plan.pattern,
            "delete": plan.delete,
            "resumed": self.file.resumed,
            "interrupted": self.outcome.interrupted,
            "shards": shards,
            "keys": shown,
            "problems": self.outcome.failures.iter().map(SweepFailure::to_string).collect::<Vec<_>>(),
        })
    }
}

/// Returns the advice to somebody who interrupted a sweep.
pub fn how_to_go_on(has_state: bool) -> &'static str {
    if has_state {
        "the sweep was interrupted; the same command goes on where it ended"
    } else {
        "the sweep was interrupted; the next one begins anew, unless both have the same --state FILE"
    }
}

fn row(name: &str, sweep: &ShardSweep) -> Vec<String> {
    vec![
        escaped(name),
        sweep.node.clone().unwrap_or_else(|| "-".to_owned()),
        sweep.scanned.to_string(),
        sweep.misplaced.to_string(),
        sweep.deleted.to_string(),
        if sweep.complete { "yes" } else { "no" }.to_owned(),
    ]
}
