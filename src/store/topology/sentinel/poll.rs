//! The connection to one sentinel, which is polled every second and after each relevant event.

use super::{
    replies::{CHANNELS, commands, concerns, named_addresses, parse},
    sentinels::{Sentinel, Sentinels},
};
use crate::{
    store::{
        error::ConnectionFailure,
        node::{
            connection_task::{BACKOFF_MAX, BACKOFF_MIN, SETTLED},
            login::LoginChanges,
        },
        shard::Shard,
        topology::error::TopologyError,
    },
    types::error_chain,
};
use redis::{
    Cmd, PushInfo, PushKind, Value,
    aio::{ConnectionLike, MultiplexedConnection},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
};

/// The interval of polls without an event. Events may be lost, so polling goes on.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// A connection to a sentinel.
struct SentinelConnection {
    connection: MultiplexedConnection,
    /// Notified of each relevant event.
    event_received: Arc<Notify>,
    /// Notified when the connection ends.
    disconnected: Arc<Notify>,
    /// The changes of the login since the connection was opened.
    login_changes: LoginChanges,
}

impl Sentinels {
    /// Keeps a connection to one sentinel open and polls it. Never returns.
    pub(super) async fn poll(&self, number: usize) {
        let sentinel = &self.processes[number];
        let address = &sentinel.address;
        let mut backoff = BACKOFF_MIN;
        let mut failure_logged = false;
        loop {
            let start = Instant::now();
            let mut answered = false;
            let error = match self.connect(sentinel).await {
                Ok(connection) => self.poll_until_lost(number, connection, &mut answered).await,
                Err(error) => error,
            };
            let error = error_chain(&error);
            self.record_unreachable(number);
            if answered && start.elapsed() >= SETTLED {
                backoff = BACKOFF_MIN;
            }
            let wait = self.node_context.with_jitter(backoff);
            // The first failure is a warning; repetitions are for debugging, until the sentinel answers again.
            if answered || !failure_logged {
                let retry_ms = wait.as_millis();
                tracing::warn!(
                    sentinel = %address, error, retry_ms,
                    "sentinel {address} does not answer: {error}; retrying in {retry_ms} ms"
                );
                failure_logged = true;
            } else {
                tracing::debug!(sentinel = %address, error, "sentinel {address} still does not answer: {error}");
            }
            sleep(wait).await;
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    }

    /// Opens a connection and subscribes to events.
    async fn connect(&self, sentinel: &Sentinel) -> Result<SentinelConnection, TopologyError> {
        let (event_received, disconnected) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let names: Vec<String> = self.shards.iter().map(|shard| shard.master_name.clone()).collect();
        let shards: Vec<Arc<Shard>> = self.shards.iter().map(|monitored| Arc::clone(&monitored.shard)).collect();
        let (on_event, on_disconnection) = (Arc::clone(&event_received), Arc::clone(&disconnected));
        let connected = sentinel.endpoint.connect_with_push_handler(move |push: PushInfo| match push.kind {
            PushKind::Disconnection => on_disconnection.notify_one(),
            PushKind::Message if concerns(&push.data, names.iter().map(String::as_str)) => {
                probe_named_nodes(&shards, &push.data);
                on_event.notify_one();
            }
            _ => {}
        });
        let (mut connection, login) = connected.await?;
        let login_changes = self.login.changes_since(&login);
        // The subscription comes before the first poll, so that no change after a reply is missed.
        match timeout(self.redis.connect_timeout, connection.subscribe(&CHANNELS)).await {
            Ok(Ok(())) => {}
            // The user of the sentinel has no permission for events. Polling finds changes, too, only later.
            Ok(Err(error)) if error.code().is_some() => {
                let (address, error) = (&sentinel.address, ConnectionFailure::from(error));
                tracing::warn!(
                    sentinel = %address, %error,
                    "sentinel {address} refused the subscription to its events: {error}; it is polled every second"
                );
            }
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => return Err(TopologyError::TimedOut),
        }
        Ok(SentinelConnection { connection, event_received, disconnected, login_changes })
    }

    /// Polls over a connection until that fails. Sets `answered` after the first reply; returns the failure.
    async fn poll_until_lost(
        &self,
        number: usize,
        mut connection: SentinelConnection,
        answered: &mut bool,
    ) -> TopologyError {
        let commands = commands(self.shards.iter().map(|shard| shard.master_name.as_str()));
        loop {
            let call = connection.connection.req_packed_commands(&commands, 0, commands.len());
            let values = match timeout(self.redis.connect_timeout, call).await {
                Ok(Ok(values)) => values,
                Ok(Err(error)) => return error.into(),
                Err(_) => return TopologyError::TimedOut,
            };
            if !*answered {
                let address = &self.processes[number].address;
                tracing::info!(sentinel = %address, "connected to sentinel {address}");
                *answered = true;
            }
            self.record_replies(number, parse(&values));
            tokio::select! {
                biased;
                () = connection.disconnected.notified() => return TopologyError::Lost,
                (login, command) = connection.login_changes.next() => {
                    // A login that was refused is not tried again before the next change or connection.
                    connection.login_changes.accept(login);
                    self.log_in_again(number, &mut connection.connection, &command).await;
                }
                // The next poll follows after an event or after the interval.
                _ = timeout(POLL_INTERVAL, connection.event_received.notified()) => {}
            }
        }
    }
}

impl Sentinels {
    /// Logs in again over an open connection. A sentinel that refuses leaves the connection as it was.
    async fn log_in_again(&self, number: usize, connection: &mut MultiplexedConnection, command: &Cmd) {
        let address = &self.processes[number].address;
        match timeout(self.redis.connect_timeout, connection.req_packed_command(command)).await {
            Ok(Ok(_)) => tracing::info!(sentinel = %address, "sentinel {address} accepted the changed login"),
            Ok(Err(error)) => {
                // The sentinel's own text may repeat the login.
                let error = ConnectionFailure::from(error);
                tracing::warn!(
                    sentinel = %address, %error,
                    "sentinel {address} refused the changed login, and the open connection keeps the earlier one: {error}"
                );
            }
            // The next poll notices that the sentinel does not answer.
            Err(_) => {}
        }
    }
}

/// Probes the nodes that an event names: what it reports is true as soon as the node itself says so.
fn probe_named_nodes(shards: &[Arc<Shard>], event: &[Value]) {
    for address in named_addresses(event) {
        for shard in shards {
            if let Some(node) = shard.members().find(&address) {
                node.request_probe();
            }
        }
    }
}
