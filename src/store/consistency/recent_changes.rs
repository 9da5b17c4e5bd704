//! The time of the last change of each key, by the hash of the key.

use super::{
    clock::{Clock, LogicalTime},
    requirement::{Freshness, ReadRequirement},
};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Number of entries in the table; a power of two. With this 1 MiB, 20,000 changes between two probes of the replicas
/// send one read in seven to the master without need.
const ENTRIES: usize = 1 << 17;

/// The time of the last change of each key.
pub struct RecentChanges {
    /// The clock of this process.
    pub clock: Clock,
    /// The times of the last changes, in milliseconds, by the hash of the key.
    entries: Box<[AtomicU64]>,
}

impl RecentChanges {
    /// Creates a table without changes.
    pub fn new(clock: Clock) -> Self {
        Self { clock, entries: std::iter::repeat_with(AtomicU64::default).take(ENTRIES).collect() }
    }

    /// Records that a key with this hash was changed, or may have been. Returns the time of the change, which is not
    /// before now.
    pub fn record(&self, hash: u64) -> LogicalTime {
        let time = self.clock.now().plus_ms(1);
        self.entry(hash).fetch_max(time.ms(), Relaxed);
        time
    }

    /// Returns the requirements of a read of the key with this hash.
    pub fn requirement(&self, hash: u64, freshness: Freshness) -> ReadRequirement {
        let changed = LogicalTime::from_ms(self.entry(hash).load(Relaxed));
        let (since, strict, master_only) = match freshness {
            Freshness::ReadYourWrites => (changed, false, false),
            Freshness::Since(time) => (changed.max(time), time > LogicalTime::ZERO, false),
            Freshness::Master => (changed, true, true),
        };
        ReadRequirement { hash, since, strict, master_only, watch: None }
    }

    fn entry(&self, hash: u64) -> &AtomicU64 {
        // Any bits of the hash will do; these are the upper ones.
        let position = usize::try_from(hash >> 40).unwrap_or_default() % ENTRIES;
        &self.entries[position]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_change_of_a_key_is_the_time_that_reads_require() {
        let changes = RecentChanges::new(Clock::default());
        let hash = 0xABCD << 40;
        assert_eq!(changes.requirement(hash, Freshness::ReadYourWrites).since, LogicalTime::ZERO);
        let changed = changes.record(hash);
        assert!(changed > LogicalTime::ZERO);
        let requirement = changes.requirement(hash, Freshness::ReadYourWrites);
        assert_eq!((requirement.since, requirement.strict), (changed, false));
        assert_eq!(changes.requirement(0x1234 << 40, Freshness::ReadYourWrites).since, LogicalTime::ZERO);
    }

    #[test]
    fn a_read_with_a_time_requires_the_later_one_of_the_time_and_the_last_change() {
        let changes = RecentChanges::new(Clock::default());
        let hash = 0xABCD << 40;
        let changed = changes.record(hash);
        let later = changed.plus_ms(5);
        let requirement = changes.requirement(hash, Freshness::Since(later));
        assert_eq!((requirement.since, requirement.strict), (later, true));
        assert_eq!(changes.requirement(hash, Freshness::Since(LogicalTime::ZERO)).since, changed);
        assert!(changes.requirement(hash, Freshness::Master).master_only);
    }
}
