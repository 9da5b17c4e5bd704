//! The logins whose body has not arrived as a whole.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

/// Maximum number of unfinished logins. A body of a login has at most 4 KiB.
const PLACES: usize = 2048;

/// The unfinished logins. When there are too many, the oldest one ends, so that none of them prevents another login.
#[derive(Default)]
pub struct UnfinishedLogins {
    places: Mutex<Places>,
}

#[derive(Default)]
struct Places {
    /// The number of the next login.
    next: u64,
    /// The senders of the logins by their age. A login is displaced when its sender is dropped.
    taken: BTreeMap<u64, oneshot::Sender<()>>,
}

/// The place of one login, which is freed on drop.
pub struct LoginPlace<'l> {
    logins: &'l UnfinishedLogins,
    number: u64,
    displaced: oneshot::Receiver<()>,
}

impl UnfinishedLogins {
    /// Takes a place, if necessary that of the oldest login.
    pub fn enter(&self) -> LoginPlace<'_> {
        let (sender, displaced) = oneshot::channel();
        let mut places = self.lock();
        let number = places.next;
        places.next += 1;
        places.taken.insert(number, sender);
        if places.taken.len() > PLACES {
            places.taken.pop_first();
        }
        LoginPlace { logins: self, number, displaced }
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LoginPlace<'_> {
    /// Waits until a newer login needs the place.
    pub async fn displaced(&mut self) {
        // The sender is dropped and sends nothing.
        let _dropped = (&mut self.displaced).await;
    }
}

impl Drop for LoginPlace<'_> {
    fn drop(&mut self) {
        self.logins.lock().taken.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn the_oldest_unfinished_login_gives_its_place_to_the_newest() {
        let logins = UnfinishedLogins::default();
        let mut places: Vec<LoginPlace<'_>> = (0..PLACES).map(|_| logins.enter()).collect();
        assert_eq!(places[0].displaced().now_or_never(), None, "there is room");
        drop(places.pop());
        places.push(logins.enter());
        assert_eq!(places[0].displaced().now_or_never(), None, "a finished login gave its place back");
        places.push(logins.enter());
        assert_eq!(places[0].displaced().now_or_never(), Some(()));
        assert_eq!(places[1].displaced().now_or_never(), None);
        drop(places);
        assert!(logins.lock().taken.is_empty());
    }
}
