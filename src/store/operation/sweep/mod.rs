//! Sweeping a shard: finding the keys on its master that the ring gives to another shard, and deleting them. For
//! operators, apart from the operations of requests.

mod error;
mod misplaced;
mod server_identity;

pub use error::SweepError;
pub use misplaced::MisplacedKey;

use crate::{
    store::{
        error::NodeError,
        node::{Node, call_timeout::CallTimeout, connection::OpenConnection},
        operation::inspect::connected_master,
        shard::Shard,
        shard_map::{MapHandle, Routing, ShardMap},
    },
    types::{Address, Deadline, WorkerArc},
};
use misplaced::split;
use redis::{Pipeline, Value};
use server_identity::ServerIdentity;
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;

/// Wait before a step is tried again that another master, or the same one a moment later, may be able to do.
const PAUSE: Duration = Duration::from_millis(50);

/// A place in the keys of one Redis process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanPosition {
    /// The id of the process. The cursors of one process mean nothing to another one.
    pub run_id: String,
    /// The cursor to go on from; zero after the last key.
    pub cursor: u64,
}

/// A request for the next keys of a shard.
#[derive(Clone, Copy, Debug)]
pub struct ScanRequest<'a> {
    /// The pattern of the keys, in the syntax of `SCAN MATCH`; `None` for all keys.
    pub pattern: Option<&'a str>,
    /// The number of keys that the node examines.
    pub count: u32,
}

/// The keys that one step of a scan has found.
#[derive(Debug)]
pub struct ScanPage {
    /// The address of the master.
    pub node: Address,
    /// The position from which to go on.
    pub next: ScanPosition,
    /// The scan began anew, because another process answered than before.
    pub began_anew: bool,
    /// The number of keys that were found. A key can be found twice while Redis changes the size of its tables.
    pub found: u64,
    /// The keys among them that belong to another shard.
    pub misplaced: Vec<MisplacedKey>,
    /// The number of all keys on the node.
    pub keys_on_node: u64,
}

/// Returns the next keys of a shard, from its master. `from` is the position after the step before; `None` begins.
pub async fn scan(
    map: &MapHandle,
    shard: &str,
    from: Option<&ScanPosition>,
    request: &ScanRequest<'_>,
    deadline: Deadline,
) -> Result<ScanPage, SweepError> {
    let swept = SweptShard::find(map, shard)?;
    swept.retry(deadline, async || swept.scan(from, request, deadline).await).await
}

/// Deletes keys that [`scan`] has found on the process with this `run_id`. Returns the number of keys that still
/// existed. Nothing is deleted unless the same process is still the master of the shard.
pub async fn unlink(
    map: &MapHandle,
    shard: &str,
    run_id: &str,
    keys: &[MisplacedKey],
    deadline: Deadline,
) -> Result<u64, SweepError> {
    let swept = SweptShard::find(map, shard)?;
    swept.retry(deadline, async || swept.unlink(run_id, keys, deadline).await).await
}

/// A shard that is swept, and the map that says which keys belong to it.
struct SweptShard {
    map: Arc<ShardMap>,
    position: usize,
    shard: Arc<Shard>,
}

impl SweptShard {
    fn find(map: &MapHandle, name: &str) -> Result<Self, SweepError> {
        let map = map.load_full();
        let position = map.shards().iter().position(|shard| *shard.name() == *name);
        let Some(position) = position else { return Err(SweepError::UnknownShard(name.to_owned())) };
        Ok(Self { shard: Arc::clone(map.shard(position)), map, position })
    }

    /// Repeats a step until it succeeds, cannot succeed, or the deadline has passed. Each step may run twice.
    async fn retry<T>(
        &self,
        deadline: Deadline,
        step: impl AsyncFn() -> Result<T, SweepError>,
    ) -> Result<T, SweepError> {
        let mut last = None;
        loop {
            match step().await {
                Err(error) if error.may_pass() && !deadline.has_passed() => last = Some(error),
                // The deadline cut this step off; the one before says more.
                Err(error) if error.may_pass() => return Err(last.unwrap_or(error)),
                result => return result,
            }
            sleep(PAUSE).await;
        }
    }

