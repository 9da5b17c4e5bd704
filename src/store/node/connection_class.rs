//! The two classes of connections: one for all commands, and one for large values, which would delay the commands
//! behind them.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Size from which a value is large. Smaller values do not delay other commands much.
pub const LARGE_BYTES: usize = 64 * 1024;
/// Number of entries in the table of large keys; a power of two.
const ENTRIES: usize = 4096;

/// The position of a connection in the pool of its node.
pub type ConnectionNumber = usize;

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

/// The keys whose values were large when they were last transferred, and the sizes of these values. Two keys that share
/// an entry replace each other; then a large value uses a connection of the default class.
pub struct LargeKeys {
    /// The upper half of a key's hash, and the size of its value in KiB in the lower half; 0 for an empty entry.
    entries: Box<[AtomicU64]>,
}

impl Default for LargeKeys {
    fn default() -> Self {
        Self { entries: std::iter::repeat_with(AtomicU64::default).take(ENTRIES).collect() }
    }
}

impl LargeKeys {
    /// Returns the class of the connection over which to read the key with this hash.
    pub fn class_for(&self, hash: u64) -> ConnectionClass {
        if self.bytes(hash).is_some() { ConnectionClass::LargeValue } else { ConnectionClass::Default }
    }

    /// Returns the size of the value of the key with this hash, rounded up; `None` if it is not known to be large.
    pub fn bytes(&self, hash: u64) -> Option<usize> {
        let entry = self.entry(hash).load(Relaxed);
        (entry >> 32 == tag(hash)).then(|| usize::try_from(entry & u64::from(u32::MAX)).unwrap_or(usize::MAX) * 1024)
    }

    /// Records the size of the value of the key with this hash.
    pub fn record(&self, hash: u64, bytes: usize) {
        let entry = self.entry(hash);
        let before = entry.load(Relaxed);
        let after = match ConnectionClass::for_value_bytes(bytes) {
            ConnectionClass::LargeValue => {
                (tag(hash) << 32) | u64::from(u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX))
            }
            ConnectionClass::Default if before >> 32 == tag(hash) => 0,
            ConnectionClass::Default => before,
        };
        if after != before {
            entry.store(after, Relaxed);
        }
    }

    fn entry(&self, hash: u64) -> &AtomicU64 {
        &self.entries[usize::try_from(hash).unwrap_or_default() % ENTRIES]
    }
}

fn tag(hash: u64) -> u64 {
    (hash >> 32).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_large_from_its_first_large_value_to_its_next_small_one() {
        let keys = LargeKeys::default();
        let (hash, neighbour) = (0xABCD_0000_0000_0001, 0x1234_0000_0000_0001);
        assert_eq!(keys.class_for(hash), ConnectionClass::Default);
        keys.record(hash, LARGE_BYTES - 1);
        assert_eq!(keys.class_for(hash), ConnectionClass::Default);
        keys.record(hash, LARGE_BYTES + 1);
        assert_eq!(
            (keys.class_for(hash), keys.class_for(neighbour)),
            (ConnectionClass::LargeValue, ConnectionClass::Default)
        );
        assert_eq!(keys.bytes(hash), Some(LARGE_BYTES + 1024));
        keys.record(neighbour, 1);
        assert_eq!(keys.bytes(hash), Some(LARGE_BYTES + 1024), "a small value takes nobody's entry");
        keys.record(hash, 1);
        assert_eq!(keys.class_for(hash), ConnectionClass::Default);
    }

    #[test]
    fn a_key_whose_hash_is_zero_can_be_large() {
        let keys = LargeKeys::default();
        keys.record(0, LARGE_BYTES);
        assert_eq!(keys.class_for(0), ConnectionClass::LargeValue);
    }
}
