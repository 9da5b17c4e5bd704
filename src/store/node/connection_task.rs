//! The background task of one connection: it opens the connection, probes the node over it, and opens it again.

use super::{
    change_offsets, connect::ConnectError, connection::OpenConnection, handshake, login::LoginChanges, mode_task,
    pool::ConnectionState, probe::probe, redis_node::Node, resolver::ConnectionResolver, resource_task,
};
use crate::{
    store::change_signal::ChangeSubscriber,
    telemetry::{
        events::EventKind,
        metrics::{Label, NodeRole},
    },
    types::{Deadline, error_chain},
};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};

/// Wait before the second attempt to connect; it doubles up to [`BACKOFF_MAX`].
pub const BACKOFF_MIN: Duration = Duration::from_millis(50);
/// Longest wait between two attempts to connect.
pub const BACKOFF_MAX: Duration = Duration::from_secs(1);
/// A connection that lasted less long counts as a failed attempt: the next attempt waits.
pub const SETTLED: Duration = Duration::from_secs(1);

/// Longest wait between two attempts while requests need the node.
const REQUESTED_WAIT_MAX: Duration = Duration::from_millis(200);

/// Attempts in a row that the node cut or refused during the handshake, after which it counts as down.
const CUT_ATTEMPTS_MAX: u32 = 3;
/// Shortest time that such attempts have to span.
const CUT_TIME_MIN: Duration = Duration::from_secs(1);

/// Keeps connection `number` of `node` open. Never returns.
pub async fn run(node: Arc<Node>, number: usize) {
    let mut backoff = BACKOFF_MIN;
    let mut failed_before = false;
    let mut was_lost = false;
    let mut cut_attempts = CutAttempts::default();
    let mut reconnect_requests = node.pool.reconnect_requests();
    node.pool.wait_until_wanted(number).await;
    loop {
        let wait;
        let opened = handshake::open(&node).await;
        // Who waits asks again when the state of the connection changes.
        reconnect_requests.mark_seen();
        match opened {
            Ok((connection, resolver, login_changes)) => {
                log_connected(&node);
                if was_lost {
                    record_event(&node, number, EventKind::NodeConnected, "is connected again");
                }
                let connection = Arc::new(connection.with_number(number));
                let end = use_until_ended(&node, number, &connection, &resolver, login_changes).await;
                end.log(&node, number);
                record_event(&node, number, EventKind::NodeLost, end.text());
                (failed_before, was_lost) = (false, true);
                cut_attempts = CutAttempts::after(end);
                if connection.age() >= SETTLED {
                    backoff = BACKOFF_MIN;
                    continue;
                }
                wait = node.context.with_jitter(backoff);
            }
            Err(error) => {
                wait = node.context.with_jitter(backoff);
                log_failure(&node, number, &error, wait, failed_before);
                if !was_lost {
                    record_event(&node, number, EventKind::NodeLost, "cannot be connected to");
                }
                (failed_before, was_lost) = (true, true);
                node.set_connection_state(number, cut_attempts.state_after(&error));
            }
        }
        wait_before_retry(&node, &mut reconnect_requests, wait).await;
        backoff = (backoff * 2).min(BACKOFF_MAX);
    }
}

/// The attempts in a row that were cut or refused during their handshake. A node that is alive does so while its
/// connections are being killed, and a proxy in front of a dead node does so for ever.
#[derive(Default)]
struct CutAttempts {
    count: u32,
    /// The time of the first attempt.
    since: Option<Instant>,
    /// The node is down for another reason, or the attempts were too many.
    is_down: bool,
}

impl CutAttempts {
    /// Begins to count after the end of a connection.
    fn after(end: ConnectionEnd) -> Self {
        Self { is_down: matches!(end, ConnectionEnd::Hung), ..Self::default() }
    }

    /// Returns the state of the connection after a failed attempt: the node is down if nobody serves at its address, or
    /// if too many attempts were cut.
    fn state_after(&mut self, error: &ConnectError) -> ConnectionState {
        let since = *self.since.get_or_insert_with(Instant::now);
        self.count += 1;
        let are_too_many = self.count >= CUT_ATTEMPTS_MAX && since.elapsed() >= CUT_TIME_MIN;
        self.is_down |= error.shows_absence() || are_too_many;
        if self.is_down { ConnectionState::Down } else { ConnectionState::Connecting }
    }
}

/// The reason for the end of a connection.
#[derive(Clone, Copy)]
enum ConnectionEnd {
    /// The connection was closed or broke.
    Lost,
    /// The node answered nothing for too long.
    Hung,
    /// The node's name has other addresses than before.
    Moved,
}

