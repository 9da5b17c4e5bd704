//! A model of a Redis node: about twenty commands, replication by offsets, and reports of changed keys.

mod commands;
mod info;
mod replication;
pub mod resp;
mod sessions;

pub use commands::{CHANGE_BYTES, Outcome};
pub use sessions::Session;

use crate::{cluster::ClusterNode, rng::Rng, sentinel::Sentinel, world::Ms};
use cachefront::types::Address;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A change of a key, as the command that made it.
#[derive(Clone, Debug)]
pub struct Change {
    pub key: Arc<str>,
    /// The number of the value; `None` for a deletion.
    pub value: Option<u32>,
    pub expires_at: Option<Ms>,
    /// The instance whose command it was.
    pub instance: usize,
}

/// A change at its position in a replication history.
#[derive(Clone, Debug)]
pub struct Applied {
    /// `None` for the regular PING of a master to its replicas.
    pub change: Option<Change>,
    /// The time at which the master made the change.
    pub time: Ms,
    /// The offset of the history behind the change.
    pub end: u64,
}

/// The data of a node, with the history that led to it.
#[derive(Clone, Default)]
pub struct Data {
    pub values: BTreeMap<Arc<str>, Change>,
    pub history: Vec<Applied>,
    pub replid: u64,
    /// The id of the history that this one continues, and the offset at which it left that one.
    pub replid2: Option<(u64, u64)>,
    pub offset: u64,
}

impl Data {
    /// Adds a change.
    pub fn write(&mut self, applied: Applied) {
        self.offset = applied.end;
        if let Some(change) = &applied.change {
            match change.value {
                Some(_) => self.values.insert(change.key.clone(), change.clone()),
                None => self.values.remove(&change.key),
            };
        }
        self.history.push(applied);
    }

    /// Returns the value of a key that has not expired.
    pub fn value(&self, key: &str, now: Ms) -> Option<&Change> {
        self.values.get(key).filter(|change| change.expires_at.is_none_or(|expires_at| now < expires_at))
    }
}

/// The connection of a replica to its master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MasterLink {
    pub master: usize,
    pub is_up: bool,
    /// The time at which the link was lost; `None` if it never was up.
    pub down_since: Option<Ms>,
    /// The number of the attempt; a later attempt ends an earlier one.
    pub session: u64,
}

/// A replica that is connected to a node.
#[derive(Clone, Debug)]
pub struct Attached {
    pub node: usize,
    pub session: u64,
    pub acknowledged: u64,
    /// The time at which the last message to it arrives.
    pub last_sent: Ms,
}

/// A client that waits for replicas.
#[derive(Clone, Debug)]
struct Waiter {
    connection: usize,
    offset: u64,
    replicas: usize,
}

/// A node.
#[expect(clippy::struct_excessive_bools, reason = "each one is a mode of its own")]
pub struct Node {
    /// The random numbers of the node's replication and of its cluster.
    pub rng: Rng,
    pub address: Address,
    pub shard: usize,
    pub is_alive: bool,
    /// Suspended by a signal: the kernel takes connections and bytes, and nothing is answered.
    pub is_stopped: bool,
    /// Reading its data from a file, or a master's copy.
    pub is_loading: bool,
    /// Grows with every start.
    pub incarnation: u64,
    /// The user may not use `INFO` if this is false.
    pub allows_info: bool,
    /// The state of a sentinel; `None` for a node that keeps data.
    pub sentinel: Option<Box<Sentinel>>,
    /// The process has run `REPLICAOF`.
    pub ran_replicaof: bool,
    /// The state of a node of a cluster; `None` outside one.
    pub cluster: Option<Box<ClusterNode>>,
    /// Clients wait with their changes.
    pub pauses_writes: bool,
    pub data: Data,
    /// `None` for a master.
    pub link: Option<MasterLink>,
    pub attached: Vec<Attached>,
    /// The data that a restart finds.
    pub file: Option<Data>,
    /// The branch that the node writes to while it is a master.
    pub branch: Option<usize>,
    /// Things that wait until the node is not stopped any more.
    stopped_events: Vec<crate::world::Event>,
    /// The copy of the master's data that is being loaded, and the session of the link that it came over.
    copy: Option<(u64, Data)>,
    /// Changes that arrived while a copy was being loaded.
    pending: Vec<Applied>,
    waiters: Vec<Waiter>,
    /// The connections that are told of changes of each key.
    tracked: BTreeMap<String, BTreeSet<usize>>,
}

impl Node {
    pub fn new(rng: Rng, address: Address, shard: usize) -> Self {
        Self {
            rng,
            address,
            shard,
            is_alive: true,
            is_stopped: false,
            is_loading: false,
            incarnation: 0,
            allows_info: true,
            sentinel: None,
            ran_replicaof: false,
            cluster: None,
            pauses_writes: false,
            data: Data::default(),
            link: None,
            attached: Vec::new(),
            file: None,
            branch: None,
            stopped_events: Vec::new(),
            copy: None,
            pending: Vec::new(),
            waiters: Vec::new(),
            tracked: BTreeMap::new(),
        }
    }

    /// Ends the process.
    pub fn die(&mut self) {
        (self.is_alive, self.is_stopped, self.is_loading) = (false, false, false);
        (self.pauses_writes, self.ran_replicaof) = (false, false);
        self.incarnation += 1;
        self.stopped_events.clear();
        self.pending.clear();
        self.tracked.clear();
    }

    pub fn is_master(&self) -> bool {
        self.link.is_none()
    }

    /// Returns true if the node answers commands.
    pub fn is_serving(&self) -> bool {
        self.is_alive && !self.is_stopped && !self.is_loading
    }
}
