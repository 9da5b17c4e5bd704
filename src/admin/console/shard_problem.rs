//! The sentences about a shard that does not do all that it should: what is wrong, what callers notice, and what to do.
//!
//! The console, `/console/facts` and `cachefront status` show the same; `/readyz`, the log and the events have shorter ones of
//! their own.

use super::{
    format::{figure, percent},
    runbook::Runbook,
    snapshot::{NodeRoleView, NodeStateView, NodeView, ShardProblem, ShardView},
};

/// Returns the problem of a shard; `None` if the shard does all that it should.
pub fn shard_problem(shard: &ShardView) -> Option<ShardProblem> {
    if !shard.writable {
        let (cause, advice, runbook) = cause(shard);
        return Some(problem(shard, &cause, failing(shard), advice, runbook));
    }
    let masters = masters(shard);
    if let (true, [used, other, ..]) = (shard.contested, &*masters) {
        let cause =
            format!("{} call themselves master, {}; writes go to {used}", nodes(&masters), masters.join(" and "));
        let effect =
            format!("No command fails because of that, but what other programs write to {other} will be lost.");
        let (host, port) = used.rsplit_once(':').unwrap_or((used, "PORT"));
        let advice = format!("On {other}: REPLICAOF {} {port}.", host.trim_matches(['[', ']']));
        return Some(problem(shard, &cause, effect, advice, Runbook::Contested));
    }
    let lost = shard.nodes.iter().filter(|node| is_replica(node) && node.state == NodeStateView::Down).count();
    (lost > 0).then(|| {
        let cause = format!("{lost} of {} replicas down", shard.nodes.len().saturating_sub(1));
        let effect = "No command fails because of that.".to_owned();
        problem(shard, &cause, effect, String::new(), Runbook::ReplicaDown)
    })
}

fn problem(
    shard: &ShardView,
    cause: &str,
    effect: String,
    advice: impl Into<String>,
    runbook: Runbook,
) -> ShardProblem {
    let runbook = runbook.heading().to_owned();
    ShardProblem { cause: format!("Shard {}: {cause}.", shard.name), effect, advice: advice.into(), runbook }
}

/// Returns the commands that fail while a shard takes no writes.
fn failing(shard: &ShardView) -> String {
    let keys = format!("{} of all keys", percent(shard.share));
    let rate =
        if shard.failures_per_sec > 0.0 { format!(" ({}/s)", figure(shard.failures_per_sec)) } else { String::new() };
    match (shard.readable, shard.readable_nodes()) {
        (false, _) | (true, 0) => format!("All commands for {keys} fail{rate}."),
        (true, nodes) => format!(
            "WRITE and DELETE of {keys} fail{rate}, as all changes do, and so do READs that need the master: strict ones, and those of a key that \
             the same batch changes. {} the other READs.",
            if nodes == 1 { "1 node answers".to_owned() } else { format!("{nodes} nodes answer") }
        ),
    }
}

/// Returns what is wrong with a shard that takes no writes, and what to do.
fn cause(shard: &ShardView) -> (String, &'static str, Runbook) {
    untrusted(shard).unwrap_or_else(|| lost(shard))
}

/// Returns what is wrong with a shard that has masters, but none that is trusted.
fn untrusted(shard: &ShardView) -> Option<(String, &'static str, Runbook)> {
    let (masters, down) = (masters(shard), down(shard));
    if shard.held {
        let cause = "its master came back without data that its replicas have".to_owned();
        return Some((cause, "To keep the data, promote a replica: REPLICAOF NO ONE.", Runbook::MasterWithoutData));
    }
    if let (Some(down), Some(candidate)) = (down, &shard.candidate) {
        let cause =
            format!("its master {down} is down, and {candidate} calls itself master without proof that it took over");
        let advice = "If a replica has more data, promote it: REPLICAOF NO ONE. If none has, wait: the node is used after \
            master_hold_secs.";
        return Some((cause, advice, Runbook::MasterWithoutData));
    }
    if let Some(successor) = &shard.absent_successor {
        let cause = format!("{successor} was announced as its master, and does not answer");
        let advice = "Start it again, or wait: if it stays away, another node is promoted.";
        return Some((cause, advice, Runbook::NoMaster));
    }
    let named = masters.join(" and ");
    let cause = match (&*masters, down) {
        ([_, _, ..], Some(down)) => {
            format!(
                "its master {down} is down, {named} call themselves master, and neither is proven to have taken over"
            )
        }
        ([_, _, ..], None) if shard.contested => {
            format!(
                "{} call themselves master, {named}, and nothing proves which of them was promoted last",
                nodes(&masters)
            )
        }
        _ if shard.contested => {
            "two nodes call themselves master, and nothing proves which of them was promoted last".to_owned()
        }
        _ => return None,
    };
    let advice = "Find out which of them has the data, and make the other one its replica: REPLICAOF HOST PORT.";
    Some((cause, advice, Runbook::Contested))
}

/// Returns what is wrong with a shard whose master is lost.
fn lost(shard: &ShardView) -> (String, &'static str, Runbook) {
    const PROMOTE: &str = "Promote a replica that has the data: REPLICAOF NO ONE there, and REPLICAOF on the others.";
    let masters = masters(shard);
    match (shard.master(), down(shard)) {
        (_, Some(down)) if !masters.is_empty() => {
            let cause =
                format!("its master {down} is down, and {} calls itself master without proof", masters.join(" and "));
            (cause, PROMOTE, if shard.readable { Runbook::NoMaster } else { Runbook::Unreadable })
        }
        _ if !shard.readable => ("no node can be read".to_owned(), "", Runbook::Unreadable),
        (_, Some(down)) => (format!("its master {down} is down"), PROMOTE, Runbook::NoMaster),
        (Some(master), _) if master.state == NodeStateView::Connecting => {
            (format!("the connection to its master {} is lost", master.address), "", Runbook::NoMaster)
        }
        (Some(master), _) => (format!("its master {} takes no writes", master.address), "", Runbook::NoMaster),
        (None, _) => ("it has no master".to_owned(), "", Runbook::NoMaster),
    }
}

/// Returns the number of masters as a text.
fn nodes(masters: &[&str]) -> &'static str {
    if masters.len() > 2 { "several nodes" } else { "two nodes" }
}

/// Returns the address of the master if there is no connection to it.
fn down(shard: &ShardView) -> Option<&str> {
    shard.master().filter(|master| master.state == NodeStateView::Down).map(|master| &*master.address)
}

fn is_replica(node: &NodeView) -> bool {
    node.role == NodeRoleView::Replica
}

/// Returns the addresses of the nodes that call themselves master, that of the shard's master first.
fn masters(shard: &ShardView) -> Vec<&str> {
    shard.nodes.iter().filter(|node| node.reports_master).map(|node| &*node.address).collect()
}
