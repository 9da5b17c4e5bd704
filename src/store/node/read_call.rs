//! Reads at a node. An answer counts only if the node did not drop its data meanwhile and, where the read requires
//! that, if the node proves in the same message that it is the master.

use super::{
    call_timeout::CallTimeout, client_windows::ReadKeys, connection::OpenConnection, connection_class::ConnectionClass,
    read_command::ReadCommand, redis_node::Node, tracking::TrackedSource,
};
use crate::store::{
    consistency::ReadRequirement,
    error::NodeError,
    protocol::{
        command::{ask_for_role, command, packed_read},
        refusal::ServerRefusal,
        reply::{ReplyError, RoleRefusal, expect_master},
    },
};
use redis::{Pipeline, ServerError, Value};
use std::sync::Arc;

impl Node {
    /// Returns true if an answer of the node meets the requirement only if the node proves that it is the master. A
    /// replica that is known to have everything needs no proof.
    pub fn must_prove_role(&self, requirement: &ReadRequirement) -> bool {
        requirement.strict && {
            let state = self.state.load();
            requirement.master_only || !(state.is_replica() && state.has_replicated_up_to(requirement.since))
        }
    }

    /// Sends a read of one key and returns its answer.
    pub async fn read(
        &self,
        read: ReadCommand<'_>,
        keys: ReadKeys<'_>,
        class: ConnectionClass,
        timeout: CallTimeout,
        must_prove: bool,
    ) -> Result<Value, NodeError> {
        if must_prove {
            return Box::pin(self.read_at_master(read, keys, class, timeout)).await;
        }
        let connection = self.connection_for(keys, class);
        self.measured_call(connection, 1, async |connection| {
            let flushes = connection.flushes();
            let window = self.clients.window(keys.client, connection.number());
            let answer =
                connection.read(packed_read(read.key, read.kind), (window, keys), &self.in_flight, timeout).await;
            self.unless_flushed(connection, flushes, answer)
        })
        .await
    }

    /// Returns an open connection for reads of a client. A client that surprised with large values does not delay the
    /// replies of others by its next ones.
    fn connection_for(&self, keys: ReadKeys<'_>, class: ConnectionClass) -> Result<Arc<OpenConnection>, NodeError> {
        let class = match class {
            ConnectionClass::Default => self.clients.class_for(keys.client),
            ConnectionClass::LargeValue => class,
        };
        self.pool.open_connection(class)
    }

    async fn read_at_master(
        &self,
        read: ReadCommand<'_>,
        keys: ReadKeys<'_>,
        class: ConnectionClass,
        timeout: CallTimeout,
    ) -> Result<Value, NodeError> {
        let mut commands = Pipeline::with_capacity(2);
        commands.add_command(command(read.key, read.kind));
        ask_for_role(&mut commands);
        match <[Value; 2]>::try_from(self.read_all(&commands, keys, class, timeout).await?) {
            Ok([value, role]) => self.proven(value, &role),
            Err(_) => Err(NodeError::Unexpected),
        }
    }

    /// Reads as [`Node::read`] does, and sends `tracked` instead where the node reports changes of keys. `tracked` is the
    /// GET between the request to track its key and a `PTTL`. Returns the answer and, where its key is tracked, its
    /// origin and the answer to the `PTTL`.
    pub async fn read_tracked(
        &self,
        read: ReadCommand<'_>,
        tracked: &Pipeline,
        keys: ReadKeys<'_>,
        class: ConnectionClass,
        timeout: CallTimeout,
        must_prove: bool,
    ) -> Result<(Value, Option<(TrackedSource, Value)>), NodeError> {
        let connection = self.connection_for(keys, class);
        let source = connection.as_ref().ok().and_then(|connection| self.tracked_source(connection, must_prove));
        let Some(source) = source else {
            return self.read(read, keys, class, timeout, must_prove).await.map(|value| (value, None));
        };
        let mut with_role = None;
        if must_prove {
            ask_for_role(with_role.insert(tracked.clone()));
        }
        let tracked = with_role.as_ref().unwrap_or(tracked);
        // The key is read by the second command.
        let hashes = [0, keys.hashes.first().copied().unwrap_or_default()];
        let keys = ReadKeys { hashes: &hashes, ..keys };
        let mut answers = self.read_all_over(connection, tracked, keys, timeout).await?;
        let role = if must_prove { answers.pop() } else { None };
        let Ok([tracking, value, time_left]) = <[Value; 3]>::try_from(answers) else {
            return Err(NodeError::Unexpected);
        };
        let value = match role {
            Some(role) => self.proven(value, &role)?,
            None => value,
        };
        if let Value::ServerError(error) = &time_left {
            self.log_refused_pttl(error);
        }
        Ok((value, matches!(tracking, Value::Okay).then_some((source, time_left))))
    }

