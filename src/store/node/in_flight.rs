//! The limit on commands that wait for a node's answers.

use crate::store::error::NodeError;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Counts the commands that wait for a node's answers, and refuses further ones above a limit.
pub struct InFlightLimit {
    in_flight: AtomicUsize,
    max: usize,
}

impl InFlightLimit {
    /// Creates a limit of `max` commands.
    pub fn new(max: usize) -> Self {
        Self { in_flight: AtomicUsize::new(0), max }
    }

    /// Returns the number of commands that wait for answers.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Relaxed)
    }

    /// Counts `commands` as in flight until the permit is dropped. A batch that is larger than the limit passes only
    /// while nothing else is in flight.
    pub fn acquire(&self, commands: usize) -> Result<InFlightPermit<'_>, NodeError> {
        let before = self.in_flight.fetch_add(commands, Relaxed);
        let permit = InFlightPermit { limit: self, commands };
        if before > 0 && before + commands > self.max { Err(NodeError::Busy) } else { Ok(permit) }
    }
}

/// Commands that are in flight until this is dropped.
pub struct InFlightPermit<'a> {
    limit: &'a InFlightLimit,
    commands: usize,
}

impl Drop for InFlightPermit<'_> {
    fn drop(&mut self) {
        self.limit.in_flight.fetch_sub(self.commands, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_above_the_limit_are_refused_until_others_are_answered() {
        let limit = InFlightLimit::new(3);
        let first = limit.acquire(2).expect("below the limit");
        assert!(matches!(limit.acquire(2), Err(NodeError::Busy)));
        assert_eq!(limit.in_flight(), 2);
        let second = limit.acquire(1).expect("within the limit");
        drop((first, second));
        assert_eq!(limit.in_flight(), 0);
    }

    #[test]
    fn a_batch_larger_than_the_limit_passes_alone() {
        let limit = InFlightLimit::new(3);
        let batch = limit.acquire(9).expect("nothing else is in flight");
        assert!(limit.acquire(1).is_err());
        drop(batch);
        assert!(limit.acquire(1).is_ok());
    }
}
