//! What the nodes of a Redis Cluster say of it, and what is true where they disagree.
//!
//! `CLUSTER SLOTS` has the addresses that clients are meant to use, `CLUSTER NODES` the epochs: of two claims to one
//! slot the one of the higher configuration epoch is the newer. That is how the nodes themselves come to agree.

use crate::{
    store::shard_map::slots::{self, SLOTS, SlotRange},
    types::Address,
};
use redis::Value;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, HashSet},
};

/// That a master has some slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    slots: SlotRange,
    master: Address,
    /// Sorted.
    replicas: Vec<Address>,
    /// What the cluster calls the master.
    master_id: String,
    /// Configuration epoch of the master; 0 where it is not known.
    epoch: u64,
    /// The master says so itself.
    own: bool,
}

impl Claim {
    /// Of two claims to a slot the one with more of it holds; two that differ never have the same.
    fn strength(&self) -> impl Ord + use<> {
        let master = (self.epoch, self.own, Reverse(self.master.clone()));
        (master, self.replicas.len(), self.replicas.clone())
    }
}

/// A master, its replicas, and the slots that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterShard {
    pub master: Address,
    /// Sorted.
    pub replicas: Vec<Address>,
    pub slots: Vec<SlotRange>,
}

impl ClusterShard {
    pub fn addresses(&self) -> Vec<Address> {
        std::iter::once(&self.master).chain(&self.replicas).cloned().collect()
    }
}

/// Reads the answer to `CLUSTER SLOTS` of the node at `asked`. `None` if it is no such answer.
pub fn read_slots(answer: &Value, asked: &Address) -> Option<Vec<Claim>> {
    let Value::Array(entries) = answer else { return None };
    let claim = |entry: &Value| {
        let Value::Array(parts) = entry else { return None };
        let [Value::Int(start), Value::Int(end), master, replicas @ ..] = &parts[..] else { return None };
        let (start, end) = (u16::try_from(*start).ok()?, u16::try_from(*end).ok()?);
        let (master, master_id) = read_node(master, asked)?;
        let mut replicas: Vec<Address> =
            replicas.iter().filter_map(|node| read_node(node, asked)).map(|(address, _)| address).collect();
        replicas.sort_unstable();
        replicas.dedup();
        let slots = (start <= end && end < SLOTS).then_some(start..=end)?;
        Some(Claim { slots, master, replicas, master_id, epoch: 0, own: false })
    };
    entries.iter().map(claim).collect()
}

/// Address and id of a node. What it does not know of its own address is that at which it was asked.
fn read_node(node: &Value, asked: &Address) -> Option<(Address, String)> {
    let Value::Array(parts) = node else { return None };
    let [host, Value::Int(port), rest @ ..] = &parts[..] else { return None };
    let id = rest.first().and_then(text).unwrap_or_default().to_owned();
    let known = |host: &&str| !host.is_empty() && *host != "?";
    let announced = text(host).filter(known).or_else(|| rest.get(1).and_then(announced_ip).filter(known));
    let host = announced.unwrap_or(&asked.host).to_owned();
    Some((Address { host, port: u16::try_from(*port).ok().filter(|port| *port > 0)? }, id))
}

/// The IP address among a node's metadata, which is there if it should be called by a name but has none.
fn announced_ip(metadata: &Value) -> Option<&str> {
    match metadata {
        Value::Map(pairs) => pairs.iter().find(|(name, _)| text(name) == Some("ip")).and_then(|(_, ip)| text(ip)),
        Value::Array(items) => {
            items.chunks(2).find(|pair| text(&pair[0]) == Some("ip")).and_then(|pair| text(pair.get(1)?))
        }
        _ => None,
    }
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text),
        _ => None,
    }
}

/// One line of the answer to `CLUSTER NODES`.
struct ClusterNodesLine<'a> {
    id: &'a str,
    ip: &'a str,
    port: u16,
    /// Empty where there is none.
    hostname: &'a str,
    flags: &'a str,
    master_id: &'a str,
    epoch: u64,
}

