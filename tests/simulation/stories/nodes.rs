//! Stories outside a Redis Cluster: nodes that are lost, come back or change their roles, and an operator who repairs them.

use super::Storyteller;
use crate::{faults::Start, network::Host};
use std::time::Duration;
use tokio::time::sleep;

impl Storyteller {
    /// Connections are cut, once or many times, while all nodes live.
    pub(super) async fn cuts(&mut self) {
        let node = self.any_node();
        let instance = self.rng.chance(50).then(|| self.rng.below(self.instances));
        for _ in 0..=self.rng.below(6) {
            self.sim.with(|world| world.cut_connections(instance, node));
            self.pause((5, 400)).await;
        }
    }

    /// A path falls silent for a time.
    pub(super) async fn silence(&mut self) {
        let (node, instance) = (self.any_node(), self.rng.below(self.instances));
        let duration = self.rng.range((50, 2000));
        self.sim.with(|world| world.silence(instance, node, duration));
        sleep(Duration::from_millis(duration)).await;
    }

    /// A replica dies and starts again.
    pub(super) async fn replica_crash(&mut self) {
        let node = self.replica();
        self.sim.with(|world| {
            world.save(node);
            world.crash(node);
        });
        self.pause((5, 1500)).await;
        let start = if self.rng.chance(50) { Start::File } else { Start::Empty };
        self.sim.with(|world| world.restart(node, start, Some(world.master(self.shard))));
        self.pause((0, 1200)).await;
    }

    /// The master dies, and the operator promotes a replica.
    pub(super) async fn failover(&mut self) {
        let (master, replica) = (self.master(), self.replica());
        self.sim.with(|world| world.crash(master));
        self.pause((20, 1500)).await;
        self.sim.with(|world| world.switch_to(replica));
        self.pause((0, 300)).await;
        self.sim.with(|world| world.follow_master(self.shard));
        self.pause((0, 1500)).await;
        let start = if self.rng.chance(50) { Start::Complete } else { Start::Empty };
        self.sim.with(|world| world.restart(master, start, Some(world.master(self.shard))));
    }

    /// The master starts again by itself, with the data of its file or without any.
    pub(super) async fn master_restart(&mut self) {
        let master = self.master();
        let start = [Start::Empty, Start::File, Start::Complete][self.rng.below(3)];
        self.restart_master(master, start).await;
    }

    /// The master starts again by itself, with all its data.
    pub(super) async fn complete_restart(&mut self) {
        if self.claim(&[self.shard]) {
            let master = self.master();
            self.restart_master(master, Start::Complete).await;
            self.release(&[self.shard]);
        }
    }

    async fn restart_master(&mut self, master: usize, start: Start) {
        self.sim.with(|world| world.save(master));
        self.pause((0, 600)).await;
        self.sim.with(|world| world.crash(master));
        self.pause((1, 1200)).await;
        self.sim.with(|world| world.restart(master, start, None));
        self.pause((500, 3000)).await;
    }

    /// The operator makes a replica the master while the old master lives.
    pub(super) async fn switch(&mut self) {
        let (master, replica) = (self.master(), self.replica());
        if self.rng.chance(40) {
            self.sim.with(|world| world.replicate_from(master, replica));
            self.pause((0, 100)).await;
            self.sim.with(|world| world.switch_to(replica));
        } else {
            self.sim.with(|world| world.switch_to(replica));
            self.pause((0, 600)).await;
        }
        self.sim.with(|world| world.follow_master(self.shard));
    }

    /// A node is suspended for a time.
    pub(super) async fn suspension(&mut self) {
        let (node, duration) = (self.any_node(), self.rng.range((50, 2000)));
        self.sim.with(|world| world.stop(node, duration));
        sleep(Duration::from_millis(duration)).await;
    }

    /// A replica starts again as a master, which nobody wanted, while the master lives.
    pub(super) async fn rogue(&mut self) {
        let (node, other) = (self.replica(), self.replica());
        let start = if self.rng.chance(70) { Start::File } else { Start::Empty };
        if node != other {
            // A replica of the replica follows it, whatever it becomes.
            self.sim.with(|world| world.replicate_from(other, node));
            self.pause((500, 1500)).await;
        }
        self.sim.with(|world| {
            world.save(node);
            world.crash(node);
        });
        self.pause((1, 300)).await;
        self.sim.with(|world| world.restart(node, start, None));
        self.pause((100, 1500)).await;
        self.sim.with(|world| {
            world.replicate_from(node, world.master(self.shard));
            world.follow_master(self.shard);
        });
    }

    /// A replica is pointed at a master of other data for a time.
    pub(super) async fn stray(&mut self) {
        let node = self.replica();
        self.sim.with(|world| world.replicate_from(node, self.stranger));
        self.pause((50, 1500)).await;
        self.sim.with(|world| world.replicate_from(node, world.master(self.shard)));
    }

    /// Nothing passes between the master and a replica for a time.
    pub(super) async fn lost_replication(&mut self) {
        let (master, replica) = (self.master(), self.replica());
        self.sim.with(|world| {
            world.note(&format!("nothing passes between node {master} and node {replica}"));
            world.set_silent(Host::Node(master), Host::Node(replica), true);
        });
        self.pause((100, 2000)).await;
        self.sim.with(|world| {
            world.note(&format!("messages pass again between node {master} and node {replica}"));
            world.set_silent(Host::Node(master), Host::Node(replica), false);
        });
    }
}
