//! The views of several nodes on their Redis Cluster, and the layout that follows from them.
//!
//! `CLUSTER SLOTS` has the addresses that clients are meant to use, `CLUSTER NODES` has the epochs. Of two claims to
//! one slot, the claim with the higher configuration epoch is newer. The nodes themselves use the same rule.

use crate::{
    store::{
        protocol::server_text::is_host,
        shard_map::slots::{self, SLOTS, SlotRange},
    },
    types::Address,
};
use redis::Value;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, HashSet},
};

/// A node's statement that a master has a range of slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    slots: SlotRange,
    master: Address,
    /// The replicas of the master, sorted.
    replicas: Vec<Address>,
    /// The id of the master in the cluster.
    master_id: String,
    /// The configuration epoch of the master; 0 if it is not known.
    epoch: u64,
    /// True if the master itself made the claim.
    from_master: bool,
}

impl Claim {
    /// Returns the order of claims: of two claims to one slot, the greater one wins. Two different claims never have
    /// equal strength.
    fn strength(&self) -> impl Ord + use<> {
        let master = (self.epoch, self.from_master, Reverse(self.master.clone()));
        (master, self.replicas.len(), self.replicas.clone())
    }
}

/// A shard of a Redis Cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterShard {
    /// The address of the master.
    pub master: Address,
    /// The addresses of the replicas, sorted.
    pub replicas: Vec<Address>,
    /// The slots of the shard.
    pub slots: Vec<SlotRange>,
}

impl ClusterShard {
    /// Returns the addresses of all nodes, the master first.
    pub fn addresses(&self) -> Vec<Address> {
        std::iter::once(&self.master).chain(&self.replicas).cloned().collect()
    }
}

/// Parses the answer of the node at `asked` to `CLUSTER SLOTS`; `None` if it has another form.
pub fn parse_slots(answer: &Value, asked: &Address) -> Option<Vec<Claim>> {
    let Value::Array(entries) = answer else { return None };
    entries.iter().map(|entry| parse_claim(entry, asked)).collect()
}

fn parse_claim(entry: &Value, asked: &Address) -> Option<Claim> {
    let Value::Array(parts) = entry else { return None };
    let [Value::Int(start), Value::Int(end), master, replicas @ ..] = &parts[..] else { return None };
    let (start, end) = (u16::try_from(*start).ok()?, u16::try_from(*end).ok()?);
    let (master, master_id) = parse_node(master, asked)?;
    let mut replicas: Vec<Address> =
        replicas.iter().filter_map(|node| parse_node(node, asked)).map(|(address, _)| address).collect();
    replicas.sort_unstable();
    replicas.dedup();
    let slots = (start <= end && end < SLOTS).then_some(start..=end)?;
    Some(Claim { slots, master, replicas, master_id, epoch: 0, from_master: false })
}

/// Parses the address and the id of a node. The host is that of `asked` if the node does not know its own.
fn parse_node(node: &Value, asked: &Address) -> Option<(Address, String)> {
    let Value::Array(parts) = node else { return None };
    let [host, Value::Int(port), rest @ ..] = &parts[..] else { return None };
    let id = rest.first().and_then(text).unwrap_or_default().to_owned();
    // A node sends an empty text or `?` if it does not know a host.
    let preferred = text(host).filter(|host| is_host(host));
    let announced = preferred.or_else(|| rest.get(1).and_then(announced_ip).filter(|ip| is_host(ip)));
    let host = announced.unwrap_or(&asked.host).to_owned();
    Some((Address { host, port: u16::try_from(*port).ok().filter(|port| *port > 0)? }, id))
}

/// Returns the IP address in a node's metadata, which a node sends if it prefers a host name but has none.
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

/// A line of the answer to `CLUSTER NODES`.
struct ClusterNodesLine<'a> {
    id: &'a str,
    ip: &'a str,
    port: u16,
    /// The host name; empty if the node has none.
    hostname: &'a str,
    flags: &'a str,
    master_id: &'a str,
    epoch: u64,
}

impl<'a> ClusterNodesLine<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let words: Vec<&str> = line.split(' ').collect();
        let [id, address, flags, master_id, _, _, epoch, ..] = words[..] else { return None };
        let (address, names) = address.split_once(',').unwrap_or((address, ""));
        let (ip, port) = address.split('@').next()?.rsplit_once(':')?;
        let hostname = names.split(',').next().unwrap_or_default();
        let (port, epoch) = (port.parse().ok()?, epoch.parse().ok()?);
        Some(Self { id, ip, port, hostname, flags, master_id, epoch })
    }

    fn has_flag(&self, flag: &str) -> bool {
        self.flags.split(',').any(|own| own == flag)
    }

    fn is_replica_of(&self, master_id: &str) -> bool {
        self.master_id == master_id && self.has_flag("slave") && !self.has_flag("noaddr") && !self.has_flag("handshake")
    }
}

