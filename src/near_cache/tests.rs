//! Tests of the near cache by itself.

use super::*;
use std::future::{pending, ready};
use tokio::sync::oneshot;

type Near = Arc<NearCache<u32, &'static str>>;

const AGE_MAX: Duration = Duration::from_secs(10);

fn near() -> Near {
    Arc::new(NearCache::new(1 << 20, AGE_MAX))
}

fn fetched(value: u32) -> Fetched<u32> {
    Fetched { value, bytes: 4, keep: Some(Duration::MAX) }
}

impl FetchResult<u32, &'static str> {
    fn expect_value(self) -> u32 {
        self.outcome.expect("it ended").expect("it was fetched").value
    }
}

/// What a fetch of that value brings.
async fn bring(near: &Near, key: &[u8], value: u32) -> u32 {
    near.fetch(key, true, || ready(Ok(fetched(value)))).await.expect_value()
}

fn kept(near: &Near, key: &[u8]) -> Option<u32> {
    kept_in(near, key, Duration::ZERO)
}

/// What will be kept after some time.
fn kept_in(near: &Near, key: &[u8], time: Duration) -> Option<u32> {
    near.get(key, Instant::now() + time).map(|kept| kept.value)
}

#[tokio::test]
async fn what_was_fetched_is_kept_until_it_is_forgotten_or_too_old() {
    let near = near();
    assert_eq!(kept(&near, b"k"), None);
    assert_eq!(bring(&near, b"k", 1).await, 1);
    assert_eq!(kept(&near, b"k"), Some(1));
    near.invalidate(b"other");
    assert_eq!(kept(&near, b"k"), Some(1));
    near.invalidate(b"k");
    assert_eq!(kept(&near, b"k"), None);
    assert_eq!(near.counters.invalidated.load(Relaxed), 1);

    bring(&near, b"k", 2).await;
    assert_eq!(kept_in(&near, b"k", AGE_MAX / 2), Some(2));
    assert_eq!(kept_in(&near, b"k", AGE_MAX), None);
}

#[tokio::test]
async fn nothing_outlives_its_time_nor_is_kept_that_may_not_be() {
    let near = near();
    let brief = Fetched { value: 1, bytes: 4, keep: Some(Duration::from_millis(50)) };
    near.fetch(b"brief", true, || ready(Ok(brief))).await.expect_value();
    assert_eq!(near.size().0, 1);
    assert_eq!(kept_in(&near, b"brief", Duration::from_millis(50)), None);

    let never = Fetched { value: 1, bytes: 4, keep: None };
    assert_eq!(near.fetch(b"never", true, || ready(Ok(never))).await.expect_value(), 1);
    let huge = Fetched { value: 1, bytes: 1 << 16, keep: Some(Duration::MAX) };
    near.fetch(b"huge", true, || ready(Ok(huge))).await.expect_value();
    assert_eq!((kept(&near, b"never"), kept(&near, b"huge"), near.size().0), (None, None, 1));
    assert_eq!(near.fetch(b"failed", true, || ready(Err("no"))).await.outcome.and_then(Result::err), Some("no"));
    assert_eq!(kept(&near, b"failed"), None);
}

#[tokio::test]
async fn its_size_is_bounded() {
    let near = near();
    for number in 0..20_000_u32 {
        bring(&near, &number.to_be_bytes(), number).await;
    }
    let (entries, bytes) = near.size();
    assert!(entries > 1000 && bytes <= 1 << 20, "{entries} entries, {bytes} bytes");
    near.clear();
    assert_eq!(near.size(), (0, 0));
}

/// A fetch that ends when it is told to.
fn held(near: &Near, shared: bool) -> (oneshot::Sender<u32>, tokio::task::JoinHandle<u32>) {
    let (end, ended) = oneshot::channel();
    let near = Arc::clone(near);
    let task = tokio::spawn(async move {
        let fetch = || async { Ok(fetched(ended.await.expect("it is told"))) };
        near.fetch(b"k", shared, fetch).await.expect_value()
    });
    (end, task)
}

#[tokio::test]
async fn those_who_miss_at_once_share_a_fetch_which_survives_the_one_who_began_it() {
    let near = near();
    let (end, first) = held(&near, true);
    tokio::task::yield_now().await;
    let follower = tokio::spawn({
        let near = Arc::clone(&near);
        async move { bring(&near, b"k", 999).await }
    });
    tokio::task::yield_now().await;
    first.abort();
    assert!(first.await.is_err());
    end.send(7).expect("somebody waits yet");
    assert_eq!(follower.await.expect("it ends"), 7);
    assert_eq!(kept(&near, b"k"), Some(7));
}

#[tokio::test]
async fn a_fetch_that_nobody_waits_for_is_given_up() {
    let near = near();
    let (end, only) = held(&near, true);
    tokio::task::yield_now().await;
    only.abort();
    assert!(only.await.is_err());
    assert!(end.is_closed());
    assert_eq!(bring(&near, b"k", 8).await, 8);
}

#[tokio::test]
async fn what_was_forgotten_while_it_was_fetched_is_not_kept_nor_shared_further() {
    let near = near();
    for forget in [|near: &Near| near.invalidate(b"k"), |near: &Near| near.clear()] {
        let (end, first) = held(&near, true);
        tokio::task::yield_now().await;
        forget(&near);
        assert_eq!(bring(&near, b"k", 2).await, 2, "a new fetch begins");
        end.send(1).expect("somebody waits yet");
        assert_eq!(first.await.expect("it ends"), 1);
        assert_eq!(kept(&near, b"k"), Some(2));
        near.invalidate(b"k");
    }
}

#[tokio::test]
async fn whoever_wants_it_fresher_shares_nothing() {
    let near = near();
    let waits = tokio::spawn({
        let near = Arc::clone(&near);
        async move { near.fetch(b"k", true, pending::<Result<Fetched<u32>, &str>>).await.expect_value() }
    });
    tokio::task::yield_now().await;
    let fresh = near.fetch(b"k", false, || ready(Ok(fetched(3)))).await.expect_value();
    assert_eq!((fresh, kept(&near, b"k")), (3, Some(3)));
    waits.abort();
}

#[test]
fn a_key_is_wanted_from_its_second_reading_on() {
    let near = near();
    assert_eq!([near.should_admit(b"k"), near.should_admit(b"k")], [false, true]);
}
