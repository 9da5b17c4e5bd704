//! The first steps over a new connection: a connection is used only after the node has said what it is.

use super::{
    connect::ConnectError,
    connection::{CallTimeout, OpenConnection},
    probe::probe,
    redis_node::Node,
    resolver::ResolvedAddresses,
    state::NodeState,
    tracking::Tracking,
};
use crate::{
    store::{
        error::NodeError,
        protocol::{refusal::ServerRefusal, reply},
    },
    types::Deadline,
};
use redis::Cmd;
use std::sync::Arc;
use tokio::sync::Notify;

/// Opens a connection to a node and probes it: a replica may not have its master's data yet. Returns the connection,
/// and the addresses that the node's name had.
pub async fn open(node: &Node) -> Result<(OpenConnection, ResolvedAddresses), ConnectError> {
    node.state.update(NodeState::mark_outdated);
    let (ended, addresses) = (Arc::new(Notify::new()), ResolvedAddresses::default());
    let tracking = node.context.on_invalidation.as_ref().map(|on_key| Arc::new(Tracking::new(on_key)));
    let connection = node.endpoint.connect_tracked(&addresses, &ended, tracking.clone()).await?;
    let connection = OpenConnection::new(connection, node.config.attempt_timeout, ended);
    let deadline = Deadline::within(node.config.connect_timeout);
    if node.shard_context().in_cluster() {
        // A replica of a Redis Cluster redirects reads to its master unless it is told otherwise.
        let readonly = send(&connection, &redis::cmd("READONLY"), deadline).await;
        readonly.map_err(|cause| ConnectError::Handshake { command: "READONLY", cause })?;
    }
    let tracking = match tracking {
        Some(tracking) if enable_tracking(node, &connection, deadline).await? => Some(tracking),
        _ => None,
    };
    let probed = probe(node, &connection, deadline).await;
    probed.map_err(|cause| ConnectError::Handshake { command: "INFO replication", cause })?;
    Ok((connection.with_tracking(tracking), addresses))
}

/// Asks the node to report changes of the keys that it is asked to track. Returns false if the node cannot, or if its
/// user may not: then nothing that is read from it is cached.
async fn enable_tracking(node: &Node, connection: &OpenConnection, deadline: Deadline) -> Result<bool, ConnectError> {
    let (mut tracking, mut caching) = (redis::cmd("CLIENT"), redis::cmd("CLIENT"));
    tracking.arg("TRACKING").arg("ON").arg("OPTIN");
    // A user may be allowed one command and not the other.
    caching.arg("CACHING").arg("YES");
    let enabled = match send(connection, &tracking, deadline).await {
        Ok(()) => send(connection, &caching, deadline).await,
        refused => refused,
    };
    match enabled {
        Ok(()) => Ok(true),
        // Any other error is temporary, and worth another connection.
        Err(NodeError::Refused { refusal: ServerRefusal::NoPermission | ServerRefusal::Generic, detail }) => {
            let node = &node.address;
            tracing::warn!(%node, detail, "node {node} refused CLIENT TRACKING: its values are not cached");
            Ok(false)
        }
        Err(cause) => Err(ConnectError::Handshake { command: "CLIENT TRACKING", cause }),
    }
}

/// Sends a command that is answered with `OK`.
async fn send(connection: &OpenConnection, command: &Cmd, deadline: Deadline) -> Result<(), NodeError> {
    Ok(reply::expect_ok(&connection.call(command, CallTimeout::until(deadline)).await?)?)
}
