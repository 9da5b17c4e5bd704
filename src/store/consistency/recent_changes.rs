//! The last change of each key, by the hash of the key.

use super::{Clock, Freshness, Moment, Wish};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Places in the table of changes; a power of two. With 1 MiB, 20,000 changes in the time that replicas need to be
/// asked send one read in seven to the master for nothing.
const PLACES: usize = 1 << 17;
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
        let moment = Moment::from_ms(self.clock.now().ms() + 1);
        self.place(hash).fetch_max(moment.ms(), Relaxed);
        moment
    }

    /// What a read of the key with this hash has to look for.
    pub fn wish(&self, hash: u64, freshness: Freshness) -> Wish {
        let own = Moment::from_ms(self.place(hash).load(Relaxed));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(ms: u64) -> Moment {
        Moment::from_ms(ms)
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
        let wish = changes.wish(hash, Freshness::Since(moment(noted.ms() + 5)));
        assert_eq!((wish.since, wish.strict), (moment(noted.ms() + 5), true));
        assert_eq!(changes.wish(hash, Freshness::Since(moment(0))).since, noted);
        assert!(changes.wish(hash, Freshness::Master).master_only);
        assert_eq!(changes.wish(0x1234 << 40, Freshness::Usual).since, Moment::NONE);
    }
}
