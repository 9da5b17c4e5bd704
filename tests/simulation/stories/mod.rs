//! Stories: what goes wrong in a simulation, one thing after the other, and how the operator repairs it.

mod cluster;
mod nodes;
mod sentinels;
mod table;

use crate::{
    plan::Plan,
    rng::Rng,
    setup::Kind,
    world::{Ms, Sim},
};
use std::{sync::Arc, time::Duration};
use table::Story;
use tokio::time::sleep;

/// The operator and the author of all misfortune of one shard.
pub struct Storyteller {
    sim: Arc<Sim>,
    plan: Plan,
    kind: Kind,
    /// The random numbers of the story that is being told.
    rng: Rng,
    shard: usize,
    instances: usize,
    /// The node outside the shard, which has other data.
    stranger: usize,
    end: Ms,
}

impl Storyteller {
    pub fn new(sim: Arc<Sim>, plan: Plan, kind: Kind, shard: usize, instances: usize, end: Ms) -> Self {
        let stranger = sim.with(|world| world.stranger);
        Self { sim, plan, kind, rng: plan.stream("stories", shard), shard, instances, stranger, end }
    }

    /// Lets things go wrong until the end. Each story has random numbers of its own.
    pub async fn run(mut self) {
        let stories = table::stories(self.kind, self.shard, self.plan.edition);
        for number in 0.. {
            self.rng = self.plan.stream("story", self.shard * 1000 + number);
            self.pause((200, 2500)).await;
            if self.sim.now() >= self.end {
                return;
            }
            let story = stories[self.rng.below(stories.len())];
            self.tell(story).await;
        }
    }

    async fn tell(&mut self, story: Story) {
        match story {
            Story::Cuts => self.cuts().await,
            Story::Silence => self.silence().await,
            Story::ReplicaCrash => self.replica_crash().await,
            Story::Suspension => self.suspension().await,
            Story::Stray => self.stray().await,
            Story::LostReplication => self.lost_replication().await,
            Story::Failover => self.failover().await,
            Story::MasterRestart => self.master_restart().await,
            Story::CompleteRestart => self.complete_restart().await,
            Story::Switch => self.switch().await,
            Story::Rogue => self.rogue().await,
            Story::ClusterFailover => self.cluster_failover().await,
            Story::ClusterSwitch => self.cluster_switch().await,
            Story::ClusterPartition => self.cluster_partition().await,
            Story::SlotMove => self.slot_move().await,
            Story::SentinelFailover => self.sentinel_failover().await,
            Story::SentinelLoss => self.sentinel_loss().await,
            Story::SentinelSilence => self.sentinel_silence(),
            Story::MasterCutOff => self.master_cut_off().await,
            Story::ForcedFailover => self.forced_failover().await,
            Story::SuccessorLoss => self.successor_loss().await,
        }
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
        let has_replicas = self.sim.with(|world| !world.replicas(self.shard).is_empty());
        if self.rng.chance(60) || !has_replicas { self.master() } else { self.replica() }
    }
}
