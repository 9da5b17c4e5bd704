//! Stories of sentinels: what they do about a lost master, and what happens to themselves.

use super::Storyteller;
use crate::{faults::Start, network::Host, world::Ms};

/// The time within which sentinels make another node the master.
const FAILOVER_MAX: Ms = 4000;

impl Storyteller {
    fn sentinel(&mut self) -> usize {
        let sentinels = self.sim.with(|world| world.sentinels());
        sentinels[self.rng.below(sentinels.len())]
    }

    /// Waits until another node than this one is the master.
    async fn wait_for_failover(&mut self, master: usize) {
        let end = self.sim.now() + FAILOVER_MAX;
        while self.master() == master && self.sim.now() < end {
            self.pause((10, 30)).await;
        }
    }

    /// The master dies, the sentinels make a replica the master, and the old one comes back as a master.
    pub(super) async fn sentinel_failover(&mut self) {
        let master = self.master();
        self.sim.with(|world| world.save(master));
        self.pause((0, 600)).await;
        self.sim.with(|world| world.crash(master));
        self.wait_for_failover(master).await;
        self.pause((0, 1500)).await;
        let start = [Start::Empty, Start::File, Start::Complete][self.rng.below(3)];
        self.sim.with(|world| world.restart(master, start, None));
        self.pause((0, 2000)).await;
    }

    /// A sentinel dies and starts again.
    pub(super) async fn sentinel_loss(&mut self) {
        let sentinel = self.sentinel();
        self.sim.with(|world| world.crash(sentinel));
        self.pause((100, 3000)).await;
        self.sim.with(|world| world.restart_sentinel(sentinel));
    }

    /// The paths of an instance to sentinels fall silent for a time, while sentinels go on with their work.
    pub(super) fn sentinel_silence(&mut self) {
        let instance = self.rng.below(self.instances);
        for sentinel in self.sim.with(|world| world.sentinels()) {
            if self.rng.chance(60) {
                let duration = self.rng.range((50, 3000));
                self.sim.with(|world| world.silence(instance, sentinel, duration));
            }
        }
    }

    /// The sentinels lose the master, which goes on to serve the instances, with its replicas or without.
    pub(super) async fn master_cut_off(&mut self) {
        let master = self.master();
        let mut others = self.sim.with(|world| world.sentinels());
        if self.rng.chance(50) {
            others.extend(self.sim.with(|world| world.replicas(self.shard)));
        }
        self.set_silent(master, &others, true);
        self.wait_for_failover(master).await;
        self.pause((0, 1500)).await;
        self.set_silent(master, &others, false);
        self.pause((0, 2000)).await;
    }

    fn set_silent(&self, node: usize, others: &[usize], silent: bool) {
        self.sim.with(|world| {
            world.note(&format!("node {node} is cut off from {others:?}: {silent}"));
            for other in others {
                world.set_silent(Host::Node(node), Host::Node(*other), silent);
            }
        });
    }

    /// The operator has a sentinel begin a failover, while all nodes live (`SENTINEL FAILOVER`).
    pub(super) async fn forced_failover(&mut self) {
        self.force_failover();
        self.pause((0, 3000)).await;
    }

    fn force_failover(&mut self) {
        let sentinel = self.sentinel();
        self.sim.with(|world| {
            if world.nodes[sentinel].is_serving() {
                world.begin_failover(sentinel, true);
            }
        });
    }

    /// The operator has a sentinel begin a failover, and the promoted node dies soon, alone or with the third node, while the
    /// deposed master lives.
    pub(super) async fn successor_loss(&mut self) {
        let master = self.master();
        self.force_failover();
        self.wait_for_failover(master).await;
        let successor = self.master();
        // A promotion that no sentinel has noticed is given up, and the deposed master stays.
        let end = self.sim.now() + FAILOVER_MAX;
        while !self.sim.with(|world| world.is_named_master(successor)) && self.sim.now() < end {
            self.pause((1, 10)).await;
        }
        if successor == master {
            return;
        }
        self.pause((0, 500)).await;
        let replicas = self.sim.with(|world| world.replicas(self.shard));
        let third = replicas.into_iter().find(|node| *node != master).filter(|_| self.rng.chance(50));
        let lost: Vec<usize> = third.into_iter().chain([successor]).collect();
        self.sim.with(|world| {
            for node in &lost {
                world.crash(*node);
            }
        });
        self.wait_for_failover(successor).await;
        self.pause((0, 1500)).await;
        self.sim.with(|world| {
            let master = world.master(self.shard);
            for node in lost {
                world.restart(node, Start::Complete, (node != master).then_some(master));
            }
        });
        self.pause((0, 2000)).await;
    }
}
