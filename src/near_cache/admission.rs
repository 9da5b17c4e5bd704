//! The admission of keys to the near cache: most keys of most caches are read so seldom that their values would only
//! evict others.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Slots of the table, a power of two; 256 KiB.
const SLOTS: usize = 1 << 16;

/// A table of the keys that were read last, by their hashes. Two keys of the same slot that are read in turn displace
/// each other, which delays the admission of both.
pub struct AdmissionFilter(Box<[AtomicU32]>);

impl Default for AdmissionFilter {
    fn default() -> Self {
        Self(std::iter::repeat_with(AtomicU32::default).take(SLOTS).collect())
    }
}

impl AdmissionFilter {
    /// Records a read of a key with this hash. Returns true if the key was read before.
    pub fn admits(&self, hash: u64) -> bool {
        let slot = &self.0[usize::try_from(hash).unwrap_or_default() % SLOTS];
        let mark = u32::try_from(hash >> 32).unwrap_or_default().max(1);
        if slot.load(Relaxed) == mark {
            return true;
        }
        slot.store(mark, Relaxed);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_admitted_from_its_second_read_on_until_another_key_takes_its_slot() {
        let filter = AdmissionFilter::default();
        let (one, other, neighbour) = (0x1_0000_0001, 0x2_0000_0001, 0x1_0000_0002);
        assert_eq!(
            [filter.admits(one), filter.admits(one), filter.admits(neighbour), filter.admits(one)],
            [false, true, false, true]
        );
        assert_eq!([filter.admits(other), filter.admits(one)], [false, false]);
        assert_eq!([filter.admits(0), filter.admits(0)], [false, true]);
    }
}
