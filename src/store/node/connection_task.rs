//! The background task that keeps one connection to a node open and asks over it how the node is.

use crate::{
    store::{
        error::NodeError,
        node::replication::ReplicationInfo,
        node::{
            Node,
            connection::{Abandon, CallTimeout, ConnectionSlot, ConnectionState, OpenConnection},
            resolver::ResolvedAddresses,
            tracking::Tracking,
        },
        protocol::command,
    },
    telemetry::events::EventKind,
    types::Deadline,
};
use redis::{Value, aio::ConnectionLike};
use std::{sync::Arc, time::Duration};
use tokio::{sync::Notify, time::sleep};

/// Wait before the second attempt to connect; it doubles up to [`BACKOFF_MAX`].
pub const BACKOFF_MIN: Duration = Duration::from_millis(50);
pub const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// Wait between attempts while requests have nobody else to ask.
const NEEDED_WAIT: Duration = Duration::from_millis(200);
/// A connection that ended sooner was no success: the next attempt waits as after a failed one.
pub const SETTLED: Duration = Duration::from_secs(1);

/// Keeps connection `number` of `node` open, for ever.
pub async fn run(node: Arc<Node>, number: usize) {
    let link = node.connection_slot(number);
    let mut backoff = BACKOFF_MIN;
    let mut complained = false;
    let mut was_lost = false;
    node.wait_until_wanted(number).await;
    loop {
        match open(&node).await {
            Ok((session, names)) => {
                tracing::info!(node = %node.address, "connected to Redis");
                if was_lost {
                    record_event(&node, number, EventKind::Back, "is connected again");
                }
                let session = Arc::new(session);
                let why = use_until_ended(&node, link, &session, &names).await;
                record_event(&node, number, EventKind::Lost, why);
                (complained, was_lost) = (false, true);
                if session.age() >= SETTLED {
                    backoff = BACKOFF_MIN;
                    continue;
                }
            }
            // Said once until the node is back; its every attempt is nobody's news.
            Err(error) if !complained => {
                tracing::warn!(node = %node.address, error, "cannot connect to Redis; trying on");
                if !was_lost {
                    record_event(&node, number, EventKind::Lost, "cannot be connected to; trying on");
                }
                (complained, was_lost) = (true, true);
                set_state(&node, link, ConnectionState::Down);
            }
            Err(error) => {
                tracing::debug!(node = %node.address, error, "still cannot connect to Redis");
                set_state(&node, link, ConnectionState::Down);
            }
        }
        wait_before_retry(&node, with_jitter(backoff)).await;
        backoff = (backoff * 2).min(BACKOFF_MAX);
    }
}

/// Notes what happened to the node, once for all of its connections.
fn record_event(node: &Node, number: usize, kind: EventKind, what: &str) {
    if number == 0 {
        node.events().record(kind, format!("{} {what}", node.address));
    }
}

/// Waits before the next attempt; less long when a request has nobody else to ask.
async fn wait_before_retry(node: &Node, wait: Duration) {
    let least = wait.min(with_jitter(NEEDED_WAIT));
    sleep(least).await;
    tokio::select! {
        () = sleep(wait.saturating_sub(least)) => {}
        () = node.reconnect_requested() => {}
    }
}

/// A fresh connection to a node that has said what it is: before that it must not be used, for a replica may not
/// have its master's data yet.
async fn open(node: &Node) -> Result<(OpenConnection, ResolvedAddresses), String> {
    node.clear_replication_info();
    let (ended, names) = (Arc::new(Notify::new()), ResolvedAddresses::default());
    let tracking = node.on_invalidation().map(|forget| Arc::new(Tracking::new(forget)));
    let connection = node.endpoint.connect_tracked(&names, &ended, tracking.clone()).await?;
    let session = OpenConnection::new(connection, node.attempt_timeout, ended);
    let deadline = Deadline::within(node.connect_timeout);
    if node.in_cluster() {
        let refused = |error| format!("it refused READONLY: {error}");
        send_readonly(&session, deadline).await.map_err(refused)?;
    }
    let tracking = match tracking {
        Some(tracking) if enable_tracking(node, &session, deadline).await? => Some(tracking),
        _ => None,
    };
    probe(node, &session, deadline).await.map_err(|error| error.to_string())?;
    Ok((session.with_tracking(tracking), names))
}

