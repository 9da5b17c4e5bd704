//! The values that a worker reads again and again.
//!
//! All workers share the near cache: to lock a part of it, and to count the handles on its values, is to write memory
//! that all of them write. So each worker has a few handles of its own on the values that it reads most, and only it
//! writes their counts. Each key has a version, which its invalidation changes; a handle is used only as long as the
//! version is the one from before the value was looked up. Versions are read, and hardly ever written.

use super::cached_value::{CachedHandle, CachedValue, OwnHandle};
use crate::types::{OwnLines, PerWorker};
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU32, Ordering},
};

/// Places for handles that each worker has; a power of two.
const PLACES: usize = 1024;
/// Bytes of the largest key and value that have a handle. A handle keeps a value in memory that the near cache has evicted,
/// and what a larger value costs is its copy into the response.
const BYTES_MAX: usize = 4096;
/// Versions of keys, by the hash of the key; a power of two. These are 64 KiB.
const VERSIONS: usize = 1 << 14;
/// The number of reads of which one passes by the handle, so that the near cache sees that the value is of use.
const READS_PER_LOOKUP: u32 = 64;

/// The places of one worker.
type HandlePlaces<V> = Box<[HandlePlace<V>]>;

/// The version of a key at one time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyVersion(u32);

/// The handles of all workers.
pub struct WorkerHandles<V> {
    versions: Box<[AtomicU32]>,
    workers: PerWorker<OwnLines<Mutex<HandlePlaces<V>>>>,
}

/// The place of a handle. A key takes the place of another one whose handle was not used meanwhile.
struct HandlePlace<V> {
    /// The hash of the key that was looked up last. Its next lookup gets the place.
    candidate: u64,
    entry: Option<HandleEntry<V>>,
}

struct HandleEntry<V> {
    version: KeyVersion,
    hash: u64,
    handle: Arc<OwnHandle<V>>,
    reads: u32,
    /// The handle was used since another key wanted its place.
    is_used: bool,
}

impl<V> Default for WorkerHandles<V> {
    fn default() -> Self {
        Self {
            versions: std::iter::repeat_with(AtomicU32::default).take(VERSIONS).collect(),
            workers: PerWorker::default(),
        }
    }
}

impl<V> WorkerHandles<V> {
    /// Returns the version of the key with this hash. It has to be asked for before the near cache is.
    pub fn version(&self, hash: u64) -> KeyVersion {
        KeyVersion(self.versions[version_position(hash)].load(Ordering::Acquire))
    }

    /// Returns the value of a key that the calling worker has a handle on.
    pub fn get(&self, hash: u64, version: KeyVersion, key: &[u8]) -> Option<CachedHandle<V>> {
        let mut places = self.own();
        let place = &mut places[place_position(hash)];
        let entry = place.entry.as_mut().filter(|entry| entry.hash == hash)?;
        if entry.version != version {
            // Freed now, because the near cache does not count it.
            place.entry = None;
            return None;
        }
        entry.reads += 1;
        if entry.reads == READS_PER_LOOKUP {
            entry.reads = 0;
            return None;
        }
        entry.is_used = true;
        (*entry.handle.key == *key).then(|| CachedHandle::Own(Arc::clone(&entry.handle)))
    }

    /// Offers a value that the near cache had for a key of this version. A key that is looked up twice in a row at its
    /// place gets a handle.
    pub fn offer(&self, hash: u64, version: KeyVersion, key: &[u8], cached: &Arc<CachedValue<V>>) {
        if key.len() + cached.bytes > BYTES_MAX {
            return;
        }
        let mut places = self.own();
        let place = &mut places[place_position(hash)];
        if place.candidate != hash {
            place.candidate = hash;
            return;
        }
        if let Some(entry) = &mut place.entry {
            let keeps_place = if entry.hash == hash {
                entry.version == version && Arc::ptr_eq(&entry.handle.cached, cached)
            } else {
                std::mem::take(&mut entry.is_used)
            };
            if keeps_place {
                return;
            }
        }
        let handle = Arc::new(OwnHandle { key: key.into(), cached: Arc::clone(cached) });
        place.entry = Some(HandleEntry { version, hash, handle, reads: 0, is_used: false });
    }

    /// Ends the use of all handles on the value of a key. To be called after the near cache has dropped the value.
    pub fn invalidate(&self, hash: u64) {
        self.versions[version_position(hash)].fetch_add(1, Ordering::AcqRel);
    }

    /// Drops all handles. To be called after the near cache has dropped all values.
    pub fn clear(&self) {
        for version in &self.versions {
            version.fetch_add(1, Ordering::AcqRel);
        }
        for worker in self.workers.all() {
            lock(worker).iter_mut().for_each(|place| place.entry = None);
        }
    }

