//! The question for the offset that a master has reached after changes. It is sent soon after a change was answered, so
//! that a replica can be known to have the change long before the next probe.

use super::{call_timeout::CallTimeout, connection::OpenConnection, redis_node::Node, replication::ReplicationInfo};
use crate::types::Deadline;

/// Asks the node for its offset whenever that is due, and records the answer. Never returns.
pub async fn ask_when_requested(node: &Node, connection: &OpenConnection) {
    loop {
        node.offset_request.due().await;
        if node.has_replicas() {
            ask(node, connection).await;
        }
    }
}

async fn ask(node: &Node, connection: &OpenConnection) {
    // Taken before the question is sent: the answer covers everything that was acknowledged until then.
    let asked_at = node.now();
    let mut question = redis::cmd("INFO");
    question.arg("replication");
    let timeout = CallTimeout::until(Deadline::within(connection.hung_after() * 2));
    // A node that does not answer is probed anyway.
    let Ok(answer) = connection.call(&question, timeout).await else { return };
    let Some(info) = ReplicationInfo::parse(&answer) else { return };
    if info.is_master() && node.state().is_master_of(&info.replication_id) {
        node.shard_context().progress.record_master_offset(&info.replication_id, asked_at, info.offset);
    } else {
        node.request_probe();
    }
}