    /// Sends several reads at once and returns an answer for each, which may be a server error.
    pub async fn read_all(
        &self,
        commands: &Pipeline,
        keys: ReadKeys<'_>,
        class: ConnectionClass,
        timeout: CallTimeout,
    ) -> Result<Vec<Value>, NodeError> {
        self.read_all_over(self.connection_for(keys, class), commands, keys, timeout).await
    }

    async fn read_all_over(
        &self,
        connection: Result<Arc<OpenConnection>, NodeError>,
        commands: &Pipeline,
        keys: ReadKeys<'_>,
        timeout: CallTimeout,
    ) -> Result<Vec<Value>, NodeError> {
        self.measured_call(connection, commands.len(), async |connection| {
            let flushes = connection.flushes();
            let window = self.clients.window(keys.client, connection.number());
            let answers = connection.read_all(commands, (window, keys), &self.in_flight, timeout).await;
            self.unless_flushed(connection, flushes, answers)
        })
        .await
    }

    /// Returns an answer if the reply to [`ask_for_role`] behind it proves that the node was the master. An error needs no
    /// proof.
    pub fn proven(&self, answer: Value, role: &Value) -> Result<Value, NodeError> {
        if matches!(answer, Value::ServerError(_)) {
            return Ok(answer);
        }
        self.verify_master(role).map(|()| answer)
    }

    /// Checks the reply to [`ask_for_role`].
    pub fn verify_master(&self, role: &Value) -> Result<(), NodeError> {
        match expect_master(role) {
            Ok(()) => Ok(()),
            Err(RoleRefusal::Replica) => {
                self.investigate(&NodeError::NotMaster);
                Err(NodeError::NotMaster)
            }
            Err(RoleRefusal::NotAllowed(detail)) => {
                let consequence = "refuses WAIT, so READs with \"consistency\":\"master\" or a sync token fail, because nothing \
                                   proves that it is the master";
                self.log_missing_permissions("+wait", consequence, &detail);
                Err(NodeError::Unproven)
            }
            Err(RoleRefusal::Other(error)) => Err(NodeError::from(error)),
        }
    }

    /// Logs once that the service's user may not ask for the time that a key has left.
    fn log_refused_pttl(&self, error: &ServerError) {
        if let ReplyError::Refused { refusal: ServerRefusal::NoPermission, detail } = ReplyError::from(error)
            && detail.as_str().contains("pttl")
        {
            let consequence = "does not tell for how long keys live, so values that are read from it are not cached";
            self.log_missing_permissions("+pttl", consequence, &detail);
        }
    }

    /// Returns an answer of a replica only if the node has not dropped its data since the question was sent. A report
    /// of that arrives before any answer from the data that follows.
    fn unless_flushed<T>(
        &self,
        connection: &OpenConnection,
        flushes_before: u64,
        answer: Result<T, NodeError>,
    ) -> Result<T, NodeError> {
        if connection.flushes() != flushes_before && answer.is_ok() && self.state.load().is_replica() {
            return Err(NodeError::Flushed);
        }
        answer
    }

    /// Returns the origin of what will be read over a connection; `None` where the node reports no changes of keys.
    fn tracked_source(&self, connection: &OpenConnection, is_proven: bool) -> Option<TrackedSource> {
        let tracking = connection.tracking()?;
        let state = self.state.load();
        let covers = if is_proven {
            self.now()
        } else if state.is_replica() {
            state.replicated_up_to()
        } else {
            state.known_master_at()
        };
        Some(TrackedSource::new(self.id, tracking, covers))
    }
}
