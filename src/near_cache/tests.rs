//! Tests of the near cache by itself.

use super::*;
use crate::types::worker;
use std::{
    future::{pending, ready},
    sync::atomic::{AtomicU32, Ordering::SeqCst},
    thread,
};
use tokio::sync::oneshot;

type Near = Arc<NearCache<u32, &'static str>>;

const AGE_MAX: Duration = Duration::from_secs(10);

fn near() -> Near {
    Arc::new(NearCache::new(1 << 20, AGE_MAX, 1))
}

fn fetched(value: u32) -> Fetched<u32> {
    Fetched { value, bytes: 4, ttl: Some(Duration::MAX) }
}

impl FetchResult<u32, &'static str> {
    fn expect_value(self) -> u32 {
        self.outcome.expect("the fetch ends").expect("the fetch succeeds").value
    }
}

/// Fetches a value under a key, unless a fetch of the key runs already. Returns the value of the fetch.
async fn fetch(near: &Near, key: &[u8], value: u32) -> u32 {
    near.fetch(key, true, || ready(Ok(fetched(value)))).await.expect_value()
}

fn cached(near: &Near, key: &[u8]) -> Option<u32> {
    cached_after(near, key, Duration::ZERO)
}

/// Returns the value that the cache will have after some time.
fn cached_after(near: &Near, key: &[u8], time: Duration) -> Option<u32> {
    match near.lookup(key, Instant::now() + time, |_| true, || false) {
        NearLookup::Hit(cached) => Some(cached.value),
        NearLookup::Miss { .. } => None,
    }
}

#[tokio::test]
async fn a_fetched_value_is_cached_until_it_is_invalidated_or_too_old() {
    let near = near();
    assert_eq!(cached(&near, b"k"), None);
    assert_eq!(fetch(&near, b"k", 1).await, 1);
    assert_eq!(cached(&near, b"k"), Some(1));
    near.invalidate(b"other");
    assert_eq!(cached(&near, b"k"), Some(1));
    near.invalidate(b"k");
    assert_eq!(cached(&near, b"k"), None);
    assert_eq!(near.counters.invalidated.get(), 1);

    fetch(&near, b"k", 2).await;
    assert_eq!(cached_after(&near, b"k", AGE_MAX / 2), Some(2));
    assert_eq!(cached_after(&near, b"k", AGE_MAX), None);
}

#[tokio::test]
async fn a_value_that_was_fetched_again_is_another_one() {
    let (near, now) = (near(), Instant::now());
    fetch(&near, b"k", 1).await;
    let NearLookup::Hit(first) = near.lookup(b"k", now, |_| true, || false) else { panic!("it is cached") };
    assert!(near.has(b"k", first.shared(), now) && !near.has(b"other", first.shared(), now));
    assert!(!near.has(b"k", first.shared(), now + 2 * AGE_MAX));
    near.invalidate(b"k");
    assert!(!near.has(b"k", first.shared(), now));
    fetch(&near, b"k", 1).await;
    assert!(!near.has(b"k", first.shared(), now));
}

#[tokio::test]
async fn a_value_is_cached_no_longer_than_its_ttl_and_only_if_that_is_allowed() {
    let near = near();
    let brief = Fetched { value: 1, bytes: 4, ttl: Some(Duration::from_millis(50)) };
    near.fetch(b"brief", true, || ready(Ok(brief))).await.expect_value();
    assert_eq!(near.size().0, 1);
    assert_eq!(cached_after(&near, b"brief", Duration::from_millis(50)), None);

    let never = Fetched { value: 1, bytes: 4, ttl: None };
    assert_eq!(near.fetch(b"never", true, || ready(Ok(never))).await.expect_value(), 1);
    let huge = Fetched { value: 1, bytes: 1 << 16, ttl: Some(Duration::MAX) };
    near.fetch(b"huge", true, || ready(Ok(huge))).await.expect_value();
    assert_eq!((cached(&near, b"never"), cached(&near, b"huge"), near.size().0), (None, None, 1));
    assert_eq!(near.fetch(b"failed", true, || ready(Err("no"))).await.outcome.and_then(Result::err), Some("no"));
    assert_eq!(cached(&near, b"failed"), None);
}

#[tokio::test]
async fn the_size_of_the_cache_is_bounded() {
    let near = near();
    for number in 0..20_000_u32 {
        fetch(&near, &number.to_be_bytes(), number).await;
    }
    let (entries, bytes) = near.size();
    assert!(entries > 1000 && bytes <= 1 << 20, "{entries} entries, {bytes} bytes");
    near.clear();
    assert_eq!(near.size(), (0, 0));
}