/// Offers a connection for use until it ends; says why it did.
async fn use_until_ended(
    node: &Node,
    link: &ConnectionSlot,
    session: &Arc<OpenConnection>,
    names: &ResolvedAddresses,
) -> &'static str {
    session.mark_in_use();
    node.record_connected();
    set_state(node, link, ConnectionState::Up(Arc::clone(session)));
    let probing = async {
        loop {
            node.next_probe().await;
            node.close_idle();
            // Waits until the session itself sees that nothing is answered any more.
            let _answered =
                probe(node, session, Deadline::within(node.connect_timeout.max(session.hung_after() * 2))).await;
        }
    };
    tokio::select! {
        () = session.ended() => {}
        () = probing => {}
        () = names.wait_until_moved(&node.address) => {
            tracing::warn!(node = %node.address, "its name leads elsewhere now; connecting afresh");
            invalidate_all(session);
            set_state(node, link, ConnectionState::Connecting);
            return "is a name that leads elsewhere now; connecting afresh";
        }
    }
    invalidate_all(session);
    let why = if session.is_hung() {
        tracing::warn!(node = %node.address, "Redis does not answer; connecting afresh");
        set_state(node, link, ConnectionState::Down);
        "does not answer; connecting afresh"
    } else {
        tracing::warn!(node = %node.address, "the connection to Redis was lost");
        set_state(node, link, ConnectionState::Connecting);
        "was lost"
    };
    node.notify_topology_changed();
    why
}

fn set_state(node: &Node, link: &ConnectionSlot, phase: ConnectionState) {
    link.set_state(phase);
    node.notify_changed();
}

/// A replica of a Redis Cluster sends reads to its master unless it is told otherwise.
async fn send_readonly(session: &OpenConnection, deadline: Deadline) -> Result<(), NodeError> {
    send_expecting_ok(session, &redis::cmd("READONLY"), deadline).await
}

/// Asks the node to say when keys change that it is asked to track; where it can't or may not, nothing of it is kept.
async fn enable_tracking(node: &Node, session: &OpenConnection, deadline: Deadline) -> Result<bool, String> {
    let (mut track, mut ask) = (redis::cmd("CLIENT"), redis::cmd("CLIENT"));
    track.arg("TRACKING").arg("ON").arg("OPTIN");
    // Users may have the one and not the other.
    ask.arg("CACHING").arg("YES");
    let told = match send_expecting_ok(session, &track, deadline).await {
        Ok(()) => send_expecting_ok(session, &ask, deadline).await,
        refused => refused,
    };
    match told {
        Ok(()) => Ok(true),
        // Anything else passes, and is worth another connection.
        Err(NodeError::Answered { code, detail }) if code == "NOPERM" || code == "ERR" => {
            tracing::warn!(node = %node.address, code, detail, "it refused CLIENT TRACKING: the near cache keeps nothing of it");
            Ok(false)
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Whatever was kept of what came over a connection does not count any more.
fn invalidate_all(session: &OpenConnection) {
    if let Some(tracking) = session.tracking() {
        tracking.invalidate_all();
    }
}

/// Sends a command that has nothing to tell.
async fn send_expecting_ok(
    session: &OpenConnection,
    command: &redis::Cmd,
    deadline: Deadline,
) -> Result<(), NodeError> {
    let patience = CallTimeout { deadline, abandon: Abandon::AtDeadline };
    let answer = session.call(patience, |mut connection| async move { connection.req_packed_command(command).await });
    command::expect_ok(&answer.await?)
}

/// Asks the node how it is.
async fn probe(node: &Node, session: &OpenConnection, deadline: Deadline) -> Result<(), NodeError> {
    let mut questions = redis::Pipeline::with_capacity(2);
    // A node that is loading answers INFO but refuses PING.
    questions.cmd("PING").cmd("INFO").arg("replication");
    let patience = CallTimeout { deadline, abandon: Abandon::AtDeadline };
    let asked = node.now();
    let answers = session.call(patience, |mut connection| {
        let questions = &questions;
        async move { connection.req_packed_commands(questions, 0, 2).await }
    });
    let answers = answers.await?;
    let [ping, info] = &answers[..] else { return Err(NodeError::Unexpected) };
    let loading = matches!(ping, Value::ServerError(error) if error.code() == "LOADING");
    // Where a user may not ask there is nothing to hold against the node.
    let mut standing = ReplicationInfo::parse(info);
    if let Some(standing) = &mut standing {
        standing.loading = loading;
    }
    node.update_replication_info(standing, asked);
    Ok(())
}

/// Between half of `wait` and all of it, so that instances that lost a node together do not come back together.
pub fn with_jitter(wait: Duration) -> Duration {
    let mut byte = [0];
    // Without random bytes there is no jitter, and nothing worse.
    let _filled = aws_lc_rs::rand::fill(&mut byte);
    wait / 2 + wait * u32::from(byte[0]) / 512
}
