//! Keys that belong to another shard than the one that holds them.

use crate::{
    ring::{Ring, key_hash},
    store::shard::Shard,
};
use std::sync::Arc;

/// A key that the ring gives to another shard than the one on which it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MisplacedKey {
    /// The key as Redis has it, with the client's namespace.
    pub name: Vec<u8>,
    /// The name of the shard that the key belongs to.
    pub owner: Arc<str>,
}

/// Returns those of the keys that do not belong to the shard at `position` of `shards`.
pub fn split(keys: Vec<Vec<u8>>, ring: &Ring, position: usize, shards: &[Arc<Shard>]) -> Vec<MisplacedKey> {
    keys.into_iter()
        .filter_map(|name| {
            let owner = ring.owner(key_hash(&name));
            (owner != position).then(|| MisplacedKey { name, owner: shards[owner].name() })
        })
        .collect()
}
