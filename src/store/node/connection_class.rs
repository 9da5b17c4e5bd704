//! The two classes of connections: one for all commands, and one for large values, which would delay the commands
//! behind them.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Size from which a value is large. Smaller values do not delay other commands much.
pub const LARGE_BYTES: usize = 64 * 1024;
/// Number of entries in the table of large keys; a power of two.
const ENTRIES: usize = 4096;

/// The class of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionClass {
    /// The connections for all commands.
    Default,
    /// The connection for large values. It is opened when it is first needed; until it is open, another one is used.
    LargeValue,
}

impl ConnectionClass {
    /// Returns the class for a value of this size.
    pub fn for_value_bytes(bytes: usize) -> Self {
        if bytes >= LARGE_BYTES { Self::LargeValue } else { Self::Default }
    }
}

/// The keys whose values were large when they were last transferred. Two keys that share an entry replace each other;
/// then a large value uses a connection of the default class.
pub struct LargeKeys {
    /// The upper halves of the hashes of keys; 0 for an empty entry.
    entries: Box<[AtomicU32]>,
}

impl Default for LargeKeys {
    fn default() -> Self {
        Self { entries: std::iter::repeat_with(AtomicU32::default).take(ENTRIES).collect() }
    }
}

impl LargeKeys {
    /// Returns the class of the connection over which to read the key with this hash.
    pub fn class_for(&self, hash: u64) -> ConnectionClass {
        let (entry, tag) = self.entry(hash);
        if entry.load(Relaxed) == tag { ConnectionClass::LargeValue } else { ConnectionClass::Default }
    }

    /// Records the size of the value of the key with this hash. `used` is the class of the connection over which the
    /// value was transferred.
    pub fn record(&self, hash: u64, used: ConnectionClass, bytes: usize) {
        let right = ConnectionClass::for_value_bytes(bytes);
        if right != used {
            let (entry, tag) = self.entry(hash);
            entry.store(if right == ConnectionClass::LargeValue { tag } else { 0 }, Relaxed);
        }
    }

    fn entry(&self, hash: u64) -> (&AtomicU32, u32) {
        let position = usize::try_from(hash).unwrap_or_default() % ENTRIES;
        (&self.entries[position], u32::try_from(hash >> 32).unwrap_or_default().max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_large_from_its_first_large_value_to_its_next_small_one() {
        let keys = LargeKeys::default();
        let (hash, neighbour) = (0xABCD_0000_0000_0001, 0x1234_0000_0000_0001);
        assert_eq!(keys.class_for(hash), ConnectionClass::Default);
        keys.record(hash, ConnectionClass::Default, LARGE_BYTES - 1);
        assert_eq!(keys.class_for(hash), ConnectionClass::Default);
        keys.record(hash, ConnectionClass::Default, LARGE_BYTES);
        assert_eq!(
            (keys.class_for(hash), keys.class_for(neighbour)),
            (ConnectionClass::LargeValue, ConnectionClass::Default)
        );
        keys.record(hash, ConnectionClass::LargeValue, LARGE_BYTES);
        assert_eq!(keys.class_for(hash), ConnectionClass::LargeValue);
        keys.record(hash, ConnectionClass::LargeValue, 1);
        assert_eq!(keys.class_for(hash), ConnectionClass::Default);
    }

    #[test]
    fn a_key_whose_hash_is_zero_can_be_large() {
        let keys = LargeKeys::default();
        keys.record(0, ConnectionClass::Default, LARGE_BYTES);
        assert_eq!(keys.class_for(0), ConnectionClass::LargeValue);
    }
}