impl<'a> ClusterNodesLine<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let words: Vec<&str> = line.split(' ').collect();
        let [id, place, flags, master_id, _, _, epoch, ..] = words[..] else { return None };
        let (place, names) = place.split_once(',').unwrap_or((place, ""));
        let (ip, port) = place.split('@').next()?.rsplit_once(':')?;
        let hostname = names.split(',').next().unwrap_or_default();
        let (port, epoch) = (port.parse().ok()?, epoch.parse().ok()?);
        Some(Self { id, ip, port, hostname, flags, master_id, epoch })
    }

    fn is(&self, flag: &str) -> bool {
        self.flags.split(',').any(|own| own == flag)
    }

    fn is_replica_of(&self, master_id: &str) -> bool {
        self.master_id == master_id && self.is("slave") && !self.is("noaddr") && !self.is("handshake")
    }
}

/// Adds to claims what the answer to `CLUSTER NODES` of the same node says of their masters: the epochs, and the
/// replicas that are not listed while they cannot be read, so that they are missed. Who may not ask gets neither; then
/// each master's own word counts.
pub fn add_cluster_nodes(claims: &mut [Claim], answer: &Value, asked: &Address) {
    let lines: Vec<ClusterNodesLine<'_>> =
        text(answer).unwrap_or_default().lines().filter_map(ClusterNodesLine::read).collect();
    let by_id: HashMap<&str, &ClusterNodesLine<'_>> = lines.iter().map(|line| (line.id, line)).collect();
    for claim in claims {
        let Some(master) = by_id.get(&*claim.master_id) else { continue };
        (claim.epoch, claim.own) = (master.epoch, master.is("myself"));
        for line in lines.iter().filter(|line| line.is_replica_of(&claim.master_id)) {
            // What the master is called tells what clients are meant to call nodes.
            let host = match &*claim.master.host {
                host if host == master.ip => line.ip,
                host if host == master.hostname => line.hostname,
                _ => "",
            };
            let host = if host.is_empty() { &asked.host } else { host };
            let replica = Address { host: host.to_owned(), port: line.port };
            if !claim.replicas.contains(&replica) {
                claim.replicas.push(replica);
            }
        }
        claim.replicas.sort_unstable();
    }
}

/// What is true, given what several nodes claim. It depends on nothing else, so it is stable.
pub fn agree(views: &[Vec<Claim>]) -> Vec<ClusterShard> {
    let mut claims: Vec<&Claim> = views.iter().flatten().collect();
    // The strongest first, so that no other one takes its place.
    claims.sort_by_cached_key(|claim| Reverse(claim.strength()));
    let mut owners: Vec<Option<usize>> = vec![None; usize::from(SLOTS)];
    for (rank, claim) in claims.iter().enumerate() {
        for slot in claim.slots.clone() {
            owners[usize::from(slot)].get_or_insert(rank);
        }
    }
    // By master: its slots and the rank of its strongest claim.
    let mut groups: BTreeMap<&Address, (Vec<u16>, usize)> = BTreeMap::new();
    for (slot, owner) in (0..SLOTS).zip(owners) {
        let Some(rank) = owner else { continue };
        let (slots, strongest) = groups.entry(&claims[rank].master).or_insert((Vec::new(), rank));
        slots.push(slot);
        *strongest = rank.min(*strongest);
    }
    let masters: HashSet<&Address> = groups.keys().copied().collect();
    let group = |(master, (slots, strongest)): (&&Address, &(Vec<u16>, usize))| {
        // Whoever has slots follows nobody, whatever another node has not heard yet.
        let replicas = claims[*strongest].replicas.iter().filter(|replica| !masters.contains(replica)).cloned();
        ClusterShard {
            master: (*master).clone(),
            replicas: replicas.collect(),
            slots: slots::ranges(slots.iter().copied()),
        }
    };
    let mut agreed: Vec<ClusterShard> = groups.iter().map(group).collect();
    agreed.sort_unstable_by_key(|group| group.slots.first().map(|range| *range.start()));
    agreed
}

#[cfg(test)]
mod tests;
