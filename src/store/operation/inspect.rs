//! The inspection of stored keys, for operators: read only, bounded, and apart from the operations of requests.

use crate::{
    store::{
        consistency::{LogicalTime, ReadRequirement},
        error::{NodeError, StoreError},
        node::{
            Node,
            call_timeout::{Abandon, CallTimeout},
            connection_class::ConnectionClass,
        },
        protocol::server_text,
        shard::{Attempts, Shard},
        shard_map::MapHandle,
    },
    types::{Address, Deadline, FullKey, StoredKind, WorkerArc},
};
use redis::{Cmd, Pipeline, Value};
use std::{collections::HashSet, time::Duration};
use tokio::time::{Instant, sleep};

/// Keys that one message asks about.
const KEYS_AT_ONCE: usize = 100;
/// Commands that [`ask_about`] sends for each key.
const COMMANDS: usize = 4;
/// Wait before a node that is not connected yet is tried again.
const PAUSE: Duration = Duration::from_millis(10);

/// The facts about the value of a key.
#[derive(Debug, PartialEq, Eq)]
pub struct InspectedKey {
    /// The kind of the value.
    pub kind: StoredKind,
    /// The length of the value as Redis has it; `None` where it is no string.
    pub bytes: Option<u64>,
    /// The time that the key has left to live; `None` if it never expires.
    pub ttl: Option<Duration>,
}

/// A random sample of a shard's keys.
#[derive(Debug)]
pub struct KeySample {
    /// The address of the node that was asked.
    pub node: Address,
    /// The number of all keys on the node.
    pub keys: u64,
    /// The keys that were drawn, with the facts about each.
    pub drawn: Vec<(Vec<u8>, InspectedKey)>,
}

/// Returns the master's answer about a key, or a replica's if the master does not answer within half of the time, and
/// the address of the node that answered. The caller waits until the nodes of the key's shard are known.
pub async fn inspect_key(
    map: &MapHandle,
    key: &FullKey<'_>,
    deadline: Deadline,
) -> Result<(Address, Option<InspectedKey>), StoreError> {
    let shard = map.load().route(key).shard;
    let left = deadline.instant().saturating_duration_since(Instant::now());
    let node = match connected_master(&shard, deadline.attempt(left / 2)).await {
        Ok(node) => node,
        Err(_) => reader(&shard, deadline).await?,
    };
    let mut found = ask_about(&node, &[key.as_bytes()], deadline).await.map_err(|error| shard.read_failure(error))?;
    Ok((node.address.clone(), found.pop().flatten()))
}

/// Draws up to `count` keys of a shard at random and inspects each; a replica is asked where there is one. Returns
/// `None` if no shard has the name.
pub async fn sample(
    map: &MapHandle,
    shard: &str,
    count: usize,
    deadline: Deadline,
) -> Result<Option<KeySample>, StoreError> {
    let map = map.load_full();
    let Some(shard) = map.shards().iter().find(|known| *known.name() == *shard) else { return Ok(None) };
    let node = reader(shard, deadline).await?;
    draw(&node, count, deadline).await.map(Some).map_err(|error| shard.read_failure(error))
}

/// Returns the master of a shard, once it is connected.
pub async fn connected_master(shard: &Shard, deadline: Deadline) -> Result<WorkerArc<Node>, StoreError> {
    loop {
        match shard.writer(&Attempts::default(), deadline).await {
            Err(_) if !deadline.has_passed() => sleep(PAUSE).await,
            found => return found,
        }
    }
}

/// Returns a node to read from, once one is connected.
async fn reader(shard: &Shard, deadline: Deadline) -> Result<WorkerArc<Node>, StoreError> {
    let requirement =
        ReadRequirement { hash: 0, since: LogicalTime::ZERO, strict: false, master_only: false, watch: None };
    loop {
        match shard.reader(&requirement, &Attempts::default(), deadline).await {
            Err(_) if !deadline.has_passed() => sleep(PAUSE).await,
            found => return found.map(|reader| reader.node),
        }
    }
}

