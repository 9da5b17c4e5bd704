//! The time of the last change of each key, by the hash of the key.

use super::{
    clock::{Clock, LogicalTime},
    left_value::{LeftDigest, LeftValue},
    requirement::{Freshness, ReadRequirement},
};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Number of entries in the table; a power of two. With these 2 MiB, 20,000 changes between two probes of the replicas
/// send one read in seven to the master without need.
const ENTRIES: usize = 1 << 17;

/// The last change of each key.
pub struct RecentChanges {
    /// The clock of this process.
    pub clock: Clock,
    /// The last changes, by the hash of the key.
    entries: Box<[LastChange]>,
}

/// The last change of the keys that share an entry.
#[derive(Default)]
struct LastChange {
    /// The time of the change, in milliseconds.
    at: AtomicU64,
    /// The value that it has left.
    left: LeftValue,
}

/// The value that a change has left.
#[derive(Clone, Copy)]
pub enum ChangedTo<'v> {
    /// The change failed, or may have failed.
    Unknown,
    /// The key does not exist.
    Missing,
    /// The key has this value.
    Bytes(&'v [u8]),
}

impl RecentChanges {
    /// Creates a table without changes.
    pub fn new(clock: Clock) -> Self {
        Self { clock, entries: std::iter::repeat_with(LastChange::default).take(ENTRIES).collect() }
    }

    /// Records that a change of a key with this hash begins; [`RecentChanges::end`] has to follow.
    pub fn begin(&self, hash: u64) {
        self.entry(hash).left.begin();
    }

    /// Records that a key with this hash was changed, or may have been, and the value that it has now. Returns the time of
    /// the change, which is not before now.
    pub fn end(&self, hash: u64, changed_to: ChangedTo<'_>) -> LogicalTime {
        let (time, entry) = (self.clock.now().plus_ms(1), self.entry(hash));
        entry.at.fetch_max(time.ms(), Relaxed);
        entry.left.end(match changed_to {
            ChangedTo::Unknown => None,
            ChangedTo::Missing => LeftDigest::of(hash, time, None),
            ChangedTo::Bytes(bytes) => LeftDigest::of(hash, time, Some(bytes)),
        });
        time
    }

    /// Returns true if an answer can prove by its value that it shows what such a read has to show.
    pub fn may_prove(&self, requirement: &ReadRequirement) -> bool {
        let is_own_change = !requirement.strict && !requirement.master_only && requirement.since > LogicalTime::ZERO;
        is_own_change && self.entry(requirement.hash).left.is_known()
    }

    /// Returns true if an answer with this value shows the last change of its key by this process. A read that has to show
    /// more than that is not proven by a value. `None` stands for a key that does not exist.
    pub fn proves(&self, requirement: &ReadRequirement, value: Option<&[u8]>) -> bool {
        self.may_prove(requirement)
            && LeftDigest::of(requirement.hash, requirement.since, value)
                .is_some_and(|digest| self.entry(requirement.hash).left.is(digest))
    }

    /// Returns the requirements of a read of the key with this hash.
    pub fn requirement(&self, hash: u64, freshness: Freshness) -> ReadRequirement {
        let changed = LogicalTime::from_ms(self.entry(hash).at.load(Relaxed));
        let (since, strict, master_only) = match freshness {
            Freshness::ReadYourWrites => (changed, false, false),
            Freshness::Since(time) => (changed.max(time), time > LogicalTime::ZERO, false),
            Freshness::Master => (changed, true, true),
        };
        ReadRequirement { hash, since, strict, master_only, watch: None }
    }

    fn entry(&self, hash: u64) -> &LastChange {
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
        changes.begin(hash);
        let changed = changes.end(hash, ChangedTo::Unknown);
        assert!(changed > LogicalTime::ZERO);
        let requirement = changes.requirement(hash, Freshness::ReadYourWrites);
        assert_eq!((requirement.since, requirement.strict), (changed, false));
        assert_eq!(changes.requirement(0x1234 << 40, Freshness::ReadYourWrites).since, LogicalTime::ZERO);
    }

    #[test]
    fn a_read_with_a_time_requires_the_later_one_of_the_time_and_the_last_change() {
        let changes = RecentChanges::new(Clock::default());
        let hash = 0xABCD << 40;
        changes.begin(hash);
        let changed = changes.end(hash, ChangedTo::Unknown);
        let later = changed.plus_ms(5);
        let requirement = changes.requirement(hash, Freshness::Since(later));
        assert_eq!((requirement.since, requirement.strict), (later, true));
        assert_eq!(changes.requirement(hash, Freshness::Since(LogicalTime::ZERO)).since, changed);
        assert!(changes.requirement(hash, Freshness::Master).master_only);
    }

    #[test]
    fn a_value_proves_the_last_change_of_its_key_and_nothing_else() {
        let (changes, hash) = (RecentChanges::new(Clock::default()), 0xABCD << 40);
        let usual = || changes.requirement(hash, Freshness::ReadYourWrites);
        assert!(!changes.proves(&usual(), None), "this process has not changed the key");
        changes.begin(hash);
        let before = usual();
        changes.end(hash, ChangedTo::Bytes(b"new"));
        assert!(changes.proves(&usual(), Some(b"new")));
        assert!(!changes.proves(&usual(), Some(b"old")) && !changes.proves(&usual(), None));
        assert!(!changes.proves(&before, Some(b"new")), "the read began before the change");
        let token = changes.requirement(hash, Freshness::Since(LogicalTime::from_ms(1)));
        assert!(!changes.proves(&token, Some(b"new")), "a token covers other changes, too");
        assert!(!changes.proves(&changes.requirement(hash, Freshness::Master), Some(b"new")));
        // Another key with the same entry.
        assert!(!changes.proves(&changes.requirement(hash + 1, Freshness::ReadYourWrites), Some(b"new")));
        changes.begin(hash);
        changes.end(hash, ChangedTo::Missing);
        assert!(changes.proves(&usual(), None) && !changes.proves(&usual(), Some(b"new")));
    }
}
