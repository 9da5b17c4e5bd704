//! The background tasks of the store: a connection is kept for every node that there is, roles are watched in every
//! shard that there is.

use crate::store::{
    node::{NodeId, connection_task},
    shard_map::MapHandle,
    topology::TopologySource,
};
use std::{
    collections::{HashMap, HashSet},
    pin::pin,
    sync::Arc,
};
use tokio::{
    runtime::Handle,
    task::{AbortHandle, JoinError, JoinSet},
};

/// What runs for whom.
struct ConnectionTasks {
    /// Event loops that connections are spread over.
    workers: Vec<Handle>,
    running: JoinSet<()>,
    of_nodes: HashMap<NodeId, Vec<AbortHandle>>,
    /// By the shard's address in memory, which the task holds.
    of_shards: HashMap<usize, AbortHandle>,
}

/// Keeps all connections open and follows promotions until it is dropped.
pub async fn run(map: &MapHandle, source: &TopologySource, workers: Vec<Handle>) {
    let workers = if workers.is_empty() { vec![Handle::current()] } else { workers };
    let mut tasks =
        ConnectionTasks { workers, running: JoinSet::new(), of_nodes: HashMap::new(), of_shards: HashMap::new() };
    let mut layout = map.subscribe();
    let mut topology = pin!(source.run());
    loop {
        // Seen before the look, so that a change during it is looked at again.
        layout.borrow_and_update();
        tasks.reconcile(map);
        tokio::select! {
            () = &mut topology => return,
            changed = layout.changed() => if changed.is_err() { return },
            Some(ended) = tasks.running.join_next() => if let Err(error) = ended && !error.is_cancelled() {
                return report(&error);
            },
        }
    }
}

/// None of the tasks ends by itself; the defect that ended one ends the process, for it can't be served without.
fn report(error: &JoinError) {
    tracing::error!(%error, "a background task failed");
}

impl ConnectionTasks {
    /// Starts what is missing and ends what nobody needs any more.
    fn reconcile(&mut self, map: &MapHandle) {
        let map = map.load_full();
        let (mut nodes, mut shards) = (HashSet::new(), HashSet::new());
        for shard in map.connected_shards() {
            let identity = Arc::as_ptr(shard) as usize;
            shards.insert(identity);
            self.of_shards.entry(identity).or_insert_with(|| {
                let shard = Arc::clone(shard);
                self.running.spawn(async move { shard.run().await })
            });
            for node in shard.members().nodes() {
                nodes.insert(node.id);
                let (running, workers) = (&mut self.running, &self.workers);
                // Connection by connection: each worker uses the one that is kept where it runs itself.
                let keep = |number: usize| {
                    running.spawn_on(connection_task::run(Arc::clone(node), number), &workers[number % workers.len()])
                };
                self.of_nodes.entry(node.id).or_insert_with(|| (0..node.connection_count()).map(keep).collect());
            }
        }
        self.of_nodes.retain(|node, tasks| nodes.contains(node) || end(tasks));
        self.of_shards.retain(|shard, task| shards.contains(shard) || end(std::slice::from_ref(task)));
    }
}

fn end(tasks: &[AbortHandle]) -> bool {
    tasks.iter().for_each(AbortHandle::abort);
    false
}
