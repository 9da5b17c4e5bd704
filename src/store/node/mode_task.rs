//! The switches between the modes of the connections to a node of a Redis Cluster.
//!
//! A replica answers reads only over a connection in the mode `READONLY`; otherwise it redirects them to its master. A
//! connection to a master is never in that mode: when the master is demoted, it redirects what it would else answer with
//! its old data. The election of the shard decides which nodes are read as replicas, and the task of each connection
//! follows that.

use super::{call_timeout::CallTimeout, connection::OpenConnection, redis_node::Node};
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
        if switch(node, connection, read_only, deadline).await.is_err() {
            return;
        }
        if mode.changed().await.is_err() {
            return;
        }
    }
}

/// Switches the mode of a connection, if it is another one. A node that refuses the mode `READONLY` is not read as a
/// replica.
pub async fn switch(
    node: &Node,
    connection: &OpenConnection,
    read_only: bool,
    deadline: Deadline,
) -> Result<(), NodeError> {
    // Calls that depend on the mode are answered before, or begin after the switch.
    let mut mode = connection.read_only().write().await;
    if *mode == read_only {
        return Ok(());
    }
    let command = redis::cmd(if read_only { "READONLY" } else { "READWRITE" });
    let answer = connection.call(&command, CallTimeout::until(deadline)).await;
    let is_refused = match answer.and_then(|answer| Ok(reply::expect_ok(&answer)?)) {
        Err(NodeError::Refused { detail, .. }) if read_only => {
            let address = &node.address;
            tracing::warn!(node = %address, %detail, "node {address} refused READONLY: {detail}; no replica reads go to it");
            true
        }
        answer => {
            answer?;
            false
        }
    };
    *mode = read_only && !is_refused;
    if read_only && node.state.update(|state| state.set_refuses_replica_reads(is_refused)) {
        node.shard_context().notify_changed();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::node::{connection_class::ConnectionClass, pool::ConnectionState};
    use redis::Pipeline;
    use std::{
        sync::{Arc, Mutex},
        time::Duration,
    };
    use tokio::{
        io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, duplex},
        time::timeout,
    };

    /// Time after which the node answers a command.
    const ANSWERS_AFTER: Duration = Duration::from_millis(10);

    /// The names of the commands that a node has received.
    type Received = Arc<Mutex<Vec<String>>>;

    /// Answers every command with `OK`. Each command has no arguments.
    async fn answer(stream: DuplexStream, received: Received) {
        let (lines, mut answers) = tokio::io::split(stream);
        let mut lines = BufReader::new(lines).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if line.starts_with(|first: char| first.is_ascii_uppercase()) {
                received.lock().expect("no panic").push(line);
                tokio::time::sleep(ANSWERS_AFTER).await;
                answers.write_all(b"+OK\r\n").await.expect("the stream is open");
            }
        }
    }

    /// Returns a node with a connection in the mode `READONLY`, and the commands that the node receives.
    async fn read_only() -> (Arc<Node>, Arc<OpenConnection>, Received) {
        let (node, received) = (Node::unconnected(1), Received::default());
        let (near, far) = duplex(4096);
        tokio::spawn(answer(far, Arc::clone(&received)));
        let connection = OpenConnection::over(near);
        node.set_connection_state(0, ConnectionState::Up(Arc::clone(&connection)));
        switch(&node, &connection, true, deadline()).await.expect("it is switched");
        (node, connection, received)
    }

    fn deadline() -> Deadline {
        Deadline::within(Duration::from_secs(1))
    }

    /// Sends a read that only the owner of its slot may answer.
    async fn read_as_owner(node: &Node) -> Result<Vec<redis::Value>, NodeError> {
        let mut read = Pipeline::new();
        read.cmd("GET");
        node.call_all_as_owner(&read, ConnectionClass::Default, CallTimeout::until(deadline())).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_as_owner_does_not_undo_a_switch_at_the_same_time() {
        let (node, connection, received) = read_only().await;
        // The caller of the read goes away before the answer comes.
        let abandoned = timeout(ANSWERS_AFTER / 2, read_as_owner(&node));
        let (switched, answer) = tokio::join!(switch(&node, &connection, false, deadline()), abandoned);
        switched.expect("it is switched");
        assert!(answer.is_err());
        read_as_owner(&node).await.expect("an answer");
        assert_eq!(*received.lock().expect("no panic"), ["READONLY", "READWRITE", "GET"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_switch_waits_for_a_read_as_owner() {
        let (node, connection, received) = read_only().await;
        let (answer, switched) = tokio::join!(read_as_owner(&node), switch(&node, &connection, false, deadline()));
        assert_eq!(answer.expect("an answer").len(), 1);
        switched.expect("it is switched");
        let expected = ["READONLY", "READWRITE", "GET", "READONLY", "READWRITE"];
        assert_eq!(*received.lock().expect("no panic"), expected);
    }
}
