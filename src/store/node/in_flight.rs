//! The limit on commands that wait for a node's answers.

use crate::{store::error::NodeError, types::ResourcePool};

/// Counts the commands that wait for a node's answers, and refuses further ones above a limit.
pub struct InFlightLimit {
    in_flight: ResourcePool,
    max: usize,
}

impl InFlightLimit {
    /// Creates a limit of `max` commands.
    pub fn new(max: usize) -> Self {
        Self { in_flight: ResourcePool::default(), max }
    }

    /// Returns the number of commands that wait for answers.
    pub fn in_flight(&self) -> usize {
        self.in_flight.in_use()
    }

    /// Counts `commands` as in flight until the permit is dropped. A batch that is larger than the limit passes only
    /// while nothing else is in flight.
    pub fn acquire(&self, commands: usize) -> Result<InFlightPermit<'_>, NodeError> {
        let is_permitted = self.in_flight.try_take(commands, self.max)
            || commands > self.max && self.in_flight.try_take_alone(commands);
        if is_permitted { Ok(InFlightPermit { limit: self, commands }) } else { Err(NodeError::Busy) }
    }
}

/// Commands that are in flight until this is dropped.
pub struct InFlightPermit<'a> {
    limit: &'a InFlightLimit,
    commands: usize,
}

impl Drop for InFlightPermit<'_> {
    fn drop(&mut self) {
        self.limit.in_flight.give_back(self.commands);
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
