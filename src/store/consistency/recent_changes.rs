//! The last change of each key, by the hash of the key.

use super::{Clock, Freshness, LogicalTime, ReadRequirement};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Places in the table of changes; a power of two. With 1 MiB, 20,000 changes in the time that replicas need to be
/// asked send one read in seven to the master for nothing.
const ENTRIES: usize = 1 << 17;
/// When what was changed.
pub struct RecentChanges {
    pub clock: Clock,
    /// By hash of the key: the moment of the last change.
    entries: Box<[AtomicU64]>,
}

impl RecentChanges {
    pub fn new(clock: Clock) -> Self {
        Self { clock, entries: std::iter::repeat_with(AtomicU64::default).take(ENTRIES).collect() }
    }

    /// Notes that a key with this hash was changed, or may have been. Returns the moment, which is not before now.
    pub fn record(&self, hash: u64) -> LogicalTime {
        let moment = LogicalTime::from_ms(self.clock.now().ms() + 1);
        self.entry(hash).fetch_max(moment.ms(), Relaxed);
        moment
    }

    /// What a read of the key with this hash has to look for.
    pub fn requirement(&self, hash: u64, freshness: Freshness) -> ReadRequirement {
        let own = LogicalTime::from_ms(self.entry(hash).load(Relaxed));
        match freshness {
            Freshness::ReadYourWrites => ReadRequirement { hash, since: own, strict: false, master_only: false },
            Freshness::Since(moment) => {
                ReadRequirement { hash, since: own.max(moment), strict: moment > LogicalTime::ZERO, master_only: false }
            }
            Freshness::Master => ReadRequirement { hash, since: own, strict: true, master_only: true },
        }
    }

    fn entry(&self, hash: u64) -> &AtomicU64 {
        // The upper bits: the lower ones are not needed to tell shards apart, nor are they here.
        let position = usize::try_from(hash >> 40).unwrap_or_default() % ENTRIES;
        &self.entries[position]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(ms: u64) -> LogicalTime {
        LogicalTime::from_ms(ms)
    }

    #[test]
    fn a_change_is_remembered_under_its_hash_and_never_forgotten_for_an_older_one() {
        let changes = RecentChanges::new(Clock::default());
        let hash = 0xABCD << 40;
        assert_eq!(changes.requirement(hash, Freshness::ReadYourWrites).since, LogicalTime::ZERO);
        let noted = changes.record(hash);
        assert!(noted > LogicalTime::ZERO);
        let wish = changes.requirement(hash, Freshness::ReadYourWrites);
        assert_eq!((wish.since, wish.strict), (noted, false));
        let wish = changes.requirement(hash, Freshness::Since(moment(noted.ms() + 5)));
        assert_eq!((wish.since, wish.strict), (moment(noted.ms() + 5), true));
        assert_eq!(changes.requirement(hash, Freshness::Since(moment(0))).since, noted);
        assert!(changes.requirement(hash, Freshness::Master).master_only);
        assert_eq!(changes.requirement(0x1234 << 40, Freshness::ReadYourWrites).since, LogicalTime::ZERO);
    }
}