    async fn scan(
        &self,
        from: Option<&ScanPosition>,
        request: &ScanRequest<'_>,
        deadline: Deadline,
    ) -> Result<ScanPage, SweepError> {
        let Routing::Ring(ring) = self.map.routing() else { return Err(SweepError::Cluster) };
        let (node, connection) = self.master(deadline).await?;
        let server = self.identify(&node, &connection, deadline).await?;
        let known = from.filter(|position| position.run_id == server.run_id);
        let mut commands = Pipeline::with_capacity(2);
        commands.cmd("DBSIZE").cmd("SCAN").arg(known.map_or(0, |position| position.cursor));
        commands.arg("COUNT").arg(request.count);
        if let Some(pattern) = request.pattern {
            commands.arg("MATCH").arg(pattern);
        }
        let answers = self.call(&node, &connection, &commands, deadline).await?;
        let [keys_on_node, page] = &answers[..] else { return Err(self.failure(&node, NodeError::Unexpected)) };
        let keys_on_node = count(keys_on_node).map_err(|error| self.failure(&node, error))?;
        let (cursor, keys) = parse_page(page).map_err(|error| self.failure(&node, error))?;
        let found = u64::try_from(keys.len()).unwrap_or(u64::MAX);
        Ok(ScanPage {
            node: node.address.clone(),
            began_anew: from.is_some() && known.is_none(),
            next: ScanPosition { run_id: server.run_id, cursor },
            found,
            misplaced: split(keys, ring, self.position, self.map.shards()),
            keys_on_node,
        })
    }

    async fn unlink(&self, run_id: &str, keys: &[MisplacedKey], deadline: Deadline) -> Result<u64, SweepError> {
        let (node, connection) = self.master(deadline).await?;
        let server = self.identify(&node, &connection, deadline).await?;
        if server.run_id != run_id {
            return Err(SweepError::Replaced { shard: self.shard.name() });
        }
        let mut commands = Pipeline::with_capacity(1);
        commands.cmd("UNLINK");
        for key in keys {
            commands.arg(&*key.name);
        }
        // The connection of the question ends with its process, so no other process can get this.
        let answers = self.call(&node, &connection, &commands, deadline).await?;
        answers.iter().map(count).sum::<Result<u64, _>>().map_err(|error| self.failure(&node, error))
    }

    /// Returns the master of the shard, and a connection to it.
    async fn master(&self, deadline: Deadline) -> Result<(WorkerArc<Node>, Arc<OpenConnection>), SweepError> {
        let node = connected_master(&self.shard, deadline).await.map_err(SweepError::Unavailable)?;
        let connection = node.open_connection().map_err(|error| self.failure(&node, error))?;
        Ok((node, connection))
    }

    /// Asks a node for its identity. Fails unless it calls itself a master.
    async fn identify(
        &self,
        node: &Node,
        connection: &Arc<OpenConnection>,
        deadline: Deadline,
    ) -> Result<ServerIdentity, SweepError> {
        let answers = self.call(node, connection, &ServerIdentity::question(), deadline).await?;
        let server = ServerIdentity::parse(&answers).map_err(|error| self.failure(node, error))?;
        if server.in_cluster {
            return Err(SweepError::Cluster);
        }
        if !server.is_master {
            return Err(SweepError::NoMaster { shard: self.shard.name(), node: node.address.clone() });
        }
        Ok(server)
    }

    async fn call(
        &self,
        node: &Node,
        connection: &Arc<OpenConnection>,
        commands: &Pipeline,
        deadline: Deadline,
    ) -> Result<Vec<Value>, SweepError> {
        let answers = node.call_all_over(connection, commands, CallTimeout::until(deadline)).await;
        answers.map_err(|error| self.failure(node, error))
    }

    /// Returns the meaning of a node's error for the sweep.
    fn failure(&self, node: &Node, error: NodeError) -> SweepError {
        SweepError::new(&node.address, error, |error| self.shard.read_failure(error))
    }
}

/// Reads the answer to a command that returns a number.
fn count(answer: &Value) -> Result<u64, NodeError> {
    match answer {
        Value::Int(number) => Ok(u64::try_from(*number).unwrap_or_default()),
        other => Err(unexpected(other)),
    }
}

/// Reads the answer to SCAN: the next cursor, and the keys.
fn parse_page(answer: &Value) -> Result<(u64, Vec<Vec<u8>>), NodeError> {
    let Value::Array(parts) = answer else { return Err(unexpected(answer)) };
    let [Value::BulkString(cursor), Value::Array(keys)] = &parts[..] else { return Err(NodeError::Unexpected) };
    let cursor = std::str::from_utf8(cursor).ok().and_then(|text| text.parse().ok()).ok_or(NodeError::Unexpected)?;
    let names = keys.iter().map(|key| match key {
        Value::BulkString(name) => Ok(name.clone()),
        other => Err(unexpected(other)),
    });
    Ok((cursor, names.collect::<Result<_, _>>()?))
}

/// Returns the error for an answer that the command never gives.
fn unexpected(answer: &Value) -> NodeError {
    if let Value::ServerError(error) = answer { NodeError::from(error) } else { NodeError::Unexpected }
}