/// Starts a fetch that ends when its sender sends a value.
fn held_fetch(near: &Near, shared: bool) -> (oneshot::Sender<u32>, tokio::task::JoinHandle<u32>) {
    let (sender, value) = oneshot::channel();
    let near = Arc::clone(near);
    let task = tokio::spawn(async move {
        near.fetch(b"k", shared, || async { Ok(fetched(value.await.expect("the value is sent"))) }).await.expect_value()
    });
    (sender, task)
}

#[tokio::test]
async fn callers_who_miss_at_once_share_a_fetch_which_survives_the_caller_who_started_it() {
    let near = near();
    let (sender, first) = held_fetch(&near, true);
    tokio::task::yield_now().await;
    let follower = tokio::spawn({
        let near = Arc::clone(&near);
        async move { fetch(&near, b"k", 999).await }
    });
    tokio::task::yield_now().await;
    first.abort();
    assert!(first.await.is_err());
    sender.send(7).expect("a caller waits");
    assert_eq!(follower.await.expect("the task ends"), 7);
    assert_eq!(cached(&near, b"k"), Some(7));
}

#[tokio::test]
async fn a_fetch_that_nobody_waits_for_is_aborted() {
    let near = near();
    let (sender, only) = held_fetch(&near, true);
    tokio::task::yield_now().await;
    only.abort();
    assert!(only.await.is_err());
    assert!(sender.is_closed());
    assert_eq!(fetch(&near, b"k", 8).await, 8);
}

#[tokio::test]
async fn a_key_that_is_invalidated_during_its_fetch_is_neither_cached_nor_joined() {
    let near = near();
    for invalidate in [|near: &Near| near.invalidate(b"k"), |near: &Near| near.clear()] {
        let (sender, first) = held_fetch(&near, true);
        tokio::task::yield_now().await;
        invalidate(&near);
        assert_eq!(fetch(&near, b"k", 2).await, 2, "a new fetch starts");
        sender.send(1).expect("a caller waits");
        assert_eq!(first.await.expect("the task ends"), 1);
        assert_eq!(cached(&near, b"k"), Some(2));
        near.invalidate(b"k");
    }
}

#[tokio::test]
async fn a_fetch_that_is_not_shared_joins_no_other_fetch() {
    let near = near();
    let waits = tokio::spawn({
        let near = Arc::clone(&near);
        async move { near.fetch(b"k", true, pending::<Result<Fetched<u32>, &str>>).await.expect_value() }
    });
    tokio::task::yield_now().await;
    let fresh = near.fetch(b"k", false, || ready(Ok(fetched(3)))).await.expect_value();
    assert_eq!((fresh, cached(&near, b"k")), (3, Some(3)));
    waits.abort();
}

#[test]
fn a_key_is_admitted_from_its_second_read_on() {
    let near = near();
    let reads = [(); 3].map(|()| near.lookup(b"k", Instant::now(), |_| true, || true));
    assert_eq!(reads.map(|read| matches!(read, NearLookup::Miss { admit: true })), [false, true, true]);
    assert_eq!(near.counters.misses.get(), 3);
}

/// Returns a runtime for the calling thread.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Reads a key through a worker, from the cache if it has the value.
async fn read(near: &Near, stored: &Arc<AtomicU32>) -> u32 {
    match near.lookup(b"k", Instant::now(), |_| true, || true) {
        NearLookup::Hit(cached) => cached.value,
        NearLookup::Miss { .. } => {
            let stored = Arc::clone(stored);
            near.fetch(b"k", true, || async move { Ok(fetched(stored.load(SeqCst))) }).await.expect_value()
        }
    }
}

#[test]
fn a_change_is_seen_by_all_workers_once_it_is_acknowledged() {
    const CHANGES: u32 = 3_000;
    let (near, stored, acknowledged) = (near(), Arc::new(AtomicU32::new(0)), AtomicU32::new(0));
    thread::scope(|threads| {
        for number in 0..4 {
            let (near, stored, acknowledged) = (&near, &stored, &acknowledged);
            threads.spawn(move || {
                worker::enter(number, 4);
                runtime().block_on(async {
                    while acknowledged.load(SeqCst) < CHANGES {
                        let at_least = acknowledged.load(SeqCst);
                        let value = read(near, stored).await;
                        assert!(value >= at_least, "{value} after {at_least} was acknowledged");
                    }
                });
            });
        }
        for change in 1..=CHANGES {
            near.invalidate(b"k");
            stored.store(change, SeqCst);
            near.invalidate(b"k");
            acknowledged.store(change, SeqCst);
            // The readers get handles on some of the values. A reader that failed reads no more.
            let hits = near.counters.hits.get();
            let is_soon = || change % 10 == 0 && near.counters.hits.get() < hits + 50;
            std::iter::repeat_n((), 10_000).take_while(|()| is_soon()).for_each(|()| thread::yield_now());
        }
    });
    assert!(near.counters.hits.get() > u64::from(CHANGES));
}
