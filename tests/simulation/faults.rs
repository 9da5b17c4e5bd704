//! Faults of nodes, and the deeds of an operator who repairs them.

use crate::{
    network::Host,
    redis::Data,
    truth::HOLD,
    world::{Ms, World},
};

/// The data that a node finds when it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    Empty,
    /// The last file that was saved, which may be old.
    File,
    /// Everything: the node was shut down in good order.
    Complete,
}

impl World {
    /// Returns the node that is the master of a shard.
    pub fn master(&self, shard: usize) -> usize {
        self.truth.branches[self.truth.current[shard]].node
    }

    /// Returns the other nodes of a shard.
    pub fn replicas(&self, shard: usize) -> Vec<usize> {
        let master = self.master(shard);
        (0..self.nodes.len()).filter(|node| self.nodes[*node].shard == shard && *node != master).collect()
    }

    /// Kills a node.
    pub fn crash(&mut self, node: usize) {
        self.finish_load(node);
        self.note(&format!("node {node} crashes"));
        self.end_branch(node);
        self.truth.disturbances.push((self.now, self.nodes[node].shard));
        if self.nodes[node].link.is_some() {
            self.renew_session(node);
        }
        self.nodes[node].die();
        for connection in self.network.open_connections(None, node) {
            self.close_from_node(connection);
        }
        self.detach_replicas(node);
        self.look_for_survivors(node);
    }

    /// Starts a node as a master, or as a replica of `master`.
    pub fn restart(&mut self, node: usize, start: Start, master: Option<usize>) {
        self.note(&format!("node {node} starts ({start:?}), master: {master:?}"));
        let shard = self.nodes[node].shard;
        self.learn_view(node);
        let was_master = self.master(shard) == node;
        let saved = match start {
            Start::Empty => Data::default(),
            Start::File => self.nodes[node].file.clone().unwrap_or_default(),
            Start::Complete => self.nodes[node].data.clone(),
        };
        self.nodes[node].data = saved;
        self.nodes[node].is_alive = true;
        if let Some(master) = master {
            self.nodes[node].link = None;
            self.replicate_from(node, master);
            // Its settings name the master, to which it was never connected.
            self.nodes[node].ran_replicaof = false;
            self.nodes[node].link.as_mut().expect("a replica").down_since = None;
            return;
        }
        let fresh = self.truth.next_id();
        let data = &mut self.nodes[node].data;
        data.replid2 = (data.replid != 0).then_some((data.replid, data.offset));
        data.replid = fresh;
        self.nodes[node].link = None;
        self.begin_branch(node);
        if was_master {
            self.look_for_survivors(node);
            let incarnation = self.nodes[node].incarnation;
            self.after(HOLD, move |world| {
                if world.nodes[node].incarnation == incarnation && world.nodes[node].is_alive {
                    world.accept(node);
                }
            });
        }
    }

    /// Saves the data of a node to its file.
    pub fn save(&mut self, node: usize) {
        self.nodes[node].file = Some(self.nodes[node].data.clone());
    }

    /// Promotes a node by the will of the operator.
    pub fn switch_to(&mut self, node: usize) {
        self.promote(node);
        self.accept(node);
    }

    /// Makes all living nodes of the shard replicas of its master, as the operator does after a switch.
    pub fn follow_master(&mut self, shard: usize) {
        let master = self.master(shard);
        for node in self.replicas(shard) {
            if self.nodes[node].is_alive && self.nodes[node].link.is_none_or(|link| link.master != master) {
                self.replicate_from(node, master);
            }
        }
    }

    /// Cuts the connections of an instance to a node.
    pub fn cut_connections(&mut self, instance: Option<usize>, node: usize) {
        self.note(&format!(
            "the connections of {} to node {node} are cut",
            instance.map_or("all instances".to_owned(), |it| format!("instance {it}"))
        ));
        for connection in self.network.open_connections(instance, node) {
            self.cut(connection);
        }
    }

    /// Makes the path of an instance to a node silent for a time.
    pub fn silence(&mut self, instance: usize, node: usize, duration: Ms) {
        self.note(&format!("nothing passes between instance {instance} and node {node} for {duration} ms"));
        let (one, other) = (Host::Instance(instance), Host::Node(node));
        self.set_silent(one, other, true);
        self.after(duration, move |world| world.set_silent(one, other, false));
    }

    /// Suspends a node for a time.
    pub fn stop(&mut self, node: usize, duration: Ms) {
        self.note(&format!("node {node} is suspended for {duration} ms"));
        self.truth.disturbances.push((self.now, self.nodes[node].shard));
        self.set_stopped(node, true);
        self.after(duration, move |world| {
            world.truth.disturbances.push((world.now, world.nodes[node].shard));
            world.set_stopped(node, false);
        });
    }

    /// Repairs everything: all paths are open, all nodes live, and every shard has one master.
    pub fn repair_all(&mut self, instances: usize) {
        self.note("everything is repaired");
        self.cluster_rules.is_over = true;
        for node in 0..self.nodes.len() {
            if !self.nodes[node].is_alive && self.nodes[node].sentinel.is_some() {
                self.restart_sentinel(node);
            }
            if !self.nodes[node].is_alive {
                let shard = self.nodes[node].shard;
                let master = self.master(shard);
                let is_master = master == node;
                self.restart(node, Start::Complete, (!is_master).then_some(master));
            }
            self.set_stopped(node, false);
            for instance in 0..instances {
                self.set_silent(Host::Instance(instance), Host::Node(node), false);
            }
            for other in 0..self.nodes.len() {
                self.set_silent(Host::Node(node), Host::Node(other), false);
            }
        }
        for shard in 0..self.truth.current.len() {
            let master = self.master(shard);
            self.accept(master);
            if !self.sentinels().is_empty() {
                self.end_failovers(master);
            }
            self.follow_master(shard);
            for node in 0..self.nodes.len() {
                if let Some(claim) = self.nodes[master].cluster.as_ref().map(|cluster| cluster.view.masters[shard]) {
                    self.hear(node, shard, claim);
                }
            }
        }
    }
}
