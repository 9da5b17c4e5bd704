//! The signal that a connection has to be closed, because another one got its place.

use futures_util::task::AtomicWaker;
use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    task::{Context, Poll},
};

/// The signal to one connection.
#[derive(Default)]
pub struct EvictionSignal {
    evicted: AtomicBool,
    /// The task of the connection.
    task: AtomicWaker,
}

impl EvictionSignal {
    /// Closes the connection.
    pub fn evict(&self) {
        self.evicted.store(true, Relaxed);
        self.task.wake();
    }

    /// Returns true if the connection has to be closed.
    pub fn is_evicted(&self) -> bool {
        self.evicted.load(Relaxed)
    }

    /// Is ready if the connection has to be closed; else the task is woken when that happens.
    pub fn poll(&self, context: &Context<'_>) -> Poll<()> {
        self.task.register(context.waker());
        // Read after the registration, so that an eviction in between is not missed.
        if self.is_evicted() { Poll::Ready(()) } else { Poll::Pending }
    }
}
