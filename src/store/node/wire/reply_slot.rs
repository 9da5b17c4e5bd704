//! The place where the caller of a command waits for its reply. Unlike with a channel, the caller can be woken without one.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

/// Creates both ends of a slot.
pub fn reply_slot<T>() -> (ReplySender<T>, ReplyReceiver<T>) {
    let slot = Arc::new(Mutex::new(SlotState::Waiting(None)));
    (ReplySender(Arc::clone(&slot)), ReplyReceiver(slot))
}

enum SlotState<T> {
    /// No reply has arrived. The caller is woken by this, once it has asked.
    Waiting(Option<Waker>),
    Arrived(T),
    /// No reply will arrive, or it was taken.
    Ended,
}

type Slot<T> = Arc<Mutex<SlotState<T>>>;

/// The end that gets the reply.
pub struct ReplySender<T>(Slot<T>);

/// The end of the caller: a future of the reply, which is `None` if the other end is dropped without one.
pub struct ReplyReceiver<T>(Slot<T>);

fn lock<T>(slot: &Mutex<SlotState<T>>) -> MutexGuard<'_, SlotState<T>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T> ReplySender<T> {
    /// Returns true if the caller is gone.
    pub fn is_abandoned(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// Delivers the reply. The caller may be gone.
    pub fn send(self, reply: T) {
        self.end(SlotState::Arrived(reply));
    }

    /// Wakes the caller without a reply.
    pub fn wake(&self) {
        // Woken after the lock was released, because the caller may be run at once.
        let waker = match &*lock(&self.0) {
            SlotState::Waiting(waker) => waker.clone(),
            SlotState::Arrived(_) | SlotState::Ended => None,
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn end(&self, end: SlotState<T>) {
        let before = {
            let mut state = lock(&self.0);
            if !matches!(*state, SlotState::Waiting(_)) {
                return;
            }
            std::mem::replace(&mut *state, end)
        };
        if let SlotState::Waiting(Some(waker)) = before {
            waker.wake();
        }
    }
}

impl<T> Drop for ReplySender<T> {
    fn drop(&mut self) {
        self.end(SlotState::Ended);
    }
}

impl<T> Future for ReplyReceiver<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = lock(&self.0);
        if let SlotState::Waiting(waker) = &mut *state {
            match waker {
                Some(waker) => waker.clone_from(context.waker()),
                None => *waker = Some(context.waker().clone()),
            }
            return Poll::Pending;
        }
        match std::mem::replace(&mut *state, SlotState::Ended) {
            SlotState::Arrived(reply) => Poll::Ready(Some(reply)),
            SlotState::Waiting(_) | SlotState::Ended => Poll::Ready(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        future::poll_fn,
        sync::atomic::{AtomicU32, Ordering::Relaxed},
        task::Wake,
    };

    #[tokio::test]
    async fn the_reply_is_delivered_once_and_an_end_without_one_is_noticed() {
        let (sender, receiver) = reply_slot();
        let waiting = tokio::spawn(receiver);
        tokio::task::yield_now().await;
        sender.send(7);
        assert_eq!(waiting.await.expect("it does not panic"), Some(7));

        let (sender, receiver) = reply_slot::<u32>();
        let waiting = tokio::spawn(receiver);
        tokio::task::yield_now().await;
        drop(sender);
        assert_eq!(waiting.await.expect("it does not panic"), None);
    }

    #[test]
    fn a_sender_sees_that_its_caller_is_gone() {
        let (sender, receiver) = reply_slot::<u32>();
        assert!(!sender.is_abandoned());
        drop(receiver);
        assert!(sender.is_abandoned());
        sender.wake();
        sender.send(7);
    }

    #[tokio::test]
    async fn a_caller_can_be_woken_without_a_reply() {
        #[derive(Default)]
        struct Wakes(AtomicU32);
        impl Wake for Wakes {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Relaxed);
            }
        }
        let (sender, mut receiver) = reply_slot();
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(Arc::clone(&wakes));
        let poll = |receiver: &mut ReplyReceiver<u32>| Pin::new(receiver).poll(&mut Context::from_waker(&waker));
        sender.wake();
        assert_eq!(wakes.0.load(Relaxed), 0, "nobody has asked");
        assert!(poll(&mut receiver).is_pending());
        sender.wake();
        sender.wake();
        assert_eq!(wakes.0.load(Relaxed), 2);
        sender.send(7);
        assert_eq!(wakes.0.load(Relaxed), 3);
        assert_eq!(poll_fn(|context| Pin::new(&mut receiver).poll(context)).await, Some(7));
    }
}
