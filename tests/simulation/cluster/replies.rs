//! The answers of a node of a cluster about the cluster.

use super::{SLOTS, View};
use crate::{redis::resp, world::World};
use cachefront::types::Address;
use std::fmt::Write;

fn id(node: usize) -> String {
    format!("{:040x}", node + 1)
}

/// Returns the ranges of slots in a view, each with its shard.
fn ranges(view: &View) -> Vec<(usize, usize, usize)> {
    let shards = view.masters.len();
    let mut ends: Vec<usize> = (1..=shards).map(|shard| shard * SLOTS / shards).collect();
    ends.extend(view.moved.keys().flat_map(|slot| [*slot, slot + 1]));
    ends.sort_unstable();
    ends.dedup();
    let mut first = 0;
    let mut found: Vec<(usize, usize, usize)> = Vec::new();
    for end in ends.into_iter().filter(|end| *end > 0) {
        let owner = view.owner(first);
        match found.last_mut() {
            Some(last) if last.2 == owner => last.1 = end - 1,
            _ => found.push((first, end - 1, owner)),
        }
        first = end;
    }
    found
}

impl World {
    fn view(&self, node: usize) -> View {
        self.nodes[node].cluster.as_ref().map(|cluster| cluster.view.clone()).unwrap_or_default()
    }

    /// Returns the nodes that a node takes for the replicas of a master.
    fn replicas_in_view(&self, shard: usize, master: usize) -> Vec<usize> {
        let of_shard = (0..self.nodes.len()).filter(|node| self.nodes[*node].shard == shard);
        of_shard.filter(|node| *node != master && self.nodes[*node].is_alive).collect()
    }

    /// Returns the answer to `CLUSTER SLOTS`.
    pub fn cluster_slots(&self, node: usize) -> Vec<u8> {
        let view = self.view(node);
        let ranges = ranges(&view).into_iter().map(|(first, last, shard)| {
            let master = view.masters[shard].0;
            let mut parts = vec![resp::count(first), resp::count(last), self.slots_entry(master)];
            parts.extend(self.replicas_in_view(shard, master).into_iter().map(|replica| self.slots_entry(replica)));
            resp::array(parts)
        });
        resp::array(ranges.collect::<Vec<_>>())
    }

    fn slots_entry(&self, node: usize) -> Vec<u8> {
        let Address { host, port } = &self.nodes[node].address;
        resp::array([resp::bulk(host), resp::integer((*port).into()), resp::bulk(&id(node)), resp::array([])])
    }

    /// Returns the answer to `CLUSTER NODES`.
    pub fn cluster_nodes(&self, asked: usize) -> Vec<u8> {
        let view = self.view(asked);
        let mut text = String::new();
        for (shard, (master, epoch)) in view.masters.iter().enumerate() {
            self.write_node(&mut text, (asked, *master), "master", "-", *epoch);
            for (first, last, _) in ranges(&view).into_iter().filter(|range| range.2 == shard) {
                let range = if first == last { first.to_string() } else { format!("{first}-{last}") };
                let _written = write!(text, " {range}");
            }
            if asked == *master {
                self.write_moving_slots(&mut text, asked);
            }
            text.push('\n');
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

    fn write_moving_slots(&self, text: &mut String, node: usize) {
        let Some(cluster) = &self.nodes[node].cluster else { return };
        for (slot, target) in &cluster.migrating {
            let _written = write!(text, " [{slot}->-{}]", id(cluster.view.masters[*target].0));
        }
        for slot in &cluster.importing {
            let _written = write!(text, " [{slot}-<-{}]", id(cluster.view.masters[cluster.view.owner(*slot)].0));
        }
    }
}
