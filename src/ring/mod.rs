//! The mapping of keys to shards and of keys to replicas: pure functions of names and bytes.
//!
//! Invariant: the mapping is frozen. All instances of all releases find a key on the same shard; golden rows in the
//! tests prove it. The hash is XXH3-64, whose specification is frozen, unlike that of `std::hash`.

mod weight;

pub use weight::{POINTS_PER_WEIGHT, Weight, WeightError};

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// A consistent-hash ring over shard names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ring {
    /// The hashes of the points, in ascending order.
    points: Box<[u64]>,
    /// The position of each point's shard.
    owners: Box<[u16]>,
}

impl Ring {
    /// Builds the ring of shards, each with its name and weight. [`Ring::owner`] returns positions in this list.
    ///
    /// # Panics
    /// Panics if there are more than 65,536 shards.
    pub fn new<'a>(shards: impl IntoIterator<Item = (&'a str, Weight)>) -> Self {
        let mut placed = Vec::new();
        for (position, (name, weight)) in shards.into_iter().enumerate() {
            let owner = u16::try_from(position).expect("at most 65,536 shards");
            placed.extend((0..weight.points()).map(|number| (point(name, number), name, owner)));
        }
        // Equal points are sorted by name, so that the order of the list does not matter.
        placed.sort_unstable();
        Self {
            points: placed.iter().map(|(hash, ..)| *hash).collect(),
            owners: placed.iter().map(|(.., owner)| *owner).collect(),
        }
    }

    /// Returns the position of the shard of a key with this [`key_hash`]: the owner of the first point at or after it,
    /// wrapping around.
    ///
    /// # Panics
    /// Panics if the ring has no shards.
    pub fn owner(&self, key_hash: u64) -> usize {
        let next = self.points.partition_point(|point| *point < key_hash);
        let wrapped = if next == self.points.len() { 0 } else { next };
        usize::from(self.owners[wrapped])
    }

    /// Returns the share of the ring that each of `shards` owns. The shares add up to 1.
    pub fn shares(&self, shards: usize) -> Vec<f64> {
        let mut shares = vec![0.0; shards];
        let mut previous = self.points.last().copied().unwrap_or_default();
        for (point, owner) in self.points.iter().zip(&self.owners) {
            // The first arc crosses zero; the wrapping subtraction is correct there, too.
            #[expect(clippy::cast_precision_loss, reason = "a share is for display")]
            let arc = point.wrapping_sub(previous) as f64 / 2f64.powi(64);
            shares[usize::from(*owner)] += arc;
            previous = *point;
        }
        shares
    }

    /// Returns the weight of each of `shards`.
    pub fn weights(&self, shards: usize) -> Vec<Weight> {
        let mut points = vec![0; shards];
        for owner in &self.owners {
            points[usize::from(*owner)] += 1;
        }
        points.into_iter().map(Weight::of_points).collect()
    }
}

/// Returns point `number` of a shard: XXH3-64 of the name followed by the number as four little-endian bytes.
fn point(name: &str, number: u32) -> u64 {
    let mut bytes = Vec::with_capacity(name.len() + 4);
    bytes.extend_from_slice(name.as_bytes());
    bytes.extend_from_slice(&number.to_le_bytes());
    xxh3_64(&bytes)
}

/// Returns the hash of a full key: XXH3-64 of its [`hash_tag`].
pub fn key_hash(key: &[u8]) -> u64 {
    xxh3_64(hash_tag(key))
}

/// Returns the part of a key that decides its shard: the text between the first `{` and the next `}` if that is not
/// empty, else the whole key.
///
/// Redis Cluster has the same rule, so that keys with one tag stay together if a user moves to a cluster.
pub fn hash_tag(key: &[u8]) -> &[u8] {
    let Some(open) = key.iter().position(|byte| *byte == b'{') else { return key };
    let rest = &key[open + 1..];
    match rest.iter().position(|byte| *byte == b'}') {
        None | Some(0) => key,
        Some(close) => &rest[..close],
    }
}

/// Returns the seed of a node for [`rendezvous_score`]: XXH3-64 of its `host:port`.
pub fn node_seed(address: &str) -> u64 {
    xxh3_64(address.as_bytes())
}

/// Returns the score of a node for a key. The node with the highest score is preferred (rendezvous hashing). If a node
/// is lost, its keys are spread over the others, and no other key moves.
pub fn rendezvous_score(key_hash: u64, node_seed: u64) -> u64 {
    xxh3_64_with_seed(&key_hash.to_le_bytes(), node_seed)
}

#[cfg(test)]
mod tests;
