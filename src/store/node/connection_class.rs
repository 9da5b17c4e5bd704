//! Two kinds of connections to a node: one for everything, and one for large values, which would hold up what comes
//! after them.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Values from this size on travel apart; below it they do not hold up others for long.
pub const LARGE_BYTES: usize = 64 * 1024;
/// Places in the table of large keys; a power of two.
const PLACES: usize = 4096;

/// The connection to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    Usual,
    /// For large values. It is opened when it is first asked for; until it is there, the usual one serves.
    Bulk,
}

impl Lane {
    /// For a value of this size.
    pub fn of(bytes: usize) -> Self {
        if bytes >= LARGE_BYTES { Self::Bulk } else { Self::Usual }
    }
}

/// Keys whose values were found to be large lately. Two keys that share a place push each other out, which only sends
/// a value the usual way.
pub struct LargeKeys {
    /// Upper halves of the hashes, 0 for none.
    places: Box<[AtomicU32]>,
}

impl Default for LargeKeys {
    fn default() -> Self {
        Self { places: std::iter::repeat_with(AtomicU32::default).take(PLACES).collect() }
    }
}

impl LargeKeys {
    /// The connection to read a key with this hash over.
    pub fn lane(&self, hash: u64) -> Lane {
        let (place, mark) = self.place(hash);
        if place.load(Relaxed) == mark { Lane::Bulk } else { Lane::Usual }
    }

    /// Notes how large the value of a key with this hash is, which was sent over `lane`.
    pub fn note(&self, hash: u64, lane: Lane, bytes: usize) {
        let fitting = Lane::of(bytes);
        if fitting != lane {
            let (place, mark) = self.place(hash);
            place.store(if fitting == Lane::Bulk { mark } else { 0 }, Relaxed);
        }
    }

    fn place(&self, hash: u64) -> (&AtomicU32, u32) {
        let position = usize::try_from(hash).unwrap_or_default() % PLACES;
        (&self.places[position], u32::try_from(hash >> 32).unwrap_or_default().max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_large_from_when_it_was_found_so_until_it_was_found_small() {
        let keys = LargeKeys::default();
        let (hash, neighbour) = (0xABCD_0000_0000_0001, 0x1234_0000_0000_0001);
        assert_eq!(keys.lane(hash), Lane::Usual);
        keys.note(hash, Lane::Usual, LARGE_BYTES - 1);
        assert_eq!(keys.lane(hash), Lane::Usual);
        keys.note(hash, Lane::Usual, LARGE_BYTES);
        assert_eq!((keys.lane(hash), keys.lane(neighbour)), (Lane::Bulk, Lane::Usual));
        keys.note(hash, Lane::Bulk, LARGE_BYTES);
        assert_eq!(keys.lane(hash), Lane::Bulk);
        keys.note(hash, Lane::Bulk, 1);
        assert_eq!(keys.lane(hash), Lane::Usual);
        keys.note(0, Lane::Usual, LARGE_BYTES);
        assert_eq!(keys.lane(0), Lane::Bulk);
    }
}
