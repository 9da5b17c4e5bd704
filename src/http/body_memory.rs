//! The memory of the bodies of commands.
//!
//! A body reserves memory as it arrives, and is refused at once if there is none left. Two rules keep some for others:
//! large bodies leave a part to small ones, and a client's unfinished and large bodies leave as much as they take.

use super::{
    problem::Problem,
    resource_limit::{Permit, ResourceLimit},
};
use std::sync::atomic::AtomicUsize;

/// Longest body, in bytes, that may use the part of the memory that large bodies leave.
const SMALL_BODY_BYTES_MAX: usize = 64 * 1024;

/// The memory in use by bodies.
#[derive(Default)]
pub struct BodyMemory {
    all: ResourceLimit,
    large: ResourceLimit,
}

/// Maximum sizes in bytes.
#[derive(Clone, Copy)]
pub struct BodyMemoryMax {
    /// All bodies together.
    all: usize,
    /// All large bodies together.
    large: usize,
}

impl BodyMemoryMax {
    /// Keeps a quarter of the memory for small bodies, unless the largest body needs more than the rest.
    pub fn new(bodies_bytes_max: usize, body_bytes_max: usize) -> Self {
        Self { all: bodies_bytes_max, large: (bodies_bytes_max - bodies_bytes_max / 4).max(body_bytes_max) }
    }

    /// Returns the maximum size of all bodies together in bytes.
    pub fn all(&self) -> usize {
        self.all
    }
}

impl BodyMemory {
    /// Returns the memory in use in bytes.
    pub fn in_use(&self) -> usize {
        self.all.in_use()
    }

    /// Returns a permit for one body that holds nothing yet. `client_bytes` counts the unfinished and large bodies of
    /// the client; `None` where there is no other client to leave memory to.
    pub fn permit<'b>(&'b self, max: BodyMemoryMax, client_bytes: Option<&'b AtomicUsize>) -> BodyPermit<'b> {
        BodyPermit {
            memory: self,
            max,
            client_bytes,
            all: self.all.permit(),
            large: self.large.permit(),
            of_client: None,
            is_unfinished: false,
        }
    }

    /// Returns the memory that is left for large bodies, or for small ones.
    fn left(&self, max: &BodyMemoryMax, for_large: bool, in_use: fn(&ResourceLimit) -> usize) -> usize {
        let left = max.all.saturating_sub(in_use(&self.all));
        if for_large { left.min(max.large.saturating_sub(in_use(&self.large))) } else { left }
    }
}

/// The memory of one body. It is released on drop.
pub struct BodyPermit<'b> {
    memory: &'b BodyMemory,
    max: BodyMemoryMax,
    client_bytes: Option<&'b AtomicUsize>,
    all: Permit<'b>,
    large: Permit<'b>,
    of_client: Option<Permit<'b, AtomicUsize>>,
    is_unfinished: bool,
}

impl BodyPermit<'_> {
    /// Reserves memory for a body that has `length` bytes by now.
    pub fn reserve(&mut self, length: usize) -> Result<(), Problem> {
        self.all.reserve(length, self.max.all)?;
        if length > SMALL_BODY_BYTES_MAX {
            self.large.reserve(length, self.max.large)?;
        }
        self.reserve_of_client()
    }

    /// Records that the rest of the body is awaited. Most small bodies are there as a whole and never get here, which
    /// spares them the client's counter.
    pub fn wait(&mut self) -> Result<(), Problem> {
        self.is_unfinished = true;
        self.reserve_of_client()
    }

    /// Reserves the memory as the client's, who may hold at most as much as is left for others.
    fn reserve_of_client(&mut self) -> Result<(), Problem> {
        let is_large = self.large.amount() > 0;
        let Some(client_bytes) = self.client_bytes.filter(|_| is_large || self.is_unfinished) else { return Ok(()) };
        let amount = self.all.amount();
        let of_client = self.of_client.get_or_insert_with(|| Permit::new(client_bytes));
        // Mostly there is enough for others without a look at what each worker keeps.
        let left = self.memory.left(&self.max, is_large, ResourceLimit::in_use_at_most);
        of_client.reserve(amount, left).or_else(|_| {
            let left = self.memory.left(&self.max, is_large, ResourceLimit::in_use);
            of_client.reserve(amount, left)
        })
    }

    /// Releases everything, for a body that is refused and whose rest is still awaited.
    pub fn release(&mut self) {
        *self = self.memory.permit(self.max, self.client_bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGE: usize = 128 * 1024;
    const MAX: usize = 16 * LARGE;

    /// Returns a permit for an unfinished body of `length` bytes, or `None` if it is refused.
    fn unfinished<'b>(
        memory: &'b BodyMemory,
        client: Option<&'b AtomicUsize>,
        length: usize,
    ) -> Option<BodyPermit<'b>> {
        let mut permit = memory.permit(BodyMemoryMax::new(MAX, LARGE), client);
        permit.reserve(length).and_then(|()| permit.wait()).ok().map(|()| permit)
    }

    #[test]
    fn large_bodies_leave_a_quarter_to_small_ones() {
        let memory = BodyMemory::default();
        let large: Vec<_> = std::iter::from_fn(|| unfinished(&memory, None, LARGE)).collect();
        assert_eq!(large.len(), 12);
        let small: Vec<_> = std::iter::from_fn(|| unfinished(&memory, None, SMALL_BODY_BYTES_MAX)).collect();
        assert_eq!(small.len(), 8);
        drop((large, small));
        assert_eq!((memory.in_use(), memory.large.in_use()), (0, 0));
    }

    #[test]
    fn the_unfinished_bodies_of_a_client_leave_as_much_as_they_take() {
        for length in [LARGE, SMALL_BODY_BYTES_MAX] {
            let memory = BodyMemory::default();
            let clients: [AtomicUsize; 4] = Default::default();
            let mut held = Vec::new();
            for client in &clients {
                let before = held.len();
                held.extend(std::iter::from_fn(|| unfinished(&memory, Some(client), length)));
                assert!(held.len() > before, "this client gets nothing because others hold everything");
            }
            drop(held);
            assert!(clients.iter().all(|client| client.load(std::sync::atomic::Ordering::Relaxed) == 0));
        }
    }

    #[test]
    fn small_bodies_that_arrive_as_a_whole_count_for_no_client() {
        let memory = BodyMemory::default();
        let client = AtomicUsize::default();
        let bodies = std::iter::from_fn(|| {
            let mut permit = memory.permit(BodyMemoryMax::new(MAX, LARGE), Some(&client));
            permit.reserve(SMALL_BODY_BYTES_MAX).ok().map(|()| permit)
        });
        let bodies = bodies.collect::<Vec<_>>();
        assert_eq!(bodies.len() * SMALL_BODY_BYTES_MAX, MAX);
    }

    #[test]
    fn a_refused_body_releases_its_memory() {
        let memory = BodyMemory::default();
        let mut permit = unfinished(&memory, None, LARGE).expect("there is room");
        permit.release();
        assert_eq!((memory.in_use(), memory.large.in_use()), (0, 0));
    }
}
