//! Keys that were read before: most keys of most caches are read so seldom that keeping them would only push out others.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Places in the table, a power of two; 256 KiB.
const PLACES: usize = 1 << 16;

/// The last key that was read, for each place. Two that share a place and are read in turn displace each other, which
/// delays the keeping of either.
pub struct AdmissionFilter(Box<[AtomicU32]>);

impl Default for AdmissionFilter {
    fn default() -> Self {
        Self(std::iter::repeat_with(AtomicU32::default).take(PLACES).collect())
    }
}

impl AdmissionFilter {
    /// Notes that a key with this hash is read; tells whether it was before.
    pub fn admits(&self, hash: u64) -> bool {
        let place = &self.0[usize::try_from(hash).unwrap_or_default() % PLACES];
        let mark = u32::try_from(hash >> 32).unwrap_or_default().max(1);
        if place.load(Relaxed) == mark {
            return true;
        }
        place.store(mark, Relaxed);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_was_seen_from_the_second_time_on_until_another_one_took_its_place() {
        let seen = AdmissionFilter::default();
        let (one, other, neighbour) = (0x1_0000_0001, 0x2_0000_0001, 0x1_0000_0002);
        assert_eq!(
            [seen.admits(one), seen.admits(one), seen.admits(neighbour), seen.admits(one)],
            [false, true, false, true]
        );
        assert_eq!([seen.admits(other), seen.admits(one)], [false, false]);
        assert_eq!([seen.admits(0), seen.admits(0)], [false, true]);
    }
}
