//! What all requests share and there is only so much of: places to be worked on, memory for bodies.
//!
//! Whoever asks for more than is left is refused at once rather than kept waiting.

use super::problem::Problem;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// How much is taken. What may be taken is said with each request, because it can change.
#[derive(Default)]
pub struct ResourceLimit {
    taken: AtomicUsize,
}

impl ResourceLimit {
    pub fn in_use(&self) -> usize {
        self.taken.load(Relaxed)
    }

    /// A share of nothing, to be grown.
    pub fn share(&self) -> Permit<'_> {
        Permit { budget: self, amount: 0 }
    }
}

/// What one request has of it; given back when it is dropped.
pub struct Permit<'b> {
    budget: &'b ResourceLimit,
    amount: usize,
}

impl Permit<'_> {
    /// Makes the share `amount` large, unless all shares together would then be more than `most`.
    pub fn reserve(&mut self, amount: usize, most: usize) -> Result<(), Problem> {
        let more = amount.saturating_sub(self.amount);
        let fits = |taken: usize| taken.checked_add(more).filter(|taken| *taken <= most);
        self.budget.taken.fetch_update(Relaxed, Relaxed, fits).map_err(|_| Problem::busy())?;
        self.amount += more;
        Ok(())
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.budget.taken.fetch_sub(self.amount, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_taken_than_there_is_and_all_of_it_comes_back() {
        let budget = ResourceLimit::default();
        let (mut one, mut other) = (budget.share(), budget.share());
        assert!(one.reserve(6, 10).is_ok() && other.reserve(4, 10).is_ok());
        assert!(one.reserve(7, 10).is_err(), "there are only 10");
        assert!(one.reserve(6, 10).is_ok(), "it has that already");
        drop(other);
        assert!(one.reserve(10, 10).is_ok(), "the refusal took nothing, and the other share is back");
        assert!(one.reserve(usize::MAX, usize::MAX).is_ok());
        assert!(budget.share().reserve(1, usize::MAX).is_err(), "the sum has no number");
        drop(one);
        assert_eq!(budget.taken.load(Relaxed), 0);
    }
}
