//! Calls to a node: within the limit on commands in flight, measured and traced.

use super::{
    call_timeout::CallTimeout, client_windows::ReadKeys, connection::OpenConnection, connection_class::ConnectionClass,
    redis_node::Node, tracking::TrackedSource,
};
use crate::{
    store::{
        error::NodeError,
        protocol::reply::{RoleRefusal, expect_master},
    },
    telemetry::traces,
    types::Deadline,
};
use redis::{Cmd, Pipeline, Value};
use std::{pin::pin, sync::Arc, time::Instant};
use tokio::time::timeout_at;
use tracing::Instrument;

impl Node {
    /// Sends one command and returns its answer.
    pub async fn call(&self, command: &Cmd, class: ConnectionClass, timeout: CallTimeout) -> Result<Value, NodeError> {
        let connection = self.pool.open_connection(class);
        self.call_over(connection, 1, async |connection| connection.call(command, timeout).await).await
    }

    /// Sends one command over the connection that an earlier answer came over, and returns its answer.
    pub async fn call_at_source(
        &self,
        source: &TrackedSource,
        command: &Cmd,
        timeout: CallTimeout,
    ) -> Result<Value, NodeError> {
        let connection = self
            .pool
            .find_connection(|connection| connection.tracking().is_some_and(|tracking| source.is_over(tracking)));
        self.call_over(connection, 1, async |connection| connection.call(command, timeout).await).await
    }

    /// Sends several commands at once and returns an answer for each, which may be a server error.
    pub async fn call_all(
        &self,
        commands: &Pipeline,
        class: ConnectionClass,
        timeout: CallTimeout,
    ) -> Result<Vec<Value>, NodeError> {
        let connection = self.pool.open_connection(class);
        self.call_over(connection, commands.len(), async |connection| connection.call_all(commands, timeout).await)
            .await
    }

    /// Sends several commands as [`Node::call_all`] does, when the client's other reads leave room for what they read.
    pub async fn call_all_for(
        &self,
        commands: &Pipeline,
        keys: ReadKeys<'_>,
        class: ConnectionClass,
        timeout: CallTimeout,
    ) -> Result<Vec<Value>, NodeError> {
        if keys.hashes.iter().all(|hash| *hash == 0) {
            return self.call_all(commands, class, timeout).await;
        }
        self.measured_call(self.pool.open_connection(class), commands.len(), async |connection| {
            let window = self.clients.window(keys.client, connection.number());
            connection.read_all(commands, (window, keys), &self.in_flight, timeout).await
        })
        .await
    }

    /// Returns an open connection, for calls that must reach the same process; see [`Node::call_all_over`].
    pub fn open_connection(&self) -> Result<Arc<OpenConnection>, NodeError> {
        self.pool.open_connection(ConnectionClass::Default)
    }

    /// Sends several commands at once over a certain connection and returns an answer for each, which may be a server
    /// error.
    pub async fn call_all_over(
        &self,
        connection: &Arc<OpenConnection>,
        commands: &Pipeline,
        timeout: CallTimeout,
    ) -> Result<Vec<Value>, NodeError> {
        let connection = Ok(Arc::clone(connection));
        self.call_over(connection, commands.len(), async |connection| connection.call_all(commands, timeout).await)
            .await
    }

    /// Sends commands as [`Node::call_all`] does, but a node of a Redis Cluster answers reads among them only if it owns
    /// their slot. Otherwise it redirects them, also if it is read as a replica.
    pub async fn call_all_as_owner(
        &self,
        commands: &Pipeline,
        class: ConnectionClass,
        timeout: CallTimeout,
    ) -> Result<Vec<Value>, NodeError> {
        let connection = self.pool.open_connection(class)?;
        let mode = timeout_at(timeout.deadline.instant(), connection.read_only().read()).await;
        let is_read_only = mode.map_err(|_| NodeError::TimedOut)?;
        if !*is_read_only {
            return self.call_all_over(&connection, commands, timeout).await;
        }
        // In one message, so that no other command is run in between.
        let mut wrapped = Pipeline::with_capacity(commands.len() + 2);
        wrapped.cmd("READWRITE");
        for command in commands.cmd_iter() {
            wrapped.add_command(command.clone());
        }
        wrapped.cmd("READONLY");
        let answers = self.call_all_over(&connection, &wrapped, timeout).await?;
        Ok(answers.into_iter().skip(1).take(commands.len()).collect())
    }

