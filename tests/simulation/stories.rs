//! Stories: what goes wrong in a simulation, one thing after the other, and how the operator repairs it.

use crate::{
    faults::Start,
    network::Host,
    rng::Rng,
    world::{Ms, Sim},
};
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;

/// The operator and the author of all misfortune of one shard.
pub struct Storyteller {
    pub sim: Arc<Sim>,
    pub rng: Rng,
    pub shard: usize,
    pub instances: usize,
    /// The node outside the shard, which has other data.
    pub stranger: usize,
    pub end: Ms,
    /// Promotions cannot be followed, because nodes do not answer `INFO`: no story has one.
    pub without_promotions: bool,
    pub in_cluster: bool,
    pub has_reloads: bool,
}

impl Storyteller {
    /// Lets things go wrong until the end.
    pub async fn run(mut self) {
        loop {
            self.pause((200, 2500)).await;
            if self.sim.now() >= self.end {
                return;
            }
            if self.in_cluster {
                self.tell_of_cluster().await;
                continue;
            }
            match self.rng.below(if self.without_promotions { 8 } else { 15 }) {
                0 | 1 => self.cuts().await,
                2 => self.silence().await,
                3 => self.replica_crash().await,
                4 => self.suspension().await,
                5 | 6 => self.stray().await,
                7 => self.lost_replication().await,
                8 => self.failover().await,
                9 | 10 => self.master_restart().await,
                11 | 12 => self.switch().await,
                // An instance that gets the shard only now cannot know which of two masters was there before.
                _ if self.has_reloads => self.cuts().await,
                _ => self.rogue().await,
            }
        }
    }

    /// Lets one thing go wrong in a Redis Cluster.
    async fn tell_of_cluster(&mut self) {
        match self.rng.below(10) {
            0 | 1 => self.cuts().await,
            2 => self.silence().await,
            3 => self.replica_crash().await,
            4 => self.lost_replication().await,
            5 | 6 => self.cluster_failover().await,
            _ => self.cluster_switch().await,
        }
    }

    /// The master dies, and the cluster makes a replica the master.
    async fn cluster_failover(&mut self) {
        let (master, replica) = (self.master(), self.replica());
        self.sim.with(|world| world.crash(master));
        self.pause((200, 1500)).await;
        self.sim.with(|world| world.fail_over(replica));
        self.pause((200, 2000)).await;
        let start = if self.rng.chance(50) { Start::Complete } else { Start::Empty };
        self.sim.with(|world| world.restart(master, start, Some(world.master(self.shard))));
    }

    /// The operator has the master hand over to a replica (`CLUSTER FAILOVER`).
    async fn cluster_switch(&mut self) {
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

    async fn pause(&mut self, (least, most): (Ms, Ms)) {
        sleep(Duration::from_millis(self.rng.range((least, most)))).await;
    }

    fn master(&self) -> usize {
        self.sim.with(|world| world.master(self.shard))
    }

    fn replica(&mut self) -> usize {
        let replicas = self.sim.with(|world| world.replicas(self.shard));
        replicas[self.rng.below(replicas.len())]
    }

    fn any_node(&mut self) -> usize {
        if self.rng.chance(60) { self.master() } else { self.replica() }
    }

    /// Connections are cut, once or many times, while all nodes live.
    async fn cuts(&mut self) {
        let node = self.any_node();
        let instance = self.rng.chance(50).then(|| self.rng.below(self.instances));
        for _ in 0..=self.rng.below(6) {
            self.sim.with(|world| world.cut_connections(instance, node));
            self.pause((5, 400)).await;
        }
    }

    /// A path falls silent for a time.
    async fn silence(&mut self) {
        let (node, instance) = (self.any_node(), self.rng.below(self.instances));
        let duration = self.rng.range((50, 2000));
        self.sim.with(|world| world.silence(instance, node, duration));
        sleep(Duration::from_millis(duration)).await;
    }

    /// A replica dies and starts again.
    async fn replica_crash(&mut self) {
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
    async fn failover(&mut self) {
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
    async fn master_restart(&mut self) {
        let master = self.master();
        let start = [Start::Empty, Start::File, Start::Complete][self.rng.below(3)];
        // An instance that gets the shard only now does not know what the master had before.
        let start = if self.has_reloads { Start::Complete } else { start };
        self.sim.with(|world| world.save(master));
        self.pause((0, 600)).await;
        self.sim.with(|world| world.crash(master));
        self.pause((1, 1200)).await;
        self.sim.with(|world| world.restart(master, start, None));
        self.pause((500, 3000)).await;
    }

    /// The operator makes a replica the master while the old master lives.
    async fn switch(&mut self) {
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
    async fn suspension(&mut self) {
        let (node, duration) = (self.any_node(), self.rng.range((50, 2000)));
        self.sim.with(|world| world.stop(node, duration));
        sleep(Duration::from_millis(duration)).await;
    }

    /// A replica starts again as a master, which nobody wanted, while the master lives.
    async fn rogue(&mut self) {
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
    async fn stray(&mut self) {
        let node = self.replica();
        self.sim.with(|world| world.replicate_from(node, self.stranger));
        self.pause((50, 1500)).await;
        self.sim.with(|world| world.replicate_from(node, world.master(self.shard)));
    }

    /// Nothing passes between the master and a replica for a time.
    async fn lost_replication(&mut self) {
        let (master, replica) = (self.master(), self.replica());
        self.sim.with(|world| {
            world.note(&format!("nothing passes between node {master} and node {replica}"));
            world.set_silent(Host::Node(master), Host::Node(replica), true);
        });
        self.pause((100, 2000)).await;
        self.sim.with(|world| world.set_silent(Host::Node(master), Host::Node(replica), false));
    }
}
