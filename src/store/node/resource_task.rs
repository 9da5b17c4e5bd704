//! The question for the memory and the keys of a node's process.

use super::{call_timeout::CallTimeout, connection::OpenConnection, redis_node::Node, resources::NodeResources};
use crate::types::Deadline;
use redis::Pipeline;
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;

/// Time between two questions.
const INTERVAL: Duration = Duration::from_secs(5);

/// Asks the node's process every few seconds, and forgets the last answer when the connection ends. Never returns.
pub async fn ask_regularly(node: &Node, connection: &OpenConnection) {
    // A simulated node has no memory, and the questions would change the course of each simulation.
    if node.context.simulation.is_some() {
        return std::future::pending().await;
    }
    let _known = KnownResources(node);
    loop {
        let mut questions = Pipeline::with_capacity(3);
        questions.cmd("INFO").arg("memory").cmd("INFO").arg("stats").cmd("INFO").arg("keyspace");
        let timeout = CallTimeout::until(Deadline::within(connection.hung_after() * 2));
        // A node that does not answer is noticed by the probe.
        if let Ok(answers) = connection.call_all(&questions, timeout).await
            && let [memory, stats, keyspace] = &answers[..]
        {
            node.resources.store(NodeResources::parse(memory, stats, keyspace).map(Arc::new));
        }
        sleep(INTERVAL).await;
    }
}

/// Forgets what is known of the process on drop: the next connection may lead to another one.
struct KnownResources<'n>(&'n Node);

impl Drop for KnownResources<'_> {
    fn drop(&mut self) {
        self.0.resources.store(None);
    }
}
