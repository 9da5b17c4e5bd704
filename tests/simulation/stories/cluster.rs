//! Stories of a Redis Cluster.

use super::Storyteller;
use crate::{
    cluster::{Migration, slot_of},
    faults::Start,
    network::Host,
    world::Ms,
};
use std::time::Duration;
use tokio::time::sleep;

/// A number beside those of shards: the claim to be the only shard without a master, so that the others can vote.
const ELECTORATE: usize = 100;
/// The time within which a cluster makes another node the master.
const FAILOVER_MAX: Ms = 3000;

impl Storyteller {
    /// Returns true if the masters of these shards may change now, and no other story of the cluster needs them.
    pub(super) fn claim(&self, shards: &[usize]) -> bool {
        self.sim.with(|world| {
            let is_free = shards.iter().all(|shard| !world.claimed.contains(shard));
            if is_free {
                world.claimed.extend(shards);
            }
            is_free
        })
    }

    pub(super) fn release(&self, shards: &[usize]) {
        self.sim.with(|world| shards.iter().for_each(|shard| _ = world.claimed.remove(shard)));
    }

    /// Returns what a story claims in which this shard loses its master: mostly no other shard loses its own meanwhile.
    fn electoral_claim(&mut self) -> Vec<usize> {
        if self.rng.chance(85) { vec![self.shard, ELECTORATE] } else { vec![self.shard] }
    }

    /// Waits until another node than this one is the master.
    async fn wait_for_election(&mut self, master: usize) {
        let end = self.sim.now() + FAILOVER_MAX;
        while self.master() == master && self.sim.now() < end {
            self.pause((10, 30)).await;
        }
    }

    /// The master dies, the cluster makes a replica the master, and the old one comes back.
    pub(super) async fn cluster_failover(&mut self) {
        let claim = self.electoral_claim();
        if !self.claim(&claim) {
            return;
        }
        let master = self.master();
        self.sim.with(|world| world.crash(master));
        self.wait_for_election(master).await;
        self.pause((200, 2000)).await;
        let start = if self.rng.chance(50) { Start::Complete } else { Start::Empty };
        self.sim.with(|world| {
            let now = world.master(self.shard);
            let start = if now == master { Start::Complete } else { start };
            world.restart(master, start, (now != master).then_some(now));
        });
        self.release(&claim);
    }

    /// Nothing passes between the master and the other nodes for a time, while instances reach all of them.
    pub(super) async fn cluster_partition(&mut self) {
        let claim = self.electoral_claim();
        if !self.claim(&claim) {
            return;
        }
        let master = self.master();
        self.set_apart(master, true);
        if self.rng.chance(70) {
            self.wait_for_election(master).await;
        }
        self.pause((0, 1500)).await;
        self.set_apart(master, false);
        self.pause((200, 1000)).await;
        self.release(&claim);
    }

    fn set_apart(&self, node: usize, apart: bool) {
        self.sim.with(|world| {
            world.note(&format!("node {node} is apart from the other nodes: {apart}"));
            for other in (0..world.stranger).filter(|other| *other != node) {
                world.set_silent(Host::Node(node), Host::Node(other), apart);
            }
        });
    }

    /// The operator has the master hand over to a replica (`CLUSTER FAILOVER`).
    pub(super) async fn cluster_switch(&mut self) {
        if self.claim(&[self.shard]) {
            self.hand_over().await;
            self.release(&[self.shard]);
        }
    }

    async fn hand_over(&mut self) {
        let (master, replica) = (self.master(), self.replica());
        self.sim.with(|world| world.pause_writes(master, 1000));
        loop {
            self.pause((1, 60)).await;
            let has_all = self.sim.with(|world| {
                let (old, new) = (&world.nodes[master], &world.nodes[replica]);
                new.data.offset == old.data.offset && new.data.replid == old.data.replid
            });
            let is_paused = self.sim.with(|world| world.nodes[master].pauses_writes);
            if !is_paused {
                return;
            }
            if has_all {
                break;
            }
        }
        self.sim.with(|world| world.fail_over(replica));
        self.pause((200, 400)).await;
    }

    /// The operator moves the slot of a key to another shard. The source may be lost meanwhile, and comes back with all its
    /// data.
    pub(super) async fn slot_move(&mut self) {
        let drawn = self.rng.next();
        let found = self.sim.with(|world| {
            let keys = &world.truth.keys;
            let slot = slot_of(&keys[usize::try_from(drawn % keys.len() as u64).expect("small")]);
            let source = world.owner_of(slot)?;
            let others: Vec<usize> = (0..world.truth.current.len()).filter(|shard| *shard != source).collect();
            let target = others[usize::try_from(drawn >> 32).expect("small") % others.len()];
            Some(Migration { slot, source, target, began: world.now })
        });
        let Some(migration) = found else { return };
        let shards = [migration.source, migration.target];
        if !self.claim(&shards) {
            return;
        }
        self.sim.with(|world| world.stays_master.extend(shards));
        let masters_live =
            self.sim.with(|world| shards.iter().all(|shard| world.nodes[world.master(*shard)].is_serving()));
        if masters_live {
            self.move_slot(migration).await;
        }
        self.sim.with(|world| shards.iter().for_each(|shard| _ = world.stays_master.remove(shard)));
        self.release(&shards);
    }

    async fn move_slot(&mut self, migration: Migration) {
        let source = self.sim.with(|world| world.master(migration.source));
        self.sim.with(|world| world.begin_import(migration));
        self.pause((0, 50)).await;
        self.sim.with(|world| world.begin_migration(migration));
        self.pause((5, 600)).await;
        if self.rng.chance(40) {
            let duration = self.rng.range((1, 100));
            self.sim.with(|world| world.refuse_slot(migration, duration));
            sleep(Duration::from_millis(duration)).await;
        }
        // The source answers nobody while keys move.
        self.sim.with(|world| world.set_stopped(source, true));
        self.pause((1, 30)).await;
        self.sim.with(|world| {
            world.migrate_keys(migration);
            world.set_stopped(source, false);
        });
        self.pause((5, 600)).await;
        if self.rng.chance(30) {
            self.sim.with(|world| world.crash(source));
            self.pause((50, 1500)).await;
            self.sim.with(|world| world.restart(source, Start::Complete, None));
            self.pause((100, 500)).await;
        }
        self.sim.with(|world| world.finish_migration(migration));
        self.pause((200, 400)).await;
    }
}
