//! A signal that something has changed.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::Notify;

/// A signal that something has changed. A clone is a handle on the same signal.
///
/// Waiters are woken in the order in which they began to wait. `tokio::sync::watch` wakes them in a random order, with
/// which a simulation could not be repeated.
#[derive(Clone, Default)]
pub struct ChangeSignal(Arc<SignalState>);

#[derive(Default)]
struct SignalState {
    /// The number of changes so far.
    changes: AtomicU64,
    notify: Notify,
}

impl ChangeSignal {
    /// Reports a change.
    pub fn notify(&self) {
        self.0.changes.fetch_add(1, Ordering::AcqRel);
        self.0.notify.notify_waiters();
    }

    /// Returns a subscriber that waits for the changes from now on.
    pub fn subscribe(&self) -> ChangeSubscriber {
        ChangeSubscriber { seen: self.changes(), signal: self.clone() }
    }

    /// Returns true if both are handles on the same signal.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn changes(&self) -> u64 {
        self.0.changes.load(Ordering::Acquire)
    }
}

/// A subscriber of a signal.
pub struct ChangeSubscriber {
    signal: ChangeSignal,
    /// The number of changes that the subscriber has seen.
    seen: u64,
}

impl ChangeSubscriber {
    /// Waits for a change that was not seen yet, and marks all changes as seen.
    pub async fn changed(&mut self) {
        loop {
            // Created before the look at the number, so that no change falls between the look and the wait.
            let notified = self.signal.0.notify.notified();
            let changes = self.signal.changes();
            if changes != self.seen {
                self.seen = changes;
                return;
            }
            notified.await;
        }
    }

    /// Marks all changes so far as seen.
    pub fn mark_seen(&mut self) {
        self.seen = self.signal.changes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn a_change_is_seen_once_by_each_subscriber() {
        let signal = ChangeSignal::default();
        let (mut one, mut other) = (signal.subscribe(), signal.subscribe());
        assert!(one.changed().now_or_never().is_none());
        signal.notify();
        signal.notify();
        assert!(one.changed().now_or_never().is_some());
        assert!(one.changed().now_or_never().is_none());
        other.mark_seen();
        assert!(other.changed().now_or_never().is_none());
    }

    #[tokio::test]
    async fn waiters_are_woken_in_the_order_in_which_they_began_to_wait() {
        let (signal, (woken, mut order)) = (ChangeSignal::default(), tokio::sync::mpsc::unbounded_channel());
        for waiter in 0..20 {
            let (mut subscriber, woken) = (signal.subscribe(), woken.clone());
            tokio::spawn(async move {
                subscriber.changed().await;
                woken.send(waiter).expect("the test waits");
            });
        }
        tokio::task::yield_now().await;
        signal.notify();
        for waiter in 0..20 {
            assert_eq!(order.recv().await, Some(waiter));
        }
    }
}
