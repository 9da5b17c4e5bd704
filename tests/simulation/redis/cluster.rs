//! A Redis Cluster: each node has its own view of the masters of the slots, and hears of changes later.

use super::{commands::Outcome, resp};
use crate::world::{Ms, World};
use cachefront::types::Address;
use std::fmt::Write;

/// The number of hash slots.
const SLOTS: usize = 16_384;
const CRC16: crc::Crc<u16> = crc::Crc::<u16>::new(&crc::CRC_16_XMODEM);

/// The master of each shard, and the epoch of its claim, as a node knows them.
pub type View = Vec<(usize, u64)>;

/// Returns the slots of a shard.
fn slots(shard: usize, shards: usize) -> (usize, usize) {
    (shard * SLOTS / shards, (shard + 1) * SLOTS / shards - 1)
}

/// Returns the slot of a key.
fn slot_of(key: &str) -> usize {
    usize::from(CRC16.checksum(key.as_bytes())) % SLOTS
}

/// Returns the shard that has the slot of a key.
pub fn shard_of(key: &str, shards: usize) -> usize {
    let slot = slot_of(key);
    (0..shards).find(|shard| slots(*shard, shards).1 >= slot).expect("all slots have a shard")
}

fn id(node: usize) -> String {
    format!("{:040x}", node + 1)
}

impl World {
    /// Returns the refusal of a command on a key that the node does not serve for this client.
    pub(super) fn redirection(&self, connection: usize, name: &str, key: &str) -> Option<Outcome> {
        let node = self.network.connections[connection].node;
        let view = self.nodes[node].view.as_ref()?;
        let shard = shard_of(key, view.len());
        let is_own = self.nodes[node].shard == shard;
        let session = self.network.connections[connection].session.as_ref().expect("an open session");
        let may_read = session.is_readonly && (name == "GET" || name == "PTTL");
        if is_own && (self.nodes[node].is_master() || may_read) {
            return None;
        }
        let Address { host, port } = &self.nodes[view[shard].0].address;
        Some(Outcome::Answer(resp::error(&format!("MOVED {} {host}:{port}", slot_of(key)))))
    }

    /// Returns the nodes that a node takes for the replicas of a master.
    fn replicas_in_view(&self, shard: usize, master: usize) -> Vec<usize> {
        let of_shard = (0..self.nodes.len()).filter(|node| self.nodes[*node].shard == shard);
        of_shard.filter(|node| *node != master && self.nodes[*node].is_alive).collect()
    }

    /// Returns the answer to `CLUSTER SLOTS`.
    pub(super) fn cluster_slots(&self, node: usize) -> Vec<u8> {
        let view = self.nodes[node].view.clone().unwrap_or_default();
        let entry = |node: usize| {
            let Address { host, port } = &self.nodes[node].address;
            resp::array([resp::bulk(host), resp::integer((*port).into()), resp::bulk(&id(node)), resp::array([])])
        };
        resp::array(view.iter().enumerate().map(|(shard, (master, _))| {
            let (first, last) = slots(shard, view.len());
            let mut parts = vec![
                resp::integer(i64::try_from(first).expect("a slot")),
                resp::integer(i64::try_from(last).expect("a slot")),
                entry(*master),
            ];
            parts.extend(self.replicas_in_view(shard, *master).into_iter().map(entry));
            resp::array(parts)
        }))
    }

    /// Returns the answer to `CLUSTER NODES`.
    pub(super) fn cluster_nodes(&self, asked: usize) -> Vec<u8> {
        let view = self.nodes[asked].view.clone().unwrap_or_default();
        let mut text = String::new();
        for (shard, (master, epoch)) in view.iter().enumerate() {
            let (first, last) = slots(shard, view.len());
            self.write_node(&mut text, (asked, *master), "master", "-", *epoch);
            let _written = writeln!(text, " {first}-{last}");
            for replica in self.replicas_in_view(shard, *master) {
                self.write_node(&mut text, (asked, replica), "slave", &id(*master), *epoch);
                text.push('\n');
            }
        }
        resp::bulk(&text)
    }

    fn write_node(&self, text: &mut String, (asked, node): (usize, usize), role: &str, master: &str, epoch: u64) {
        let Address { host, port } = &self.nodes[node].address;
        let own = if asked == node { "myself," } else { "" };
        let bus = port + 10_000;
        let _written = write!(text, "{} {host}:{port}@{bus} {own}{role} {master} 0 0 {epoch} connected", id(node));
    }

    /// Makes a replica the master of its shard, as the cluster does: the other nodes hear of it later, and the old master
    /// becomes a replica when it does.
    pub fn fail_over(&mut self, node: usize) {
        self.switch_to(node);
        let (shard, epoch) = (self.nodes[node].shard, self.truth.next_id());
        for other in 0..self.nodes.len() {
            let delay: Ms = if other == node { 0 } else { self.rng.range((1, 150)) };
            self.after(delay, move |world| world.at_node(other, move |world| world.hear(other, shard, (node, epoch))));
        }
    }

    /// Takes the claim of a master.
    pub fn hear(&mut self, node: usize, shard: usize, claim: (usize, u64)) {
        let own = &self.nodes[node];
        let Some(view) = own.view.as_ref().filter(|view| own.is_alive && view[shard].1 < claim.1) else { return };
        let mut view = view.clone();
        view[shard] = claim;
        self.nodes[node].view = Some(view);
        if self.nodes[node].shard == shard && node != claim.0 {
            self.replicate_from(node, claim.0);
        }
        self.resume_writes(node);
    }

    /// Makes a node learn the view of another one.
    pub fn learn_view(&mut self, node: usize, from: usize) {
        self.nodes[node].view = self.nodes[from].view.clone();
    }

    /// Lets the clients of a node wait with their changes, as a master does before it hands over.
    pub fn pause_writes(&mut self, node: usize, duration: Ms) {
        self.nodes[node].pauses_writes = true;
        self.after(duration, move |world| world.resume_writes(node));
    }

    fn resume_writes(&mut self, node: usize) {
        if !std::mem::take(&mut self.nodes[node].pauses_writes) {
            return;
        }
        for connection in self.network.open_connections(None, node) {
            let session = self.network.connections[connection].session.as_mut();
            if session.is_some_and(|session| std::mem::take(&mut session.is_paused)) {
                self.run_commands(connection);
            }
        }
    }
}
