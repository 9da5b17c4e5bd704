//! Process-wide limits on concurrent requests and buffered bytes.
//!
//! A request that asks for more than is left is refused at once; it never waits.

use super::problem::Problem;
use crate::types::ResourcePool;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A resource that all requests share. Its maximum is given with each reservation, because a reload can change it.
#[derive(Default)]
pub struct ResourceLimit {
    pool: ResourcePool,
}

impl ResourceLimit {
    /// Returns the amount that all permits hold together.
    pub fn in_use(&self) -> usize {
        self.pool.in_use()
    }

    /// Returns an amount that is not less than that of all permits together, and costs less to find out.
    pub fn in_use_at_most(&self) -> usize {
        self.pool.in_use_at_most()
    }

    /// Returns a permit that holds nothing yet.
    pub fn permit(&self) -> Permit<'_> {
        Permit::new(&self.pool)
    }
}

/// A count of what all permits of a resource hold.
pub trait ResourceCount {
    /// Adds an amount, unless the sum would be more than `max`.
    fn try_take(&self, amount: usize, max: usize) -> bool;

    /// Subtracts an amount that was added.
    fn give_back(&self, amount: usize);
}

impl ResourceCount for ResourcePool {
    fn try_take(&self, amount: usize, max: usize) -> bool {
        self.try_take(amount, max)
    }

    fn give_back(&self, amount: usize) {
        self.give_back(amount);
    }
}

/// A count that is not changed by most requests, and needs no part for each worker.
impl ResourceCount for AtomicUsize {
    fn try_take(&self, amount: usize, max: usize) -> bool {
        self.fetch_update(Relaxed, Relaxed, |sum| sum.checked_add(amount).filter(|sum| *sum <= max)).is_ok()
    }

    fn give_back(&self, amount: usize) {
        self.fetch_sub(amount, Relaxed);
    }
}

/// The amount that one request holds. It is released on drop.
pub struct Permit<'l, C: ResourceCount = ResourcePool> {
    count: &'l C,
    amount: usize,
}

impl<'l, C: ResourceCount> Permit<'l, C> {
    /// Creates a permit that holds nothing yet; `count` has the sum of all permits of the resource.
    pub fn new(count: &'l C) -> Self {
        Self { count, amount: 0 }
    }

    /// Returns the amount that this permit holds.
    pub fn amount(&self) -> usize {
        self.amount
    }

    /// Raises the amount of this permit to `amount`, unless all permits together would then hold more than `max`.
    pub fn reserve(&mut self, amount: usize, max: usize) -> Result<(), Problem> {
        let more = amount.saturating_sub(self.amount);
        if !self.count.try_take(more, max) {
            return Err(Problem::busy());
        }
        self.amount += more;
        Ok(())
    }
}

impl<C: ResourceCount> Drop for Permit<'_, C> {
    fn drop(&mut self) {
        if self.amount > 0 {
            self.count.give_back(self.amount);
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
