//! Process-wide limits on concurrent requests and buffered bytes.
//!
//! A request that asks for more than is left is refused at once; it never waits.

use super::problem::Problem;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A resource that all requests share. Its maximum is given with each reservation, because a reload can change it.
#[derive(Default)]
pub struct ResourceLimit {
    in_use: AtomicUsize,
}

impl ResourceLimit {
    /// Returns the amount that all permits hold together.
    pub fn in_use(&self) -> usize {
        self.in_use.load(Relaxed)
    }

    /// Returns a permit that holds nothing yet.
    pub fn permit(&self) -> Permit<'_> {
        Permit::new(&self.in_use)
    }
}

/// The amount that one request holds. It is released on drop.
pub struct Permit<'l> {
    in_use: &'l AtomicUsize,
    amount: usize,
}

impl<'l> Permit<'l> {
    /// Creates a permit that holds nothing yet; `in_use` is the sum of all permits of the resource.
    pub fn new(in_use: &'l AtomicUsize) -> Self {
        Self { in_use, amount: 0 }
    }

    /// Returns the amount that this permit holds.
    pub fn amount(&self) -> usize {
        self.amount
    }

    /// Raises the amount of this permit to `amount`, unless all permits together would then hold more than `max`.
    pub fn reserve(&mut self, amount: usize, max: usize) -> Result<(), Problem> {
        let more = amount.saturating_sub(self.amount);
        self.in_use
            .fetch_update(Relaxed, Relaxed, |in_use| in_use.checked_add(more).filter(|total| *total <= max))
            .map_err(|_| Problem::busy())?;
        self.amount += more;
        Ok(())
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.amount > 0 {
            self.in_use.fetch_sub(self.amount, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_never_exceed_the_limit_and_release_what_they_hold() {
        let limit = ResourceLimit::default();
        let (mut one, mut other) = (limit.permit(), limit.permit());
        assert!(one.reserve(6, 10).is_ok() && other.reserve(4, 10).is_ok());
        assert!(one.reserve(7, 10).is_err(), "the limit is 10");
        assert!(one.reserve(6, 10).is_ok(), "the permit holds 6 already");
        drop(other);
        assert!(one.reserve(10, 10).is_ok(), "the refusal reserved nothing, and the other permit is released");
        assert!(one.reserve(usize::MAX, usize::MAX).is_ok());
        assert!(limit.permit().reserve(1, usize::MAX).is_err(), "the sum would overflow");
        drop(one);
        assert_eq!(limit.in_use(), 0);
    }
}
