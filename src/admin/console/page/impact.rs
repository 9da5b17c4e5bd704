//! The effects of broken shards on callers: which keys, which commands, and what to do.

use super::runbook;
use crate::admin::console::{
    html::{HtmlElement, el},
    snapshot::{ConsoleSnapshot, ShardProblem, ShardView},
};

/// Maximum number of shards whose effects are shown.
const SHOWN_MAX: usize = 8;

/// Returns an item for each shard that does not do all that it should, the worst first.
pub fn impacts(snapshot: &ConsoleSnapshot) -> Vec<HtmlElement> {
    let mut broken: Vec<&ShardView> = snapshot.shards.iter().filter(|shard| shard.problem.is_some()).collect();
    broken.sort_by_key(|shard| (shard.writable, shard.readable));
    broken.into_iter().take(SHOWN_MAX).filter_map(|shard| shard.problem.as_ref()).map(item).collect()
}

fn item(problem: &ShardProblem) -> HtmlElement {
    let ShardProblem { cause, effect, advice, runbook } = problem;
    let advice = if advice.is_empty() { String::new() } else { format!("{advice} ") };
    el("li").child(el("b").text(cause)).text(format!(" {effect} {advice}")).child(runbook::link_to(runbook))
}
