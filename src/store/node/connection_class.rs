//! Two kinds of connections to a node: one for everything, and one for large values, which would hold up what comes
//! after them.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Values from this size on travel apart; below it they do not hold up others for long.
pub const LARGE_BYTES: usize = 64 * 1024;
/// Places in the table of large keys; a power of two.
const ENTRIES: usize = 4096;

/// The connection to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionClass {
    Default,
    /// For large values. It is opened when it is first asked for; until it is there, the usual one serves.
    LargeValue,
}

impl ConnectionClass {
    /// For a value of this size.
    pub fn for_value_bytes(bytes: usize) -> Self {
        if bytes >= LARGE_BYTES { Self::LargeValue } else { Self::Default }
    }
}

/// Keys whose values were found to be large lately. Two keys that share a place push each other out, which only sends
/// a value the usual way.
pub struct LargeKeys {
    /// Upper halves of the hashes, 0 for none.
    entries: Box<[AtomicU32]>,
}

impl Default for LargeKeys {
    fn default() -> Self {
        Self { entries: std::iter::repeat_with(AtomicU32::default).take(ENTRIES).collect() }
    }
}

impl LargeKeys {
    /// The connection to read a key with this hash over.
    pub fn class_for(&self, hash: u64) -> ConnectionClass {
        let (place, mark) = self.entry(hash);
        if place.load(Relaxed) == mark { ConnectionClass::LargeValue } else { ConnectionClass::Default }
    }

    /// Notes how large the value of a key with this hash is, which was sent over `lane`.
    pub fn record(&self, hash: u64, lane: ConnectionClass, bytes: usize) {
        let fitting = ConnectionClass::for_value_bytes(bytes);
        if fitting != lane {
            let (place, mark) = self.entry(hash);
            place.store(if fitting == ConnectionClass::LargeValue { mark } else { 0 }, Relaxed);
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
    fn a_key_is_large_from_when_it_was_found_so_until_it_was_found_small() {
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
        keys.record(0, ConnectionClass::Default, LARGE_BYTES);
        assert_eq!(keys.class_for(0), ConnectionClass::LargeValue);
    }
}