    fn own(&self) -> MutexGuard<'_, HandlePlaces<V>> {
        let places = || (0..PLACES).map(|_| HandlePlace { candidate: 0, entry: None }).collect();
        lock(self.workers.own(|| OwnLines::new(Mutex::new(places()).into())))
    }
}

/// Locks the places of one worker. Mostly only that worker locks them.
fn lock<V>(places: &Mutex<HandlePlaces<V>>) -> MutexGuard<'_, HandlePlaces<V>> {
    places.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the position of a key's version. Any bits of the hash will do.
fn version_position(hash: u64) -> usize {
    usize::try_from(hash >> 40).unwrap_or_default() % VERSIONS
}

/// Returns the position of the place for a key's handle.
fn place_position(hash: u64) -> usize {
    usize::try_from(hash).unwrap_or_default() % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;
    use tokio::time::Instant;

    const HASH: u64 = 0x1234_5678_9ABC_DEF0;

    fn value(bytes: usize) -> Arc<CachedValue<u32>> {
        Arc::new(CachedValue { value: 7, bytes, expires_at: Instant::now() })
    }

    /// Looks the key up as the near cache does, with a value that it has.
    fn look_up(handles: &WorkerHandles<u32>, cached: &Arc<CachedValue<u32>>) -> bool {
        let version = handles.version(HASH);
        let is_own = handles.get(HASH, version, b"k").is_some();
        if !is_own {
            handles.offer(HASH, version, b"k", cached);
        }
        is_own
    }

    #[test]
    fn a_key_that_is_looked_up_twice_gets_a_handle_of_the_worker_until_it_is_invalidated() {
        let (handles, cached) = (WorkerHandles::default(), value(4));
        let own = [(); 4].map(|()| look_up(&handles, &cached));
        assert_eq!(own, [false, false, true, true]);
        thread::scope(|threads| {
            threads.spawn(|| {
                crate::types::worker::enter(0, 1);
                let own = [(); 3].map(|()| look_up(&handles, &cached));
                assert_eq!(own, [false, false, true], "another worker has another handle");
                handles.invalidate(HASH);
            });
        });
        assert!(handles.get(HASH, handles.version(HASH), b"k").is_none());
        assert_eq!(Arc::strong_count(&cached), 2, "a handle that is of no use is dropped when it is met");
        handles.clear();
        assert_eq!(Arc::strong_count(&cached), 1);
    }

    #[test]
    fn a_value_that_is_invalidated_while_it_is_looked_up_gets_no_handle_that_is_used() {
        let (handles, cached) = (WorkerHandles::default(), value(4));
        look_up(&handles, &cached);
        let version = handles.version(HASH);
        handles.invalidate(HASH);
        handles.offer(HASH, version, b"k", &cached);
        assert!(handles.get(HASH, handles.version(HASH), b"k").is_none());
    }

    #[test]
    fn a_handle_answers_for_its_own_key_only() {
        let (handles, cached) = (WorkerHandles::default(), value(4));
        look_up(&handles, &cached);
        look_up(&handles, &cached);
        let version = handles.version(HASH);
        assert!(handles.get(HASH, version, b"k").is_some());
        assert!(handles.get(HASH, version, b"other").is_none(), "the hash of another key may be the same");
        assert!(handles.get(HASH + PLACES as u64, version, b"k").is_none(), "another key may have the same place");
    }

    #[test]
    fn a_handle_that_is_in_use_keeps_its_place_from_another_key() {
        let (handles, cached, other) = (WorkerHandles::default(), value(4), HASH + PLACES as u64);
        let offer = |hash| (0..2).for_each(|_| handles.offer(hash, handles.version(hash), b"k", &cached));
        let has = |hash| handles.get(hash, handles.version(hash), b"k").is_some();
        offer(HASH);
        assert!(has(HASH));
        offer(other);
        assert!(!has(other) && has(HASH), "it was used");
        offer(other);
        offer(other);
        assert!(has(other) && !has(HASH), "it was not used any more");
    }

    #[test]
    fn some_reads_pass_by_the_handle_and_large_values_have_none() {
        let (handles, cached) = (WorkerHandles::default(), value(4));
        let reads = (0..2 + 3 * READS_PER_LOOKUP).filter(|_| look_up(&handles, &cached)).count();
        assert_eq!(reads, 3 * (READS_PER_LOOKUP as usize - 1));
        let (handles, large) = (WorkerHandles::default(), value(BYTES_MAX));
        assert!(!(0..9).any(|_| look_up(&handles, &large)));
    }
}
