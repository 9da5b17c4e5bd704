//! Failovers of a cluster: masters that do not answer, elections, and the claims of new masters.

use super::View;
use crate::{
    network::Host,
    world::{Ms, World},
};
use std::mem;

/// The interval at which a node looks at the masters.
const TICK: Ms = 50;
/// The time for which a master that was in a minority stays down.
const REJOIN_DELAY: Ms = 500;

impl World {
    /// Starts the regular work of a node of a cluster.
    pub fn start_cluster_node(&mut self, node: usize) {
        self.after(TICK, move |world| {
            if world.nodes[node].is_alive && !world.nodes[node].is_stopped {
                world.watch_masters(node);
                world.stand_for_election(node);
            }
            world.start_cluster_node(node);
        });
    }

    /// Returns true if two nodes of a cluster hear of each other.
    fn hears(&self, node: usize, other: usize) -> bool {
        let state = &self.nodes[other];
        node == other
            || (state.is_alive && !state.is_stopped && self.network.is_open(Host::Node(node), Host::Node(other)))
    }

    /// Returns true if a node has not heard of the master of a shard for too long.
    fn misses(&self, node: usize, shard: usize) -> bool {
        let since = self.nodes[node].cluster.as_ref().and_then(|cluster| cluster.silent_since.get(&shard));
        since.is_some_and(|since| self.now - since >= self.cluster_rules.node_timeout)
    }

    /// Finds the masters that have failed, and decides if the cluster is up.
    fn watch_masters(&mut self, node: usize) {
        let (now, masters) = (self.now, self.in_cluster(node).view.masters.clone());
        for (shard, (master, _)) in masters.iter().enumerate() {
            if self.hears(node, *master) {
                let cluster = self.in_cluster(node);
                cluster.silent_since.remove(&shard);
                cluster.failed.remove(&shard);
            } else {
                self.in_cluster(node).silent_since.entry(shard).or_insert(now);
            }
        }
        let missed: Vec<usize> = (0..masters.len()).filter(|shard| self.misses(node, *shard)).collect();
        for shard in &missed {
            let voters = masters.iter().map(|(master, _)| *master).filter(|master| self.hears(node, *master));
            if voters.filter(|voter| self.misses(*voter, *shard)).count() * 2 > masters.len() {
                self.in_cluster(node).failed.insert(*shard);
            }
        }
        let is_in_minority = missed.len() * 2 > masters.len();
        let is_master = self.nodes[node].is_master();
        let cluster = self.in_cluster(node);
        if is_in_minority {
            cluster.in_minority_at = Some(now);
        }
        // A master first hears if it still is one.
        let must_wait = is_master && cluster.in_minority_at.is_some_and(|time| now < time + REJOIN_DELAY);
        let is_down = is_in_minority || must_wait || !cluster.failed.is_empty();
        if mem::replace(&mut self.in_cluster(node).is_down, is_down) != is_down && is_master {
            self.note(&format!("the cluster is down for node {node}: {is_down}"));
            self.truth.disturbances.push((now, self.nodes[node].shard));
        }
    }

    /// Makes a replica the master if its master has failed, and the other masters vote for it.
    fn stand_for_election(&mut self, node: usize) {
        let (now, shard) = (self.now, self.nodes[node].shard);
        let has_failed = self.in_cluster(node).failed.contains(&shard) && !self.cluster_rules.is_over;
        let has_data = self.nodes[node].link.is_some_and(|link| link.is_up || link.down_since.is_some());
        if !has_failed || !has_data || self.nodes[node].is_loading || self.stays_master.contains(&shard) {
            self.in_cluster(node).election_at = None;
            return;
        }
        let offset = self.nodes[node].data.offset;
        let better = self.nodes.iter().filter(|it| it.shard == shard && it.is_alive && it.data.offset > offset).count();
        let Some(time) = self.in_cluster(node).election_at else {
            let wait = self.nodes[node].rng.range((50, 500)) + 200 * better as u64;
            self.in_cluster(node).election_at = Some(now + wait);
            return;
        };
        let masters = self.in_cluster(node).view.masters.clone();
        // A master votes for one replica of a shard, and for another one only after a while.
        let may_vote_from = now.saturating_sub(2 * self.cluster_rules.node_timeout);
        let mut voters: Vec<usize> = masters.into_iter().map(|(master, _)| master).collect();
        let majority = voters.len() / 2 + 1;
        voters.retain(|master| {
            let voted_at = self.nodes[*master].cluster.as_ref().and_then(|it| it.voted_at.get(&shard));
            self.hears(node, *master) && voted_at.is_none_or(|time| *time <= may_vote_from)
        });
        if time <= now && voters.len() >= majority {
            for voter in voters {
                self.in_cluster(voter).voted_at.insert(shard, now);
            }
            self.in_cluster(node).election_at = None;
            self.fail_over(node);
        }
    }

