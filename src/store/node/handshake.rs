//! The first steps over a new connection: a connection is used only after the node has said what it is.

use super::{
    call_timeout::CallTimeout,
    connect::ConnectError,
    connection::OpenConnection,
    login::LoginChanges,
    mode_task,
    probe::probe,
    redis_node::Node,
    resolver::ConnectionResolver,
    state::NodeState,
    tracking::{FlushHandler, Tracking},
};
use crate::{
    store::{
        error::NodeError,
        protocol::{
            refusal::ServerRefusal,
            reply::{self, ReplyError},
            server_text::ServerText,
        },
    },
    types::{Deadline, error_chain},
};
use redis::{Cmd, Pipeline};
use std::{sync::Arc, time::Duration};
use tokio::{sync::Notify, time::timeout};

/// Interval at which a login is tried again that a node has refused: a rotation may reach the settings before Redis.
const LOGIN_RETRY_INTERVAL: Duration = Duration::from_secs(2);

/// Opens a connection to a node and probes it: a replica may not have its master's data yet. Returns the connection,
/// its resolver, and the changes of the login since then.
pub async fn open(node: &Arc<Node>) -> Result<(OpenConnection, ConnectionResolver, LoginChanges), ConnectError> {
    node.state.update(NodeState::mark_outdated);
    let (ended, resolver) = (Arc::new(Notify::new()), node.endpoint.resolver());
    let tracking = Arc::new(Tracking::new(node.context.on_invalidation.as_ref(), flush_handler(node)));
    let opened = node.endpoint.connect_tracked(&resolver, &ended, Arc::clone(&tracking)).await;
    let (connection, login) = opened.inspect_err(|_| node.forget_mode())?;
    let login_changes = node.endpoint.login().changes_since(&login);
    let connection = OpenConnection::new(connection, node.config.attempt_timeout, ended);
    let deadline = Deadline::within(node.config.connect_timeout);
    let refusal = enable_tracking(&connection, deadline).await?;
    probe(node, &connection, deadline).await.map_err(|cause| match cause {
        NodeError::WrongMode(mode) => ConnectError::WrongMode(mode),
        cause => ConnectError::Handshake { command: "INFO replication", cause },
    })?;
    if let Some(refusal) = &refusal {
        refusal.log(node);
    }
    let tracking = refusal.is_none().then_some(tracking);
    if node.cluster_mode.is_read_only() && node.state.load().is_replica() {
        let switched = mode_task::switch(node, &connection, true, deadline).await;
        switched.map_err(|cause| ConnectError::Handshake { command: "READONLY", cause })?;
    }
    Ok((connection.with_tracking(tracking), resolver, login_changes))
}

/// Returns the handler of reports that the node has dropped all its data. A connection must not keep its node.
fn flush_handler(node: &Arc<Node>) -> FlushHandler {
    let node = Arc::downgrade(node);
    Box::new(move || {
        if let Some(node) = node.upgrade() {
            node.on_flush();
        }
    })
}

/// The reason why a node does not report changes: nothing that is read from it is cached, and only a probe tells that a
/// replica follows another master.
pub(super) struct TrackingRefusal {
    /// The permissions that the service's user lacks, as ACL rules have them; `None` for any other reason.
    missing: Option<&'static str>,
    detail: ServerText,
}

impl TrackingRefusal {
    /// Logs the reason, as a warning only where values would be cached.
    pub(super) fn log(&self, node: &Node) {
        let (address, detail) = (&node.address, &self.detail);
        match self.missing {
            Some(missing) if node.context.on_invalidation.is_some() => {
                node.log_missing_permissions(
                    missing,
                    "does not report changes of keys, so its values are not cached",
                    detail,
                );
            }
            None if node.context.on_invalidation.is_some() => {
                tracing::warn!(node = %address, %detail, "node {address} refused CLIENT TRACKING: {detail}; its values are not cached");
            }
            _ => tracing::debug!(
                node = %address, %detail,
                "node {address} refused CLIENT TRACKING: only a probe tells that it has dropped its data"
            ),
        }
    }
}

/// Asks the node to report changes of the keys that it is asked to track, and the loss of all its data. Returns the reason
/// if the node cannot, or if its user may not.
pub(super) async fn enable_tracking(
    connection: &OpenConnection,
    deadline: Deadline,
) -> Result<Option<TrackingRefusal>, ConnectError> {
    let mut commands = Pipeline::with_capacity(2);
    commands.cmd("CLIENT").arg("TRACKING").arg("ON").arg("OPTIN");
    // A user may be allowed one command and not the other.
    commands.cmd("CLIENT").arg("CACHING").arg("YES");
    let answers = connection.call_all(&commands, CallTimeout::until(deadline)).await;
    let handshake_error = |cause| ConnectError::Handshake { command: "CLIENT TRACKING", cause };
    let answers = answers.map_err(handshake_error)?;
    let mut refusals = Vec::with_capacity(answers.len());
    for answer in &answers {
        refusals.push(match reply::expect_ok(answer) {
            Ok(()) => None,
            Err(ReplyError::Refused {
                refusal: refusal @ (ServerRefusal::NoPermission | ServerRefusal::Generic),
                detail,
            }) => Some((refusal, detail)),
            // Any other error is temporary, and worth another connection.
            Err(error) => return Err(handshake_error(error.into())),
        });
    }
    let lacks = |number: usize| matches!(refusals.get(number), Some(Some((ServerRefusal::NoPermission, _))));
    let missing = match (lacks(0), lacks(1)) {
        (true, true) => Some("+client|tracking +client|caching"),
        (true, false) => Some("+client|tracking"),
        (false, true) => Some("+client|caching"),
        (false, false) => None,
    };
    Ok(refusals.into_iter().flatten().next().map(|(_, detail)| TrackingRefusal { missing, detail }))
}

/// Logs in again over an open connection whenever the user or the password is replaced. A node that refuses leaves the
/// connection as it was, and is asked again. Never returns.
pub async fn follow_login(node: &Node, number: usize, connection: &OpenConnection, mut changes: LoginChanges) {
    let mut refusal_logged = false;
    loop {
        let (login, command) = changes.next().await;
        let (address, shard) = (&node.address, node.shard_context().name.get());
        match send(connection, &command, Deadline::within(node.config.connect_timeout)).await {
            Ok(()) => {
                changes.accept(login);
                // One message stands for all connections of the node.
                if number == 0 || refusal_logged {
                    tracing::info!(
                        node = %address, %shard, number,
                        "node {address} of shard \"{shard}\" accepted the changed login"
                    );
                }
                refusal_logged = false;
            }
            Err(error) => {
                if !refusal_logged {
                    let error = error_chain(&error);
                    tracing::warn!(
                        node = %address, %shard, number, error,
                        "node {address} of shard \"{shard}\" refused the changed login: {error}; connection {number} keeps \
                         the earlier one and tries again"
                    );
                    refusal_logged = true;
                }
                // The next attempt follows after the interval, or with another login.
                let _changed = timeout(LOGIN_RETRY_INTERVAL, changes.changed()).await;
            }
        }
    }
}

/// Sends a command that is answered with `OK`.
async fn send(connection: &OpenConnection, command: &Cmd, deadline: Deadline) -> Result<(), NodeError> {
    Ok(reply::expect_ok(&connection.call(command, CallTimeout::until(deadline)).await?)?)
}
