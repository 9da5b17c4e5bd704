//! The slots that are on the move between two masters, as far as nodes have said so.

use crate::types::Address;
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The slots that each node last said it is importing or giving away. What a node said counts until it says something
/// else: a master that is lost may have given away keys that its replicas no longer have.
#[derive(Default)]
pub struct MovingSlots(Mutex<HashMap<Address, Vec<u16>>>);

impl MovingSlots {
    /// Replaces what a node said before.
    pub fn record(&self, node: &Address, slots: Vec<u16>) {
        let mut moving = self.lock();
        if slots.is_empty() {
            moving.remove(node);
        } else {
            moving.insert(node.clone(), slots);
        }
    }

    /// Adds a slot that a node is importing, by the redirection of another node.
    pub fn add(&self, node: &Address, slot: u16) {
        let mut moving = self.lock();
        let slots = moving.entry(node.clone()).or_default();
        if !slots.contains(&slot) {
            slots.push(slot);
        }
    }

    /// Forgets the nodes that are no longer part of the cluster.
    pub fn retain(&self, is_part: impl Fn(&Address) -> bool) {
        self.lock().retain(|node, _| is_part(node));
    }

    /// Returns true if a slot is on the move.
    pub fn contains(&self, slot: u16) -> bool {
        self.lock().values().any(|slots| slots.contains(&slot))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Address, Vec<u16>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> Address {
        Address { host: "h".to_owned(), port }
    }

    #[test]
    fn a_slot_is_on_the_move_until_every_node_that_said_so_says_otherwise_or_is_gone() {
        let moving = MovingSlots::default();
        moving.record(&at(1), vec![5]);
        moving.add(&at(2), 5);
        assert!(moving.contains(5) && !moving.contains(6));
        moving.record(&at(2), Vec::new());
        assert!(moving.contains(5));
        moving.retain(|node| *node == at(2));
        assert!(!moving.contains(5));
    }
}
