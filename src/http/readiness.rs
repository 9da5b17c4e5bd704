//! The decision whether requests should be sent to this instance.

use super::state::AppState;
use crate::store::ShardHealth;
use serde::{Deserialize, Serialize};

/// The readiness of this instance, and its problems.
#[derive(Serialize)]
pub struct Readiness {
    /// `READY`, `DEGRADED` or `NOT_READY`.
    pub status: ServiceStatus,
    /// The problems of this instance, each in one sentence.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// The readiness of this instance in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ServiceStatus {
    /// Ready, and every shard is complete.
    Ready,
    /// Ready, but some shard is not complete.
    Degraded,
    /// Not ready: requests should be sent to other instances.
    NotReady,
}

impl ServiceStatus {
    /// Returns the status as people read it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Degraded => "Degraded",
            Self::NotReady => "Not ready",
        }
    }
}

impl Readiness {
    /// Computes the readiness from what is known, without asking Redis.
    ///
    /// An instance becomes ready when every shard has been reached once. From then on it stays ready as long as any
    /// shard can be read, because taking every instance out of service for one lost shard would lose the others, too.
    pub fn of(state: &AppState) -> Self {
        let shards = state.store.health();
        let complete_once = state.complete_once(shards.iter().all(ShardHealth::can_read));
        let mut problems = state.store.topology_problems();
        problems.extend(shards.iter().flat_map(shard_problems));
        if state.is_draining() {
            problems.push("the service is shutting down".to_owned());
        }
        let ready = !state.is_draining() && complete_once && shards.iter().any(ShardHealth::can_read);
        let status = match (ready, problems.is_empty()) {
            (true, true) => ServiceStatus::Ready,
            (true, false) => ServiceStatus::Degraded,
            (false, _) => ServiceStatus::NotReady,
        };
        Self { status, problems }
    }
}

fn shard_problems(shard: &ShardHealth) -> Vec<String> {
    if let Some(vacancy) = shard.unavailable_reason {
        return vec![format!("shard \"{}\": {vacancy}", shard.name)];
    }
    if !shard.known {
        return vec![format!("shard \"{}\": its nodes are not known yet", shard.name)];
    }
    let master = (!shard.master_up).then(|| format!("shard \"{}\": the master is not reachable", shard.name));
    let standing = standing_problem(shard).map(|problem| format!("shard \"{}\": {problem}", shard.name));
    let hidden = (shard.replicas_hidden > 0).then(|| {
        format!(
            "shard \"{}\": {} replicas are not read, because they refuse INFO to the service's Redis user",
            shard.name, shard.replicas_hidden
        )
    });
    let misused = misused_nodes(shard);
    master.into_iter().chain(replica_problems(shard)).chain(misused).chain(hidden).chain(standing).collect()
}

/// Names the replicas that are not read: those without a connection, and those that have other data or none.
fn replica_problems(shard: &ShardHealth) -> impl Iterator<Item = String> {
    let ShardHealth { name, replicas, replicas_down: down, .. } = shard;
    let missing = replicas.saturating_sub(shard.replicas_up + shard.replicas_hidden);
    let unread = missing.saturating_sub(*down + shard.replicas_as_master);
    let down = (*down > 0).then(|| format!("shard \"{name}\": {down} of {replicas} replicas are not reachable"));
    let unread = (unread > 0).then(|| {
        let reason = "because they lack the data of the master or follow another one";
        format!("shard \"{name}\": {unread} of {replicas} replicas are up and not read, {reason}")
    });
    down.into_iter().chain(unread)
}

/// Names the addresses of a shard at which something else than a node of a shard answers.
fn misused_nodes(shard: &ShardHealth) -> impl Iterator<Item = String> {
    let name = &shard.name;
    let sentinels = (shard.sentinels > 0).then(|| {
        format!(
            "shard \"{name}\": {} of its addresses lead to a sentinel, which holds no keys: list sentinels in `sentinels`",
            shard.sentinels
        )
    });
    let cluster_nodes = (shard.cluster_nodes > 0).then(|| {
        format!(
            "shard \"{name}\": {} of its addresses lead to a node of a Redis Cluster: list it in `cluster`",
            shard.cluster_nodes
        )
    });
    sentinels.into_iter().chain(cluster_nodes)
}

fn standing_problem(shard: &ShardHealth) -> Option<String> {
    if shard.is_held() {
        return Some("the master came back without data that its replicas have; writes are refused".to_owned());
    }
    if let Some(candidate) = &shard.candidate {
        return Some(format!("{candidate} calls itself master without proof that it took over; writes are refused"));
    }
    if let Some(successor) = &shard.absent_successor {
        return Some(format!("{successor} was announced as the master, and does not answer; writes are refused"));
    }
    let masters = &shard.masters;
    let named = if masters.len() > 1 { format!(" ({})", masters.join(" and ")) } else { String::new() };
    if shard.is_contested() || (shard.split_brain && !shard.master_up) {
        return Some(format!("two nodes call themselves master{named}, and neither is proven; writes are refused"));
    }
    let used = masters.first().filter(|_| shard.split_brain)?;
    Some(format!("two nodes call themselves master{named}; writes go to {used}"))
}
