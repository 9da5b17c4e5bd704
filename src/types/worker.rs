//! The number of the current worker thread, and its slot in what each worker has one of.
//!
//! Each worker has its own event loop and its own connections to Redis, so that a request stays on the thread on which
//! it arrived.

use std::cell::Cell;

/// Number of slots: one for all threads that are no workers, and one for each worker. More workers share them.
pub const SLOTS: usize = 33;

thread_local! {
    static NUMBER: Cell<usize> = const { Cell::new(0) };
    static SLOT: Cell<usize> = const { Cell::new(0) };
    static COUNT: Cell<usize> = const { Cell::new(1) };
}

/// Makes the calling thread one of `count` workers, with this number.
pub fn enter(number: usize, count: usize) {
    NUMBER.set(number);
    COUNT.set(count);
    SLOT.set(1 + number % (SLOTS - 1));
}

/// Returns the number of the calling thread, counted from 0. Threads that are no workers have the number 0.
pub fn current() -> usize {
    NUMBER.get()
}

/// Returns the number of workers that the calling thread is one of; 1 on a thread that is no worker.
pub fn count() -> usize {
    COUNT.get()
}

/// Returns the slot of the calling thread, which is less than [`SLOTS`]. Threads that are no workers have slot 0.
pub fn slot() -> usize {
    SLOT.get()
}