/// Adds the epochs of the masters from the same node's answer to `CLUSTER NODES`, and the replicas that `CLUSTER SLOTS`
/// omits while they are unreadable. Without permission for `CLUSTER NODES` both are missing; the strongest claims are
/// then those of the masters themselves.
pub fn add_cluster_nodes(claims: &mut [Claim], answer: &Value, asked: &Address) {
    let lines: Vec<ClusterNodesLine<'_>> =
        text(answer).unwrap_or_default().lines().filter_map(ClusterNodesLine::parse).collect();
    let by_id: HashMap<&str, &ClusterNodesLine<'_>> = lines.iter().map(|line| (line.id, line)).collect();
    for claim in claims {
        let Some(master) = by_id.get(&*claim.master_id) else { continue };
        (claim.epoch, claim.from_master) = (master.epoch, master.has_flag("myself"));
        for line in lines.iter().filter(|line| line.is_replica_of(&claim.master_id)) {
            // The form of the master's host is the form in which clients are meant to address nodes.
            let host = match &*claim.master.host {
                host if host == master.ip => line.ip,
                host if host == master.hostname => line.hostname,
                _ => "",
            };
            let host = if is_host(host) { host } else { &asked.host };
            let replica = Address { host: host.to_owned(), port: line.port };
            if !claim.replicas.contains(&replica) {
                claim.replicas.push(replica);
            }
        }
        claim.replicas.sort_unstable();
    }
}

/// Returns the slots that a node says, in its answer to `CLUSTER NODES`, that it is importing or giving away.
pub fn moving_slots(answer: &Value) -> Vec<u16> {
    // Only the node's own line has them: `[93-<-ID]` is imported, `[77->-ID]` is given away.
    let own = text(answer).unwrap_or_default().lines().find(|line| line.contains("myself"));
    let words = own.into_iter().flat_map(|line| line.split(' ').skip(8));
    words.filter_map(|word| word.strip_prefix('[')?.split_once('-')?.0.parse().ok()).collect()
}

/// The slots that no claim has taken yet. Most claims repeat those of other nodes, and cost little.
struct UnclaimedSlots {
    /// For each slot a slot at or after it, before which no other one is unclaimed; the slot itself if it is unclaimed.
    next: Vec<u16>,
}

impl UnclaimedSlots {
    fn new() -> Self {
        Self { next: (0..=SLOTS).collect() }
    }

    /// Takes the unclaimed slots of a range, and calls `on_taken` with each of them.
    fn take(&mut self, range: &SlotRange, mut on_taken: impl FnMut(u16)) {
        let mut slot = self.first_from(*range.start());
        while slot <= *range.end() {
            on_taken(slot);
            self.next[usize::from(slot)] = slot + 1;
            slot = self.first_from(slot + 1);
        }
    }

    /// Returns the first unclaimed slot at or after this one; the number of all slots if there is none.
    fn first_from(&mut self, slot: u16) -> u16 {
        let mut first = slot;
        while self.next[usize::from(first)] != first {
            first = self.next[usize::from(first)];
        }
        // The next search from here takes one step.
        let mut passed = slot;
        while passed != first {
            passed = std::mem::replace(&mut self.next[usize::from(passed)], first);
        }
        first
    }
}

/// Returns the layout that follows from the claims of several nodes. The order of the views does not matter.
pub fn agree(views: &[Vec<Claim>]) -> Vec<ClusterShard> {
    let mut claims: Vec<&Claim> = views.iter().flatten().collect();
    // Claims are in descending order of strength, so the first claim to a slot wins.
    claims.sort_by_cached_key(|claim| Reverse(claim.strength()));
    let mut owners: Vec<Option<usize>> = vec![None; usize::from(SLOTS)];
    let mut unclaimed = UnclaimedSlots::new();
    for (rank, claim) in claims.iter().enumerate() {
        unclaimed.take(&claim.slots, |slot| owners[usize::from(slot)] = Some(rank));
    }
    // The slots of each master, and the rank of its strongest claim.
    let mut by_master: BTreeMap<&Address, (Vec<u16>, usize)> = BTreeMap::new();
    for (slot, owner) in (0..SLOTS).zip(owners) {
        let Some(rank) = owner else { continue };
        let (slots, strongest) = by_master.entry(&claims[rank].master).or_insert((Vec::new(), rank));
        slots.push(slot);
        *strongest = rank.min(*strongest);
    }
    let masters: HashSet<&Address> = by_master.keys().copied().collect();
    let mut layout = Vec::with_capacity(by_master.len());
    for (master, (slots, strongest)) in by_master {
        // A node with slots is no replica, even if another node's view is older.
        let replicas = claims[strongest].replicas.iter().filter(|replica| !masters.contains(replica)).cloned();
        layout.push(ClusterShard {
            master: master.clone(),
            replicas: replicas.collect(),
            slots: slots::ranges(slots.into_iter()),
        });
    }
    layout.sort_unstable_by_key(|shard| shard.slots.first().map(|range| *range.start()));
    layout
}

#[cfg(test)]
mod tests;
