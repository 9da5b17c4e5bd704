//! The switches between the modes of the connections to a node of a Redis Cluster.
//!
//! A replica answers reads only over a connection in the mode `READONLY`; otherwise it redirects them to its master. A
//! connection to a master is never in that mode: when the master is demoted, it redirects what it would else answer with
//! its old data. The election of the shard decides which nodes are read as replicas, and the task of each connection
//! follows that.

use super::{
    connection::{CallTimeout, OpenConnection},
    redis_node::Node,
};
use crate::{
    store::{error::NodeError, protocol::reply},
    types::Deadline,
};

/// Keeps a connection in the mode that its node's connections are to have. Returns when the connection cannot be used
/// any more.
pub async fn follow(node: &Node, connection: &OpenConnection) {
    let mut mode = node.cluster_mode.subscribe();
    loop {
        let read_only = *mode.borrow_and_update();
        let deadline = Deadline::within(node.config.connect_timeout.max(connection.hung_after() * 2));
        if read_only != connection.is_read_only() && switch(node, connection, read_only, deadline).await.is_err() {
            return;
        }
        if mode.changed().await.is_err() {
            return;
        }
    }
}

/// Switches the mode of a connection. A node that refuses the mode `READONLY` is not read as a replica.
pub async fn switch(
    node: &Node,
    connection: &OpenConnection,
    read_only: bool,
    deadline: Deadline,
) -> Result<(), NodeError> {
    if read_only {
        // Reads that only the owner of their slot may answer have to know of it before the command is sent.
        connection.set_read_only(true);
    }
    let command = redis::cmd(if read_only { "READONLY" } else { "READWRITE" });
    let answer = connection.call(&command, CallTimeout::until(deadline)).await;
    let is_refused = match answer.and_then(|answer| Ok(reply::expect_ok(&answer)?)) {
        Err(NodeError::Refused { detail, .. }) if read_only => {
            let address = &node.address;
            tracing::warn!(node = %address, detail, "node {address} refused READONLY: {detail}; no replica reads go to it");
            true
        }
        answer => {
            answer?;
            false
        }
    };
    connection.set_read_only(read_only && !is_refused);
    if read_only && node.state.update(|state| state.set_refuses_replica_reads(is_refused)) {
        node.shard_context().notify_changed();
    }
    Ok(())
}
