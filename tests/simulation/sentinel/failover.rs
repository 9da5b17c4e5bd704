//! A failover: votes, the promotion of a replica, and the new configuration of all sentinels.

use super::{FAILOVER_TIMEOUT, Failover, HELLO_INTERVAL, MASTER_NAME, QUORUM, replies::address};
use crate::{network::Host, world::World};
use std::cmp::Reverse;

impl World {
    /// Makes a sentinel lead a failover if it gets the votes for it; `forced` by an operator, it needs none.
    pub fn begin_failover(&mut self, number: usize, forced: bool) {
        if self.sentinel_rules.is_over || self.sentinel(number).failover.is_some() {
            return;
        }
        let (now, peers) = (self.now, self.peers(number));
        let epoch = self.sentinel(number).voted.max(self.sentinel(number).config.1) + 1;
        let mut votes = 0;
        for voter in peers.into_iter().chain([number]) {
            let sentinel = self.sentinel(voter);
            if sentinel.voted < epoch && sentinel.failover.is_none() {
                (sentinel.voted, sentinel.not_before) = (epoch, now + FAILOVER_TIMEOUT);
                votes += 1;
            }
        }
        if votes < QUORUM && !forced {
            return;
        }
        let Some(replica) = self.best_replica(number) else { return };
        self.sentinel(number).failover = Some(Failover { epoch, replica, until: now + FAILOVER_TIMEOUT });
        self.publish_about("+failover-state-wait-promotion", number, replica);
        self.send((Host::Node(number), Host::Node(replica)), 0, move |world| {
            world.at_node(replica, move |world| {
                // A sentinel that has heard of a later failover has ended this one.
                let leads = world.sentinel(number).failover.is_some_and(|failover| failover.epoch == epoch);
                if leads && world.nodes[replica].is_alive && !world.sentinel_rules.is_over {
                    world.switch_to(replica);
                    // A deposed master is a master already, and keeps the name of its history.
                    world.accept_again(replica);
                }
            });
        });
    }

    /// Returns the replica that takes over: the one that has most of the master's data. A deposed master that lives on comes
    /// last, because Sentinel knows no offset of it as a replica.
    fn best_replica(&mut self, number: usize) -> Option<usize> {
        let master = self.sentinel(number).config.0;
        let candidates = self.watched().into_iter().filter(|node| {
            let state = &self.nodes[*node];
            let has_data =
                state.link.map_or_else(|| self.is_former_master(*node), |link| link.is_up || link.down_since.is_some());
            *node != master && self.gets_answers(number, *node) && has_data && !state.is_loading
        });
        candidates.max_by_key(|node| {
            let state = &self.nodes[*node];
            (state.link.map(|_| state.data.offset), Reverse(*node))
        })
    }

    /// Goes on with the failover that a sentinel leads, once the replica says that it is a master.
    pub(super) fn lead(&mut self, number: usize) {
        let Some(Failover { epoch, replica, until }) = self.sentinel(number).failover else { return };
        if self.now >= until {
            self.sentinel(number).failover = None;
            return;
        }
        let is_promoted = self.gets_answers(number, replica) && self.nodes[replica].is_master();
        if !is_promoted || self.sentinel(number).promoted.is_some() {
            return;
        }
        let sentinel = self.sentinel(number);
        (sentinel.promoted, sentinel.config.1) = (Some(replica), epoch);
        self.publish_about("+promoted-slave", number, replica);
        self.say_hello(number);
        for node in self.watched() {
            let is_other = node != replica && node != self.sentinel(number).config.0;
            if is_other && self.gets_answers(number, node) && !self.nodes[node].is_master() {
                self.replicate_from(node, replica);
            }
        }
        let wait = self.nodes[number].rng.range((50, 500));
        self.after(wait, move |world| {
            world.at_node(number, move |world| {
                if world.sentinel(number).failover.is_some_and(|failover| failover.epoch == epoch) {
                    world.publish_about("+failover-end", number, replica);
                    world.switch_config(number, (replica, epoch));
                }
            });
        });
    }

    /// Gives a sentinel another configuration.
    pub(super) fn switch_config(&mut self, number: usize, config: (usize, u64)) {
        let former = self.sentinel(number).config.0;
        let sentinel = self.sentinel(number);
        (sentinel.config, sentinel.promoted, sentinel.failover) = (config, None, None);
        sentinel.voted = sentinel.voted.max(config.1);
        sentinel.is_objectively_down = false;
        sentinel.wrong.clear();
        let (old, new) = (address(&self.nodes[former].address), address(&self.nodes[config.0].address));
        self.note(&format!("sentinel {number} names node {} the master (epoch {})", config.0, config.1));
        self.publish(number, "+switch-master", &format!("{MASTER_NAME} {old} {new}"));
    }

    /// Tells the other sentinels the configuration of one, from time to time or when it has just changed.
    pub(super) fn say_hello(&mut self, number: usize) {
        let now = self.now;
        let sentinel = self.sentinel(number);
        if now < sentinel.last_hello + HELLO_INTERVAL && sentinel.promoted.is_none() {
            return;
        }
        sentinel.last_hello = now;
        let config = (sentinel.reported_master(), sentinel.config.1);
        for peer in self.peers(number) {
            let delay = self.nodes[peer].rng.range((1, 200));
            self.after(delay, move |world| {
                world.at_node(peer, move |world| {
                    if world.nodes[peer].is_alive && world.sentinel(peer).config.1 < config.1 {
                        world.publish_about("+config-update-from", peer, config.0);
                        world.switch_config(peer, config);
                    }
                });
            });
        }
    }
}
