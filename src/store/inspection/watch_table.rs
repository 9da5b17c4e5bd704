//! The keys that are watched: every read of them is compared with the value that the master is known to have.

use super::{digest::ValueDigest, master_value::MasterValue};
use crate::{store::consistency::ReadRequirement, telemetry::metrics::Promise, types::FullKey};
use arc_swap::ArcSwapOption;
use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// The number of keys that can be watched at the same time; each bit of a word stands for one place.
const PLACES: usize = 64;
/// Time for which a key is watched.
pub const WATCHED_FOR: Duration = Duration::from_secs(5);

/// A key that is watched, and the value that reads of it have to show until it changes.
pub struct WatchedKey {
    /// The number of the watch.
    number: NonZeroU32,
    /// The hash of the key.
    hash: u64,
    /// The value of the master.
    pub value: Arc<MasterValue>,
    /// The time at which this process was told that the master has the value.
    pub acknowledged: Instant,
    /// This process has set the value, so that every later read of it has to show it.
    own_change: bool,
    /// An answer was suspected already.
    suspected: AtomicBool,
}

impl WatchedKey {
    /// Returns the promise that an answer with another value breaks; `None` if such an answer is allowed.
    pub fn promise(&self, requirement: &ReadRequirement) -> Option<Promise> {
        let covers_value = requirement.since > self.value.covered_from;
        match requirement {
            ReadRequirement { master_only: true, .. } => Some(Promise::Master),
            ReadRequirement { strict: true, .. } if covers_value => Some(Promise::SyncToken),
            _ => self.own_change.then_some(Promise::OwnChange),
        }
    }

    /// Returns true if an answer with this digest, which had to show the value, is to be examined. That is so once.
    pub fn suspect(&self, key: &FullKey<'_>, digest: ValueDigest) -> bool {
        let differs = *self.value.key() == *key && digest != self.value.digest;
        differs && self.value.seems_unchanged() && !self.suspected.swap(true, Ordering::Relaxed)
    }

    fn place(&self) -> usize {
        place(self.hash)
    }
}

/// The keys that are watched.
pub struct WatchTable {
    /// The places that are taken, a bit for each.
    taken: AtomicU64,
    places: [ArcSwapOption<WatchedKey>; PLACES],
    next_number: AtomicU32,
}

impl Default for WatchTable {
    fn default() -> Self {
        Self {
            taken: AtomicU64::new(0),
            places: std::array::from_fn(|_| ArcSwapOption::empty()),
            next_number: AtomicU32::new(1),
        }
    }
}

impl WatchTable {
    /// Returns true if no key is watched.
    pub fn is_empty(&self) -> bool {
        self.taken.load(Ordering::Relaxed) == 0
    }

    /// Returns the number of the watch that a key with this hash is under.
    pub fn number(&self, hash: u64) -> Option<NonZeroU32> {
        if self.taken.load(Ordering::Relaxed) & bit(hash) == 0 {
            return None;
        }
        let watched = self.places[place(hash)].load();
        watched.as_ref().filter(|watched| watched.hash == hash).map(|watched| watched.number)
    }

    /// Returns the watch with this number of a key with this hash, unless it has ended.
    pub fn get(&self, number: NonZeroU32, hash: u64) -> Option<Arc<WatchedKey>> {
        self.places[place(hash)].load_full().filter(|watched| watched.number == number)
    }

    /// Watches a key. The watch of an own change takes the place of another watch; any other watch needs a free place. Only
    /// the task of the inspection calls this.
    pub fn watch(&self, value: Arc<MasterValue>, acknowledged: Instant, own_change: bool) {
        let hash = value.route.hash;
        let present = self.places[place(hash)].load();
        if !own_change && present.as_ref().is_some_and(|present| !is_over(present)) {
            return;
        }
        let number = NonZeroU32::new(self.next_number.fetch_add(1, Ordering::Relaxed)).unwrap_or(NonZeroU32::MIN);
        let watched = WatchedKey { number, hash, value, acknowledged, own_change, suspected: AtomicBool::new(false) };
        self.places[place(hash)].store(Some(Arc::new(watched)));
        self.taken.fetch_or(bit(hash), Ordering::Release);
    }

    /// Ends the watches whose time is over, and those of keys that have changed. Only the task of the inspection calls
    /// this.
    pub fn end_watches(&self) {
        for place in &self.places {
            let watched = place.load_full();
            let Some(watched) = watched.filter(|watched| is_over(watched)) else { continue };
            self.taken.fetch_and(!(1 << watched.place()), Ordering::Relaxed);
            place.store(None);
        }
    }
}

fn is_over(watched: &WatchedKey) -> bool {
    watched.value.read_at.elapsed() > WATCHED_FOR || !watched.value.seems_unchanged()
}

fn place(hash: u64) -> usize {
    usize::try_from(hash % PLACES as u64).unwrap_or_default()
}

fn bit(hash: u64) -> u64 {
    1 << place(hash)
}
