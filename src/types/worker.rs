//! The number of the current worker thread.
//!
//! Each worker has its own event loop and its own connections to Redis, so that a request stays on the thread on which
//! it arrived.

use std::cell::Cell;

thread_local! {
    static NUMBER: Cell<usize> = const { Cell::new(0) };
}

/// Sets the number of the calling thread.
pub fn enter(number: usize) {
    NUMBER.set(number);
}

/// Returns the number of the calling thread, counted from 0. Threads that are no workers have the number 0.
pub fn current() -> usize {
    NUMBER.get()
}
