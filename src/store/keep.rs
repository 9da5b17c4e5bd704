//! The background task that keeps one connection to a node open and asks over it how the node is.

use super::{
    link::{Link, Phase, Session},
    node::Node,
    standing::Standing,
};
use crate::types::Deadline;
use redis::aio::ConnectionLike;
use std::{sync::Arc, time::Duration};
use tokio::{sync::Notify, time::sleep};

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
    // It must not be used before it is known what it is: a replica may not have its master's data yet.
    probe(node, &session).await;
    enter(node, link, Phase::Up(Arc::clone(&session)));
    let probing = async {
        loop {
            node.next_probe().await;
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
        node.set_standing(Standing::parse(&answer));
    }
}

/// Between half of `wait` and all of it, so that instances that lost a node together do not come back together.
fn jittered(wait: Duration) -> Duration {
    let mut byte = [0];
    // Without random bytes there is no jitter, and nothing worse.
    let _filled = aws_lc_rs::rand::fill(&mut byte);
    wait / 2 + wait * u32::from(byte[0]) / 512
}
