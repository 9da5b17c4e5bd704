//! Reads that must not be older than a write.
//!
//! Every acknowledged change leaves its moment behind, in a table by the hash of its key. A master that is asked for
//! its replication offset at a later moment answers with one that covers the change; a replica whose own offset has
//! come so far has it. So a replica *has passed* a moment, and may answer for what was changed until then; for what
//! was changed later the master is read. Keys that share a place in the table are taken for each other, which only
//! sends a read to the master that a replica could have answered.

mod sync;

pub use sync::{Sync, SyncToken};

use std::{
    collections::VecDeque,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use tokio::time::Instant;

/// Places in the table of changes; a power of two. With 1 MiB, 20,000 changes in the time that replicas need to be
/// asked send one read in seven to the master for nothing.
const PLACES: usize = 1 << 17;
/// Moments at which a master's offset was learned that are kept; a replica that lags behind all of them has passed
/// none.
const CHECKPOINTS_MAX: usize = 64;

/// A point in this process's time, in milliseconds; 0 is before everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    pub const NONE: Self = Self(0);

    pub fn from_ms(ms: u64) -> Self {
        Self(ms)
    }

    pub fn ms(self) -> u64 {
        self.0
    }
}

/// How fresh a read must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Not older than what was changed through this process; where that cannot be had, because the master is lost,
    /// as good as can be had.
    Usual,
    /// Not older than everything acknowledged until then, or not at all.
    Since(Moment),
    /// From the master, or not at all.
    Master,
}

/// A read: what it is of, and what may answer it.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// Of the key: draws it to one of the replicas.
    pub hash: u64,
    /// A replica has to have passed this moment.
    pub since: Moment,
    /// Rather no answer than one of a node that has not passed it.
    pub strict: bool,
    /// No replica will do.
    pub master_only: bool,
}

/// Tells moments.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Default for Clock {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock {
    /// A moment at or before now: what was acknowledged until then has happened.
    pub fn now(self) -> Moment {
        Moment(u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}

/// When what was changed.
pub struct Changes {
    pub clock: Clock,
    /// By hash of the key: the moment of the last change.
    places: Box<[AtomicU64]>,
}

impl Changes {
    pub fn new(clock: Clock) -> Self {
        Self { clock, places: std::iter::repeat_with(AtomicU64::default).take(PLACES).collect() }
    }

    /// Notes that a key with this hash was changed, or may have been. Returns the moment, which is not before now.
    pub fn note(&self, hash: u64) -> Moment {
        let moment = Moment(self.clock.now().0 + 1);
        self.place(hash).fetch_max(moment.0, Relaxed);
        moment
    }

    /// What a read of the key with this hash has to look for.
    pub fn wish(&self, hash: u64, freshness: Freshness) -> Wish {
        let own = Moment(self.place(hash).load(Relaxed));
        match freshness {
            Freshness::Usual => Wish { hash, since: own, strict: false, master_only: false },
            Freshness::Since(moment) => {
                Wish { hash, since: own.max(moment), strict: moment > Moment::NONE, master_only: false }
            }
            Freshness::Master => Wish { hash, since: own, strict: true, master_only: true },
        }
    }

    fn place(&self, hash: u64) -> &AtomicU64 {
        // The upper bits: the lower ones are not needed to tell shards apart, nor are they here.
        let position = usize::try_from(hash >> 40).unwrap_or_default() % PLACES;
        &self.places[position]
    }
}

/// How far the writing of one history has come, moment by moment. Shared by the nodes of a shard.
#[derive(Default)]
pub struct Progress(Mutex<Checkpoints>);

#[derive(Default)]
struct Checkpoints {
    history: String,
    /// In both parts ascending: everything acknowledged until the moment lies within the offset.
    known: VecDeque<(Moment, u64)>,
}

impl Progress {
    /// Notes what a master answered that was asked at that moment.
    pub fn note_master(&self, history: &str, asked: Moment, offset: u64) {
        let mut checkpoints = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if checkpoints.history != history {
            *checkpoints = Checkpoints { history: history.to_owned(), known: VecDeque::new() };
        }
        match checkpoints.known.back_mut() {
            // Nothing was written in between, so the same offset covers more time.
            Some((moment, known)) if *known == offset => *moment = asked.max(*moment),
            _ => checkpoints.known.push_back((asked, offset)),
        }
        if checkpoints.known.len() > CHECKPOINTS_MAX {
            checkpoints.known.pop_front();
        }
    }

    /// The moment that a replica of this history has passed which has come so far; `None` if that is not known.
    pub fn passed(&self, history: &str, offset: u64) -> Option<Moment> {
        let checkpoints = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if checkpoints.history != history {
            return None;
        }
        checkpoints.known.iter().rev().find(|(_, known)| *known <= offset).map(|(moment, _)| *moment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(ms: u64) -> Moment {
        Moment(ms)
    }

    #[test]
    fn a_change_is_remembered_under_its_hash_and_never_forgotten_for_an_older_one() {
        let changes = Changes::new(Clock::default());
        let hash = 0xABCD << 40;
        assert_eq!(changes.wish(hash, Freshness::Usual).since, Moment::NONE);
        let noted = changes.note(hash);
        assert!(noted > Moment::NONE);
        let wish = changes.wish(hash, Freshness::Usual);
        assert_eq!((wish.since, wish.strict), (noted, false));
        let wish = changes.wish(hash, Freshness::Since(Moment(noted.0 + 5)));
        assert_eq!((wish.since, wish.strict), (Moment(noted.0 + 5), true));
        assert_eq!(changes.wish(hash, Freshness::Since(moment(0))).since, noted);
        assert!(changes.wish(hash, Freshness::Master).master_only);
        assert_eq!(changes.wish(0x1234 << 40, Freshness::Usual).since, Moment::NONE);
    }

    #[test]
    fn a_replica_has_passed_the_last_moment_whose_offset_it_has_reached() {
        let progress = Progress::default();
        assert_eq!(progress.passed("a", 100), None);
        progress.note_master("a", moment(10), 100);
        progress.note_master("a", moment(20), 200);
        progress.note_master("a", moment(30), 200);
        assert_eq!(progress.passed("a", 99), None);
        assert_eq!(progress.passed("a", 199), Some(moment(10)));
        assert_eq!(progress.passed("a", 200), Some(moment(30)));
        assert_eq!(progress.passed("b", 900), None);
        progress.note_master("b", moment(40), 50);
        assert_eq!(progress.passed("a", 200), None);
        assert_eq!(progress.passed("b", 50), Some(moment(40)));
    }

    #[test]
    fn only_so_many_checkpoints_are_kept() {
        let progress = Progress::default();
        for number in 0..1000 {
            progress.note_master("a", moment(number), number);
        }
        assert_eq!(progress.passed("a", 1000 - 65), None);
        assert_eq!(progress.passed("a", 1000 - 64), Some(moment(1000 - 64)));
    }
}
