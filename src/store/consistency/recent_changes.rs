//! The time of the last change of each key, by the hash of the key.

use super::{
    clock::{Clock, LogicalTime},
    left_value::{ContentDigest, LeftDigest, LeftValue},
    requirement::{Freshness, ReadRequirement},
};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Number of entries in the table; a power of two. With these 2 MiB, 20,000 changes between two probes of the replicas
/// send one read in seven to the master without need.
const ENTRIES: usize = 1 << 17;

/// Number of changes whose values are kept while they are under way; a power of two. Of changes that share an entry, only the
/// later one can be told.
const UNDER_WAY: usize = 1 << 13;

/// The last change of each key.
pub struct RecentChanges {
    /// The clock of this process.
    pub clock: Clock,
    /// The last changes, by the hash of the key.
    entries: Box<[LastChange]>,
    /// The values that the last changes that began will leave, by the position of the key's entry; zero for one that is not
    /// known.
    under_way: Box<[AtomicU64]>,
}

/// The last change of the keys that share an entry.
#[derive(Default)]
struct LastChange {
    /// The time of the change, in milliseconds.
    at: AtomicU64,
    /// The value that it has left.
    left: LeftValue,
}

impl RecentChanges {
    /// Creates a table without changes.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            entries: std::iter::repeat_with(LastChange::default).take(ENTRIES).collect(),
            under_way: std::iter::repeat_with(AtomicU64::default).take(UNDER_WAY).collect(),
        }
    }

    /// Records that a change of a key with this hash begins, and the value that it will leave, if that is known.
    /// [`RecentChanges::end`] has to follow.
    pub fn begin(&self, hash: u64, leaves: Option<ContentDigest>) {
        // Before the count of changes: whoever sees that count sees this value, or a later one.
        self.under_way(hash).store(leaves.map_or(0, ContentDigest::word), Relaxed);
        self.entry(hash).left.begin();
    }

    /// Records that a key with this hash was changed, or may have been, and the value that it has now, if that is known.
    /// Returns the time of the change, which is not before now.
    pub fn end(&self, hash: u64, left: Option<ContentDigest>) -> LogicalTime {
        let (time, entry) = (self.clock.now().plus_ms(1), self.entry(hash));
        entry.at.fetch_max(time.ms(), Relaxed);
        entry.left.end(left.map(|content| LeftDigest::new(content, time)));
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
        if !self.may_prove(requirement) {
            return false;
        }
        let shown = ContentDigest::of(requirement.hash, value);
        shown.is_some_and(|shown| {
            let left = &self.entry(requirement.hash).left;
            left.is(LeftDigest::new(shown, requirement.since)) || self.shows_next(requirement, shown)
        })
    }

    /// Returns true if the value is the one of the only change that is under way. It began after the last change had ended,
    /// so the master has run it after that one.
    fn shows_next(&self, requirement: &ReadRequirement, shown: ContentDigest) -> bool {
        let entry = self.entry(requirement.hash);
        // In this order: the change that follows the last one was recorded before the count of changes.
        entry.left.is_followed()
            && self.under_way(requirement.hash).load(Relaxed) == shown.word()
            && entry.at.load(Relaxed) == requirement.since.ms()
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
        &self.entries[position(hash) % ENTRIES]
    }

    /// Changes with the same entry have the same place here, so that a change that follows another one hides its value.
    fn under_way(&self, hash: u64) -> &AtomicU64 {
        &self.under_way[position(hash) % UNDER_WAY]
    }
}

/// Any bits of the hash will do; these are the upper ones.
fn position(hash: u64) -> usize {
    usize::try_from(hash >> 40).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_change_of_a_key_is_the_time_that_reads_require() {
        let changes = RecentChanges::new(Clock::default());
        let hash = 0xABCD << 40;
        assert_eq!(changes.requirement(hash, Freshness::ReadYourWrites).since, LogicalTime::ZERO);
        changes.begin(hash, None);
        let changed = changes.end(hash, None);
        assert!(changed > LogicalTime::ZERO);
        let requirement = changes.requirement(hash, Freshness::ReadYourWrites);
        assert_eq!((requirement.since, requirement.strict), (changed, false));
        assert_eq!(changes.requirement(0x1234 << 40, Freshness::ReadYourWrites).since, LogicalTime::ZERO);
    }

    #[test]
    fn a_read_with_a_time_requires_the_later_one_of_the_time_and_the_last_change() {
        let changes = RecentChanges::new(Clock::default());
        let hash = 0xABCD << 40;
        changes.begin(hash, None);
        let changed = changes.end(hash, None);
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
        let change = |value: Option<&[u8]>| {
            let content = ContentDigest::of(hash, value);
            changes.begin(hash, content);
            let before = usual();
            changes.end(hash, content);
            before
        };
        let before = change(Some(b"new"));
        assert!(changes.proves(&usual(), Some(b"new")));
        assert!(!changes.proves(&usual(), Some(b"old")) && !changes.proves(&usual(), None));
        assert!(!changes.proves(&before, Some(b"new")), "the read began before the change");
        let token = changes.requirement(hash, Freshness::Since(LogicalTime::from_ms(1)));
        assert!(!changes.proves(&token, Some(b"new")), "a token covers other changes, too");
        assert!(!changes.proves(&changes.requirement(hash, Freshness::Master), Some(b"new")));
        // Another key with the same entry.
        assert!(!changes.proves(&changes.requirement(hash + 1, Freshness::ReadYourWrites), Some(b"new")));
        change(None);
        assert!(changes.proves(&usual(), None) && !changes.proves(&usual(), Some(b"new")));
    }

    #[test]
    fn the_value_of_the_change_under_way_proves_the_one_before_it() {
        let (changes, hash) = (RecentChanges::new(Clock::default()), 0xABCD << 40);
        let usual = || changes.requirement(hash, Freshness::ReadYourWrites);
        let content = |value: &[u8]| ContentDigest::of(hash, Some(value));
        changes.begin(hash, content(b"first"));
        assert!(!changes.proves(&usual(), Some(b"first")), "there is no change before it");
        changes.end(hash, content(b"first"));
        let earlier = usual();
        changes.begin(hash, content(b"second"));
        assert!(changes.proves(&usual(), Some(b"second")) && changes.proves(&usual(), Some(b"first")));
        assert!(!changes.proves(&usual(), Some(b"third")) && !changes.proves(&usual(), None));
        // With a third one, the order is not known.
        changes.begin(hash, content(b"third"));
        assert!(!changes.proves(&usual(), Some(b"second")) && !changes.proves(&usual(), Some(b"third")));
        changes.end(hash, content(b"third"));
        changes.end(hash, content(b"second"));
        assert!(!changes.proves(&usual(), Some(b"second")) && !changes.proves(&earlier, Some(b"second")));
        // A value that is not known hides the one before it, also where another key has the same place.
        changes.begin(hash, content(b"fourth"));
        changes.end(hash, content(b"fourth"));
        let other = ((ENTRIES + 0xABCD) as u64) << 40;
        changes.begin(hash, content(b"fifth"));
        changes.begin(other, None);
        assert!(!changes.proves(&usual(), Some(b"fifth")));
    }
}