impl ConnectionEnd {
    /// Returns what happened to the node, as the rest of a sentence that begins with the node.
    fn text(self) -> &'static str {
        match self {
            Self::Lost => "has lost its connection",
            Self::Hung => "does not answer",
            Self::Moved => "has a name that resolves to other addresses now",
        }
    }

    /// Logs the end as a warning, once for all connections of the node, and at level debug for the others.
    fn log(self, node: &Node, number: usize) {
        let (address, shard, event) = (&node.address, node.shard_context().name.get(), self.text());
        let role = node.role_in_shard().name();
        if number == 0 {
            tracing::warn!(
                node = %address, %shard, role,
                "{role} {address} of shard \"{shard}\" {event}; connecting again"
            );
        } else {
            tracing::debug!(
                node = %address, %shard, number,
                "connection {number} to node {address} of shard \"{shard}\" has ended: the node {event}; connecting again"
            );
        }
    }
}

/// Offers a connection to requests and probes the node over it until the connection ends.
async fn use_until_ended(
    node: &Node,
    number: usize,
    connection: &Arc<OpenConnection>,
    resolver: &ConnectionResolver,
    login_changes: LoginChanges,
) -> ConnectionEnd {
    connection.mark_in_use();
    node.set_connection_state(number, ConnectionState::Up(Arc::clone(connection)));
    let end = tokio::select! {
        biased;
        () = connection.ended() => if connection.is_hung() { ConnectionEnd::Hung } else { ConnectionEnd::Lost },
        () = probe_regularly(node, connection) => ConnectionEnd::Lost,
        () = change_offsets::ask_when_requested(node, connection), if node.pool.is_default(number) => ConnectionEnd::Lost,
        () = resource_task::ask_regularly(node, connection), if number == 0 => ConnectionEnd::Lost,
        () = mode_task::follow(node, connection) => ConnectionEnd::Lost,
        () = handshake::follow_login(node, number, connection, login_changes) => ConnectionEnd::Lost,
        () = resolver.wait_until_moved() => ConnectionEnd::Moved,
    };
    connection.invalidate_all();
    if matches!(end, ConnectionEnd::Moved) {
        // Otherwise some requests would still reach the former process, and see older data than others.
        node.end_connections();
    }
    match end {
        ConnectionEnd::Hung => node.set_connection_state(number, ConnectionState::Down),
        ConnectionEnd::Lost | ConnectionEnd::Moved => node.set_connection_state(number, ConnectionState::Connecting),
    }
    if !matches!(end, ConnectionEnd::Moved) {
        node.shard_context().request_cluster_refresh();
    }
    end
}

/// Probes the node whenever that is due. Never returns.
async fn probe_regularly(node: &Node, connection: &OpenConnection) {
    loop {
        node.probes.next().await;
        node.wait_connections.close_idle(node.pool.opened());
        // The connection itself notices a node that hangs; until then the probe waits.
        let timeout = node.config.connect_timeout.max(connection.hung_after() * 2);
        let _answered = probe(node, connection, Deadline::within(timeout)).await;
    }
}

/// Waits before the next attempt to connect, less long when a request needs the node.
async fn wait_before_retry(node: &Node, reconnect_requests: &mut ChangeSubscriber, wait: Duration) {
    let least = wait.min(node.context.with_jitter(REQUESTED_WAIT_MAX));
    sleep(least).await;
    tokio::select! {
        biased;
        () = sleep(wait.saturating_sub(least)) => {}
        () = reconnect_requests.changed() => {}
    }
}

fn log_connected(node: &Node) {
    let (address, shard) = (&node.address, node.shard_context().name.get());
    let role = node.role_in_shard().name();
    tracing::info!(node = %address, %shard, role, "connected to {role} {address} of shard \"{shard}\"");
}

/// Logs a failed attempt as a warning, once for all connections of the node. Repetitions and the failures of the other
/// connections are logged at level debug.
fn log_failure(node: &Node, number: usize, error: &ConnectError, wait: Duration, failed_before: bool) {
    let (address, shard, wait_ms) = (&node.address, node.shard_context().name.get(), wait.as_millis());
    let (error, role) = (error_chain(error), node.role_in_shard().name());
    if number == 0 && !failed_before {
        tracing::warn!(
            node = %address, %shard, role, error, wait_ms,
            "connect to {role} {address} of shard \"{shard}\" failed: {error}; retrying in {wait_ms} ms"
        );
    } else {
        tracing::debug!(
            node = %address, %shard, number, error, wait_ms,
            "connection {number} to node {address} of shard \"{shard}\" failed: {error}; retrying in {wait_ms} ms"
        );
    }
}

/// Records an event, once for all connections of the node.
fn record_event(node: &Node, number: usize, kind: EventKind, event: &str) {
    if number == 0 {
        let role = node.role_in_shard();
        let (shard, address) = (node.shard_context().name.get(), &node.address);
        let text = format!("shard {shard}: {} {address} {event}", role.name());
        node.context.events.record_of_node(kind, role == NodeRole::Master, text);
    }
}
