//! The threads that serve requests. Each has an event loop of its own, and connections to Redis of its own, so that a
//! request stays where it arrived.

use std::cell::Cell;

thread_local! {
    static NUMBER: Cell<usize> = const { Cell::new(0) };
}

/// Says which of them the calling thread is.
pub fn enter(number: usize) {
    NUMBER.set(number);
}

/// Which of them the calling thread is, counted from 0; others count as the first.
pub fn current() -> usize {
    NUMBER.get()
}
