//! The two numbers that a simulation follows from.

use crate::rng::Rng;

/// The newest edition of the kinds of scenarios and of their stories. What is added gets the next edition, so that the
/// seeds of former editions keep their scenarios.
pub const EDITION: u32 = 2;

/// A simulation: everything in it follows from these numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    pub seed: u64,
    pub edition: u32,
}

impl Plan {
    /// Returns the random numbers of a part of the simulation.
    pub fn stream(self, part: &str, number: usize) -> Rng {
        Rng::new(self.seed, part, number)
    }
}
