//! The stories that are told in each kind of scenario.

use crate::setup::Kind;

/// A story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Story {
    Cuts,
    Silence,
    ReplicaCrash,
    Suspension,
    Stray,
    LostReplication,
    Failover,
    MasterRestart,
    CompleteRestart,
    Switch,
    Rogue,
    ClusterFailover,
    ClusterSwitch,
    ClusterPartition,
    SlotMove,
    SentinelFailover,
    SentinelLoss,
    SentinelSilence,
    MasterCutOff,
    ForcedFailover,
    SuccessorLoss,
}

/// A story with the edition from which on it is told. A story that is listed twice is told twice as often.
type Row = (u32, Story);

const SINGLE: &[Row] = &[
    (1, Story::Cuts),
    (1, Story::Cuts),
    (1, Story::Silence),
    (1, Story::ReplicaCrash),
    (1, Story::Suspension),
    (1, Story::Stray),
    (1, Story::Stray),
    (1, Story::LostReplication),
    (1, Story::Failover),
    (1, Story::MasterRestart),
    (1, Story::MasterRestart),
    (1, Story::Switch),
    (1, Story::Switch),
    (1, Story::Rogue),
    (1, Story::Rogue),
];

/// An instance that gets a shard by a reload knows neither the data that the master had before nor which of two masters
/// was there first.
const RELOADS: &[Row] = &[
    (1, Story::Cuts),
    (1, Story::Cuts),
    (1, Story::Silence),
    (1, Story::ReplicaCrash),
    (1, Story::Suspension),
    (1, Story::Stray),
    (1, Story::Stray),
    (1, Story::LostReplication),
    (1, Story::Failover),
    (1, Story::CompleteRestart),
    (1, Story::Switch),
    (1, Story::Switch),
];

/// Promotions cannot be followed, because nodes do not answer `INFO`.
const WITHOUT_INFO: &[Row] = &[
    (1, Story::Cuts),
    (1, Story::Silence),
    (1, Story::ReplicaCrash),
    (1, Story::ReplicaCrash),
    (1, Story::Suspension),
    (1, Story::LostReplication),
];

const CLUSTER: &[Row] = &[
    (1, Story::Cuts),
    (1, Story::Cuts),
    (1, Story::Silence),
    (1, Story::ReplicaCrash),
    (1, Story::LostReplication),
    (1, Story::ClusterFailover),
    (1, Story::ClusterFailover),
    (1, Story::ClusterPartition),
    (1, Story::ClusterSwitch),
    (1, Story::ClusterSwitch),
    (1, Story::SlotMove),
    (1, Story::SlotMove),
    (1, Story::SlotMove),
];

/// A master without replicas.
const CLUSTER_ALONE: &[Row] =
    &[(1, Story::Cuts), (1, Story::Silence), (1, Story::CompleteRestart), (1, Story::SlotMove), (1, Story::SlotMove)];

const SENTINELS: &[Row] = &[
    (1, Story::Cuts),
    (1, Story::Silence),
    (1, Story::ReplicaCrash),
    (1, Story::Suspension),
    (1, Story::LostReplication),
    (1, Story::MasterRestart),
    (1, Story::SentinelFailover),
    (1, Story::SentinelFailover),
    (1, Story::SentinelFailover),
    (1, Story::SentinelLoss),
    (1, Story::SentinelSilence),
    (1, Story::MasterCutOff),
    (1, Story::MasterCutOff),
    (1, Story::ForcedFailover),
    (1, Story::ForcedFailover),
    (2, Story::SuccessorLoss),
];

/// Returns the stories of a shard in a kind of scenario, in an edition.
pub fn stories(kind: Kind, shard: usize, edition: u32) -> Vec<Story> {
    let rows = match kind {
        Kind::Single => SINGLE,
        Kind::Reloads => RELOADS,
        Kind::WithoutInfo => WITHOUT_INFO,
        Kind::Cluster if shard == 2 => CLUSTER_ALONE,
        Kind::Cluster => CLUSTER,
        Kind::Sentinels => SENTINELS,
    };
    rows.iter().filter(|(since, _)| *since <= edition).map(|(_, story)| *story).collect()
}