    /// Sends a change and waits until `replicas` have it, or the deadline is near. Returns the answer, and the number
    /// of replicas that have the change.
    pub async fn call_and_wait(
        &self,
        command: &Cmd,
        replicas: u32,
        deadline: Deadline,
    ) -> Result<(Value, u32), NodeError> {
        let mut commands = Pipeline::with_capacity(2);
        commands.add_command(command.clone());
        let (mut values, replicated) = self.call_all_and_wait(&commands, replicas, deadline).await?;
        values.pop().map(|value| (value, replicated)).ok_or(NodeError::Unexpected)
    }

    /// Sends several changes at once and waits until `replicas` have them, or the deadline is near. Returns the
    /// answers, and the number of replicas that have the changes.
    pub async fn call_all_and_wait(
        &self,
        commands: &Pipeline,
        replicas: u32,
        deadline: Deadline,
    ) -> Result<(Vec<Value>, u32), NodeError> {
        let call = async {
            let _turn = self.wait_connections.acquire(deadline).await?;
            let _permit = self.in_flight.acquire(commands.len())?;
            // `WAIT` for more replicas than there are would only end at its timeout.
            let connected = self.state.load().replication_info().map(|info| info.connected_replicas);
            let replicas = replicas.min(connected.unwrap_or(replicas));
            let target = (&self.endpoint, self.pool.opened());
            self.wait_connections
                .call_all(target, |run_id| self.is_accepted_process(run_id), commands, replicas, deadline)
                .await
        };
        let (answers, replicated) = self.traced(commands.len(), call).await?;
        Ok((answers, self.replicas_in(&replicated)))
    }

    /// Reads the reply to `WAIT`: the number of replicas that have the changes. Logs once if the user may not use it.
    fn replicas_in(&self, reply: &Value) -> u32 {
        match (reply, expect_master(reply)) {
            (Value::Int(replicas), _) => u32::try_from(*replicas).unwrap_or(0),
            (_, Err(RoleRefusal::NotAllowed(detail))) => {
                let consequence = "refuses WAIT, so the replicas that have a change cannot be counted";
                self.log_missing_permissions("+wait", consequence, &detail);
                0
            }
            // A replica refuses both `WAIT` and the changes.
            _ => 0,
        }
    }

    /// Returns true if changes may be sent to this process of the node (`run_id`): it is the one that was elected.
    fn is_accepted_process(&self, run_id: &str) -> bool {
        let state = self.state.load();
        // In a Redis Cluster a redirection may lead to a node before its shard has elected it.
        state.is_process(run_id) && (!state.awaits_election() || self.shard_context().in_cluster())
    }

    /// Makes a call over a connection, within the limit on commands in flight, and measures its duration.
    pub(super) async fn call_over<T>(
        &self,
        connection: Result<Arc<OpenConnection>, NodeError>,
        commands: usize,
        call: impl AsyncFnOnce(&OpenConnection) -> Result<T, NodeError>,
    ) -> Result<T, NodeError> {
        self.measured_call(connection, commands, async |connection| {
            let _permit = self.in_flight.acquire(commands)?;
            call(connection).await
        })
        .await
    }

    /// Makes a call over a connection, and measures its duration.
    pub(super) async fn measured_call<T>(
        &self,
        connection: Result<Arc<OpenConnection>, NodeError>,
        commands: usize,
        call: impl AsyncFnOnce(&OpenConnection) -> Result<T, NodeError>,
    ) -> Result<T, NodeError> {
        let measured = async {
            let connection = connection?;
            let start = Instant::now();
            let result = call(&connection).await;
            self.metrics.durations.observe(start.elapsed());
            result
        };
        self.traced(commands, measured).await
    }

    /// Runs a call within a span of its own, and records its outcome.
    async fn traced<T>(
        &self,
        commands: usize,
        call: impl Future<Output = Result<T, NodeError>>,
    ) -> Result<T, NodeError> {
        let mut traced = pin!(call.instrument(traces::node(&self.address, commands)));
        let result = traced.as_mut().await;
        self.metrics.record_outcome(traced.span(), &result);
        result
    }
}