/// Draws up to `count` keys of a node at random and inspects each.
async fn draw(node: &Node, count: usize, deadline: Deadline) -> Result<KeySample, NodeError> {
    let call_timeout = CallTimeout::new(deadline, Abandon::WhenHung);
    let mut size = Cmd::new();
    size.arg("DBSIZE");
    let keys = match node.call(&size, ConnectionClass::Default, call_timeout).await? {
        Value::Int(keys) => u64::try_from(keys).unwrap_or_default(),
        other => return Err(unexpected(&other)),
    };
    let mut names = HashSet::new();
    let mut left = if keys == 0 { 0 } else { count };
    while left > 0 {
        let mut draw = Pipeline::new();
        for _ in 0..left.min(KEYS_AT_ONCE) {
            draw.cmd("RANDOMKEY");
        }
        for drawn in node.call_all(&draw, ConnectionClass::Default, call_timeout).await? {
            match drawn {
                Value::BulkString(name) => drop(names.insert(name)),
                // The node has no keys any more.
                Value::Nil => {}
                other => return Err(unexpected(&other)),
            }
        }
        left = left.saturating_sub(KEYS_AT_ONCE);
    }
    let names: Vec<Vec<u8>> = names.into_iter().collect();
    let mut drawn = Vec::with_capacity(names.len());
    for some in names.chunks(KEYS_AT_ONCE) {
        let slices: Vec<&[u8]> = some.iter().map(Vec::as_slice).collect();
        let found = ask_about(node, &slices, deadline).await?;
        drawn.extend(some.iter().cloned().zip(found).filter_map(|(name, stored)| stored.map(|stored| (name, stored))));
    }
    Ok(KeySample { node: node.address.clone(), keys, drawn })
}

/// Asks a node about keys. Returns the facts about each; `None` for a key that does not exist.
async fn ask_about(node: &Node, keys: &[&[u8]], deadline: Deadline) -> Result<Vec<Option<InspectedKey>>, NodeError> {
    let mut pipeline = Pipeline::with_capacity(keys.len() * COMMANDS);
    for key in keys {
        pipeline.cmd("PTTL").arg(*key).cmd("TYPE").arg(*key).cmd("STRLEN").arg(*key);
        pipeline.cmd("GETRANGE").arg(*key).arg(0).arg(StoredKind::HEAD_BYTES - 1);
    }
    let call_timeout = CallTimeout::new(deadline, Abandon::WhenHung);
    let answers = node.call_all(&pipeline, ConnectionClass::Default, call_timeout).await?;
    answers.chunks_exact(COMMANDS).map(inspected_key).collect()
}

/// Parses the four answers about one key.
fn inspected_key(answers: &[Value]) -> Result<Option<InspectedKey>, NodeError> {
    let [ttl, kind, bytes, head] = answers else { return Err(NodeError::Unexpected) };
    let ttl = match ttl {
        Value::Int(-2) => return Ok(None),
        Value::Int(ttl_ms) => u64::try_from(*ttl_ms).ok().map(Duration::from_millis),
        other => return Err(unexpected(other)),
    };
    let kind = match kind {
        Value::SimpleString(kind) => kind.as_str(),
        other => return Err(unexpected(other)),
    };
    match (kind, bytes, head) {
        // The key expired between the questions.
        ("none", _, _) => Ok(None),
        ("string", Value::Int(bytes), Value::BulkString(head)) => {
            Ok(Some(InspectedKey { kind: StoredKind::of(head), bytes: u64::try_from(*bytes).ok(), ttl }))
        }
        ("string", Value::Int(_), other) | ("string", other, _) => Err(unexpected(other)),
        (other, _, _) => {
            Ok(Some(InspectedKey { kind: StoredKind::Other(server_text::printable(other)), bytes: None, ttl }))
        }
    }
}

/// Returns the error for an answer that the command never gives.
fn unexpected(answer: &Value) -> NodeError {
    if let Value::ServerError(error) = answer { NodeError::from(error) } else { NodeError::Unexpected }
}