    /// Makes a replica the master of its shard, as the cluster does: the other nodes hear of it later, and the old master
    /// becomes a replica when it does.
    pub fn fail_over(&mut self, node: usize) {
        self.switch_to(node);
        let (shard, epoch) = (self.nodes[node].shard, self.truth.next_id() + 1);
        for other in 0..self.nodes.len() {
            let delay: Ms = if other == node { 0 } else { self.nodes[other].rng.range((1, 150)) };
            self.tell_later(node, other, delay, move |world| world.hear(other, shard, (node, epoch)));
        }
    }

    /// Lets a node tell another one something, as soon as messages pass between them.
    pub(super) fn tell_later(
        &mut self,
        from: usize,
        to: usize,
        delay: Ms,
        news: impl FnOnce(&mut World) + Send + 'static,
    ) {
        if from == to {
            return self.after(delay, news);
        }
        let not_before = self.now + delay;
        self.send((Host::Node(from), Host::Node(to)), not_before, move |world| world.at_node(to, news));
    }

    /// Takes the claim of a master.
    pub fn hear(&mut self, node: usize, shard: usize, claim: (usize, u64)) {
        let own = &mut self.nodes[node];
        let is_alive = own.is_alive;
        let Some(cluster) = own.cluster.as_mut().filter(|cluster| is_alive && cluster.view.masters[shard].1 < claim.1)
        else {
            return;
        };
        cluster.view.masters[shard] = claim;
        cluster.silent_since.remove(&shard);
        cluster.failed.remove(&shard);
        if own.shard == shard {
            if node != claim.0 {
                self.replicate_from(node, claim.0);
            }
            self.resume_writes(node);
        }
    }

    /// Makes a node that starts learn what the others know.
    pub fn learn_view(&mut self, node: usize) {
        let others = (0..self.nodes.len()).filter(|other| *other != node && self.nodes[*other].is_alive);
        let others: Vec<View> =
            others.filter_map(|it| self.nodes[it].cluster.as_ref()).map(|it| it.view.clone()).collect();
        let Some(own) = self.nodes[node].cluster.as_mut() else { return };
        for View { masters, moved } in others {
            for (known, claim) in own.view.masters.iter_mut().zip(masters) {
                if claim.1 > known.1 {
                    *known = claim;
                }
            }
            for (slot, claim) in moved {
                let known = own.view.moved.entry(slot).or_insert(claim);
                if claim.1 > known.1 {
                    *known = claim;
                }
            }
        }
        own.silent_since.clear();
        own.failed.clear();
    }

    /// Lets the clients of a node wait with their changes, as a master does before it hands over.
    pub fn pause_writes(&mut self, node: usize, duration: Ms) {
        self.nodes[node].pauses_writes = true;
        self.after(duration, move |world| world.resume_writes(node));
    }

    fn resume_writes(&mut self, node: usize) {
        if !mem::take(&mut self.nodes[node].pauses_writes) {
            return;
        }
        for connection in self.network.open_connections(None, node) {
            let session = self.network.connections[connection].session.as_mut();
            if session.is_some_and(|session| mem::take(&mut session.is_paused)) {
                self.run_commands(connection);
            }
        }
    }
}
