//! The health of a shard, as far as it is known without asking.

use super::{members::Members, redis_shard::Shard, standing::MasterStanding};
use crate::store::{
    node::{
        replication::{ReplicationInfo, ReplicationRole},
        state::NodeState,
    },
    protocol::server_mode::ServerMode,
};

/// The health of a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardHealth {
    /// The name of the shard.
    pub name: String,
    /// True if the nodes of the shard are known.
    pub known: bool,
    /// True if the master is connected and has not been demoted.
    pub master_up: bool,
    /// The number of replicas that may be read.
    pub replicas_up: usize,
    /// The number of replicas.
    pub replicas: usize,
    /// The number of replicas without a connection.
    pub replicas_down: usize,
    /// The addresses of the nodes that call themselves master, the one that is the shard's master first.
    pub masters: Vec<String>,
    /// The number of replicas that call themselves master.
    pub replicas_as_master: usize,
    /// The address of the node that calls itself master without proof while the listed master is down. It is not used yet.
    pub candidate: Option<String>,
    /// The address of the announced master, if it does not answer while another node is connected that was the master before.
    pub absent_successor: Option<String>,
    /// True if two nodes call themselves master at the same time.
    pub split_brain: bool,
    /// The trust that the master has.
    pub standing: MasterStanding,
    /// The number of replicas that do not tell their role, so that they are not read.
    pub replicas_hidden: usize,
    /// The number of addresses at which a sentinel answers.
    pub sentinels: usize,
    /// The number of addresses at which a node of a Redis Cluster answers, although the shard is not one of a cluster.
    pub cluster_nodes: usize,
    /// The reason why the shard has no nodes at all; `None` if it may have some.
    pub unavailable_reason: Option<&'static str>,
}

impl ShardHealth {
    /// Returns true if a replica or the master serves reads.
    pub fn can_read(&self) -> bool {
        (self.master_up && !self.is_held()) || self.replicas_up > 0
    }

    /// Returns true if the master came back without data that its replicas have, and is not used.
    pub fn is_held(&self) -> bool {
        self.standing == MasterStanding::Held
    }

    /// Returns true if no node takes writes for a while, because the only one that calls itself master lacks data of its
    /// replicas, or the proof that it is the master.
    pub fn withholds_writes(&self) -> bool {
        self.is_held() || self.candidate.is_some()
    }

    /// Returns true if two nodes call themselves master, and nothing proves which of them is.
    pub fn is_contested(&self) -> bool {
        self.standing == MasterStanding::Contested
    }

    /// Returns true if the master takes writes.
    pub fn can_write(&self) -> bool {
        self.master_up && self.standing == MasterStanding::Accepted
    }
}

impl Shard {
    /// Returns true if the master is connected and has not been demoted.
    pub fn is_master_up(&self) -> bool {
        self.members.load().is_master_up()
    }

    /// Returns the health of the shard.
    pub fn health(&self) -> ShardHealth {
        let members: &Members = &self.members.load();
        let with_mode = |mode| members.nodes().iter().filter(|node| node.wrong_mode() == Some(mode)).count();
        let (split_brain, candidate, announced) = {
            let election = self.lock_election();
            let announced = election.announced_master().map(ToString::to_string);
            (election.split_brain(), election.candidate().map(ToString::to_string), announced)
        };
        ShardHealth {
            name: self.name().to_string(),
            known: !members.nodes().is_empty(),
            master_up: members.is_master_up(),
            replicas_up: members.replicas().filter(|node| node.state().is_usable_replica()).count(),
            replicas: members.replicas().count(),
            replicas_down: members.replicas().filter(|node| !node.state().is_up()).count(),
            masters: members.reporting_masters(),
            replicas_as_master: members.replicas().filter(|node| reports_master(&node.state())).count(),
            candidate,
            absent_successor: announced.filter(|_| members.standing() == MasterStanding::Deposed),
            standing: members.standing(),
            replicas_hidden: members.replicas().filter(|node| node.state().hides_role()).count(),
            split_brain,
            sentinels: with_mode(ServerMode::Sentinel),
            cluster_nodes: with_mode(ServerMode::Cluster),
            unavailable_reason: self.unavailable_reason,
        }
    }
}

impl Members {
    /// Returns true if the master is connected and has not been demoted.
    pub fn is_master_up(&self) -> bool {
        self.master().is_some_and(|master| {
            let state = master.state();
            state.is_up() && !is_demoted(&state)
        })
    }

    /// Returns the addresses of the nodes that call themselves master, the one that is the shard's master first.
    fn reporting_masters(&self) -> Vec<String> {
        let nodes = self.master().into_iter().chain(self.replicas());
        nodes.filter(|node| reports_master(&node.state())).map(|node| node.address.to_string()).collect()
    }
}

/// Returns true if a node calls itself master in an answer that still holds.
pub fn reports_master(node: &NodeState) -> bool {
    node.replication_info().is_some_and(ReplicationInfo::is_master)
}

/// Returns true if a node says that it is a replica, though it is taken for the master.
fn is_demoted(master: &NodeState) -> bool {
    matches!(master.replication_info(), Some(ReplicationInfo { role: ReplicationRole::Replica { .. }, .. }))
}
