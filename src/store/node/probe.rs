//! The probe: a node is asked for its role and its replication offset, and the answer becomes its state.

use super::{
    call_timeout::CallTimeout,
    connection::OpenConnection,
    redis_node::Node,
    replication::{NodeProcess, ReplicationInfo, ReplicationRole},
};
use crate::{
    store::{
        error::NodeError,
        protocol::{refusal::ServerRefusal, reply},
    },
    types::Deadline,
};
use redis::{Pipeline, Value};

/// Probes the node over a connection.
pub async fn probe(node: &Node, connection: &OpenConnection, deadline: Deadline) -> Result<(), NodeError> {
    let mut questions = Pipeline::with_capacity(4);
    // A node that is loading its data answers INFO but refuses PING.
    questions.cmd("PING").cmd("INFO").arg("replication");
    if connection.process().is_none() {
        // Redis 6 returns one section at a time.
        questions.cmd("INFO").arg("server").cmd("INFO").arg("commandstats");
    }
    let (asked_at, flushes) = (node.now(), node.state.load().flushes());
    let answers = connection.call_all(&questions, CallTimeout::until(deadline)).await?;
    node.record_probe_duration(node.now().since(asked_at));
    let (ping, info) = match &answers[..] {
        [ping, info] => (ping, info),
        [ping, info, server, commands] => {
            let process = NodeProcess::parse(server, commands);
            node.check_mode(process.mode)?;
            connection.record_process(process);
            (ping, info)
        }
        _ => return Err(NodeError::Unexpected),
    };
    if let Value::ServerError(error) = info
        && !matches!(NodeError::from(error).refusal(), Some(ServerRefusal::NoPermission | ServerRefusal::Generic))
    {
        // A node that is busy with a script tells nothing new; its user may ask all the same.
        return Ok(());
    }
    let (loading, process) = (reply::is_loading(ping), connection.process().cloned().unwrap_or_default());
    // A user who may not use INFO gets no answer.
    let answer =
        ReplicationInfo::parse(info).map(|info| ReplicationInfo { flushes, loading, ..info.of_process(&process) });
    let was_master = node.state.load().role() == Some(ReplicationRole::Master);
    let effect = node.state.update(|state| state.record_answer(answer, asked_at, &node.shard_context().progress));
    if effect.role_changed {
        log_role(node);
        if was_master && node.state.load().is_replica() {
            node.endpoint.lookups.request();
        }
        node.shard_context().request_cluster_refresh();
    }
    if effect.role_hidden {
        log_hidden_role(node);
    }
    if effect.changed {
        node.shard_context().notify_changed();
    }
    Ok(())
}

/// Logs, once, that the node does not tell its role.
fn log_hidden_role(node: &Node) {
    let (address, shard) = (&node.address, node.shard_context().name.get());
    tracing::warn!(
        node = %address, %shard,
        "node {address} of shard \"{shard}\" refuses INFO, so that its role is unknown: it is not read as a replica; \
         allow INFO to the service's Redis user"
    );
}

fn log_role(node: &Node) {
    let role = match node.state.load().role() {
        None => "node of unknown role",
        Some(ReplicationRole::Master) => "master",
        Some(ReplicationRole::Replica { synced: false, .. }) => "replica that has no data yet",
        Some(ReplicationRole::Replica { down_for: Some(_), .. }) => "replica that has lost its master",
        Some(ReplicationRole::Replica { .. }) => "replica",
    };
    let shard = node.shard_context().name.get();
    tracing::info!(node = %node.address, %shard, role, "node {} of shard \"{shard}\" is a {role}", node.address);
}
