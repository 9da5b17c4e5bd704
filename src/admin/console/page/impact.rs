//! The effects of broken shards on callers: which keys, which commands, and what to do.

use super::{
    ring::counted,
    runbook::{self, Runbook},
};
use crate::admin::console::{
    format::{figure, percent},
    html::{HtmlElement, el},
    snapshot::{ConsoleSnapshot, NodeRoleView, NodeStateView, ShardView},
};

/// Maximum number of shards whose effects are shown.
const SHOWN_MAX: usize = 8;

/// Returns an item for each shard that does not do all that it should, the worst first.
pub fn impacts(snapshot: &ConsoleSnapshot) -> Vec<HtmlElement> {
    let broken = snapshot.shards.iter().filter(|shard| !shard.writable || lost_replicas(shard) > 0);
    let mut broken: Vec<&ShardView> = broken.collect();
    broken.sort_by_key(|shard| (shard.writable, shard.readable));
    broken.into_iter().take(SHOWN_MAX).map(item).collect()
}

fn lost_replicas(shard: &ShardView) -> usize {
    let replicas = shard.nodes.iter().filter(|node| node.role == NodeRoleView::Replica);
    replicas.filter(|node| node.state == NodeStateView::Down).count()
}

fn item(shard: &ShardView) -> HtmlElement {
    if shard.writable {
        let replicas = shard.nodes.len().saturating_sub(1);
        let text = format!("Shard {}: {} of {replicas} replicas down.", shard.name, lost_replicas(shard));
        let effect = " No command fails because of that. ";
        return el("li").child(el("b").text(text)).text(effect).child(runbook::link(Runbook::ReplicaDown));
    }
    let (cause, runbook) = cause(shard);
    let keys = format!("{} of all keys", percent(shard.share));
    let rate =
        if shard.failures_per_sec > 0.0 { format!(" ({}/s)", figure(shard.failures_per_sec)) } else { String::new() };
    let effect = match (shard.readable, shard.readable_nodes()) {
        (false, _) | (true, 0) => format!("READ, WRITE and DELETE of {keys} fail{rate}. "),
        (true, nodes) => {
            format!("WRITE and DELETE of {keys} fail{rate}; READ is answered by {}. ", counted(nodes, "node"))
        }
    };
    el("li")
        .child(el("b").text(format!("Shard {}: {cause}.", shard.name)))
        .text(format!(" {effect}"))
        .child(runbook::link(runbook))
}

/// Returns what is wrong with a shard that takes no writes.
fn cause(shard: &ShardView) -> (String, Runbook) {
    match shard.master() {
        _ if shard.held => {
            ("its master came back without data that its replicas have".to_owned(), Runbook::MasterWithoutData)
        }
        _ if shard.contested => ("two nodes call themselves master".to_owned(), Runbook::Contested),
        _ if !shard.readable => ("no node can be read".to_owned(), Runbook::Unreadable),
        Some(master) if master.state == NodeStateView::Down => {
            (format!("its master {} is down", master.address), Runbook::NoMaster)
        }
        Some(master) if master.state == NodeStateView::Connecting => {
            (format!("the connection to its master {} is lost", master.address), Runbook::NoMaster)
        }
        Some(master) => (format!("its master {} takes no writes", master.address), Runbook::NoMaster),
        None => ("it has no master".to_owned(), Runbook::NoMaster),
    }
}
