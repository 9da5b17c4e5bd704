//! The background tasks of the store: one for each connection to a node, and one that follows each shard's master.

use crate::store::{
    node::{NodeId, connection_task},
    shard::Shard,
    shard_map::MapHandle,
    topology::source::TopologySource,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    sync::Arc,
};
use tokio::{
    runtime::Handle,
    task::{AbortHandle, JoinSet},
};

/// The running tasks of all shards and nodes.
struct BackgroundTasks {
    /// The event loops over which connections are spread.
    workers: Vec<Handle>,
    /// All running tasks.
    running: JoinSet<()>,
    /// The connection tasks of each node. Nodes are in a fixed order, so that a simulation can be repeated.
    by_node: BTreeMap<NodeId, Vec<AbortHandle>>,
    /// The task of each shard.
    by_shard: Vec<(Arc<Shard>, AbortHandle)>,
}

/// Keeps all connections open and follows changes of masters and of the topology until the future is dropped.
///
/// It returns only if a background task has panicked. The caller ends the process then, which cannot serve without the
/// task.
pub async fn run(map: &MapHandle, source: &TopologySource, workers: Vec<Handle>) {
    let mut tasks = BackgroundTasks::new(workers);
    let mut node_set = map.subscribe();
    let mut topology = pin!(source.run());
    loop {
        // A change is marked as seen before the map is read, so that a change in between starts another round.
        node_set.mark_seen();
        tasks.reconcile(map);
        tokio::select! {
            biased;
            () = &mut topology => return,
            () = node_set.changed() => {}
            Some(ended) = tasks.running.join_next() => if let Err(error) = ended && !error.is_cancelled() {
                tracing::error!(%error, "a background task of the store failed: {error}");
                return;
            },
        }
    }
}

impl BackgroundTasks {
    /// Prepares the tasks; without workers all of them run on the current event loop.
    fn new(workers: Vec<Handle>) -> Self {
        let workers = if workers.is_empty() { vec![Handle::current()] } else { workers };
        Self { workers, running: JoinSet::new(), by_node: BTreeMap::new(), by_shard: Vec::new() }
    }

    /// Starts the tasks of new shards and nodes, and aborts those of removed ones.
    fn reconcile(&mut self, map: &MapHandle) {
        let map = map.load_full();
        let mut nodes = BTreeSet::new();
        for shard in map.connected_shards() {
            if !self.by_shard.iter().any(|(known, _)| Arc::ptr_eq(known, shard)) {
                let running = Arc::clone(shard);
                let task = self.running.spawn(async move { running.run().await });
                self.by_shard.push((Arc::clone(shard), task));
            }
            nodes.extend(self.start_connections(shard));
        }
        self.by_node.retain(|node, tasks| {
            let is_present = nodes.contains(node);
            if !is_present {
                tasks.iter().for_each(AbortHandle::abort);
            }
            is_present
        });
        self.by_shard.retain(|(shard, task)| {
            let is_present = map.connected_shards().any(|present| Arc::ptr_eq(present, shard));
            if !is_present {
                task.abort();
            }
            is_present
        });
    }

    /// Starts the connection tasks of the shard's new nodes. Returns the ids of all its nodes.
    fn start_connections(&mut self, shard: &Shard) -> Vec<NodeId> {
        let mut ids = Vec::new();
        for node in shard.members().nodes() {
            ids.push(node.id);
            self.by_node.entry(node.id).or_insert_with(|| {
                let mut tasks = Vec::new();
                for number in 0..node.connection_count() {
                    // A worker uses the connections whose tasks run on its own event loop.
                    let worker = &self.workers[number % self.workers.len()];
                    tasks.push(self.running.spawn_on(connection_task::run(Arc::clone(node), number), worker));
                }
                tasks
            });
        }
        ids
    }
}
