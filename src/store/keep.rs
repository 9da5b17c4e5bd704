//! The background task that keeps one connection to a node open and asks over it how the node is.

use super::{
    link::{Link, Phase, Session},
    node::Node,
};
use crate::types::Deadline;
use redis::{Value, aio::ConnectionLike};
use std::{sync::Arc, time::Duration};
use tokio::{sync::Notify, time::sleep};

/// How often a connected node is asked how it is.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// Wait before the second attempt to connect; it doubles up to [`BACKOFF_MAX`].
const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// Keeps connection `number` of `node` open, for ever.
pub async fn keep(node: Arc<Node>, number: usize) {
    let link = node.link(number);
    let mut backoff = BACKOFF_MIN;
    let mut complained = false;
    loop {
        let ended = Arc::new(Notify::new());
        match node.target.connect(&ended).await {
            Ok(connection) => {
                tracing::info!(node = %node.address, "connected to Redis");
                (backoff, complained) = (BACKOFF_MIN, false);
                stay(&node, link, Arc::new(Session::new(connection, ended))).await;
                continue;
            }
            // Said once until the node is back; its every attempt is nobody's news.
            Err(error) if !complained => {
                tracing::warn!(node = %node.address, error, "cannot connect to Redis; trying on");
                complained = true;
            }
            Err(error) => tracing::debug!(node = %node.address, error, "still cannot connect to Redis"),
        }
        enter(&node, link, Phase::Down);
        sleep(jittered(backoff)).await;
        backoff = (backoff * 2).min(BACKOFF_MAX);
    }
}

/// Offers a fresh connection for use until it ends.
async fn stay(node: &Node, link: &Link, session: Arc<Session>) {
    // A replica must not be read before it is known that it has its master's data.
    probe(node, &session).await;
    enter(node, link, Phase::Up(Arc::clone(&session)));
    let probing = async {
        loop {
            sleep(PROBE_EVERY).await;
            probe(node, &session).await;
        }
    };
    tokio::select! {
        () = session.ended() => {}
        () = probing => {}
    }
    if session.hangs() {
        tracing::warn!(node = %node.address, "Redis does not answer; connecting afresh");
        enter(node, link, Phase::Down);
    } else {
        tracing::warn!(node = %node.address, "the connection to Redis was lost");
        enter(node, link, Phase::Connecting);
    }
}

fn enter(node: &Node, link: &Link, phase: Phase) {
    link.enter(phase);
    node.notify_change();
}

/// Asks the node how it is. That no answer came is counted by the session, which ends after several.
async fn probe(node: &Node, session: &Session) {
    let mut info = redis::cmd("INFO");
    info.arg("replication");
    let deadline = Deadline::within(node.probe_timeout);
    let answer = session.ask(deadline, |mut connection| {
        let info = &info;
        async move { connection.req_packed_command(info).await }
    });
    if let Ok(answer) = answer.await {
        node.set_never_synced(says_never_synced(&answer));
    }
}

/// Reads `INFO replication`: true for a replica whose link is down and that has no replication offset, so it
/// holds nothing of its master's.
fn says_never_synced(info: &Value) -> bool {
    let text = match info {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::VerbatimString { text, .. } => text.clone(),
        // A user without the permission to ask; there is nothing to hold against the node.
        _ => return false,
    };
    let field = |name: &str| text.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'));
    field("role") == Some("slave")
        && field("master_link_status") != Some("up")
        && field("slave_repl_offset") == Some("0")
}

/// Between half of `wait` and all of it, so that instances that lost a node together do not come back together.
fn jittered(wait: Duration) -> Duration {
    let mut byte = [0];
    // Without random bytes there is no jitter, and nothing worse.
    let _filled = aws_lc_rs::rand::fill(&mut byte);
    wait / 2 + wait * u32::from(byte[0]) / 512
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_replica_without_an_offset_never_synced() {
        let says = |text: &str| says_never_synced(&Value::BulkString(text.as_bytes().to_vec()));
        assert!(says("# Replication\r\nrole:slave\r\nmaster_link_status:down\r\nslave_repl_offset:0\r\n"));
        assert!(!says("# Replication\r\nrole:slave\r\nmaster_link_status:down\r\nslave_repl_offset:4711\r\n"));
        assert!(!says("# Replication\r\nrole:slave\r\nmaster_link_status:up\r\nslave_repl_offset:0\r\n"));
        assert!(!says("# Replication\r\nrole:master\r\nmaster_repl_offset:0\r\n"));
        assert!(!says_never_synced(&Value::Nil));
    }
}
