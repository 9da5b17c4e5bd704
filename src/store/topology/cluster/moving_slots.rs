//! The slots that are on the move between two masters, as far as nodes have said so.

use crate::types::Address;
use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The slots that each node last said it is importing or giving away. What a node said counts until it says something
/// else: a master that is lost may have given away keys that its replicas no longer have.
#[derive(Default)]
pub struct MovingSlots(Mutex<SlotMoves>);

#[derive(Default)]
struct SlotMoves {
    /// The slots that each node last said it is importing or giving away.
    by_node: HashMap<Address, Vec<u16>>,
    /// The slots that a node no longer named since the shard map was last updated. The map may not show their new owners yet.
    ended: HashSet<u16>,
}

impl MovingSlots {
    /// Replaces what a node said before.
    pub fn record(&self, node: &Address, slots: Vec<u16>) {
        let SlotMoves { by_node, ended } = &mut *self.lock();
        let before = if slots.is_empty() { by_node.remove(node) } else { by_node.insert(node.clone(), slots) };
        ended.extend(before.unwrap_or_default());
    }

    /// Forgets the slots whose moves have ended, after the shard map was updated.
    pub fn forget_ended(&self) {
        self.lock().ended.clear();
    }

    /// Adds a slot that a node is importing, by the redirection of another node.
    pub fn add(&self, node: &Address, slot: u16) {
        let mut moving = self.lock();
        let slots = moving.by_node.entry(node.clone()).or_default();
        if !slots.contains(&slot) {
            slots.push(slot);
        }
    }

    /// Forgets the nodes that are no longer part of the cluster.
    pub fn retain(&self, is_part: impl Fn(&Address) -> bool) {
        self.lock().by_node.retain(|node, _| is_part(node));
    }

    /// Returns true if a slot is on the move, or the shard map may not show yet that its move has ended.
    pub fn contains(&self, slot: u16) -> bool {
        let moving = self.lock();
        moving.ended.contains(&slot) || moving.by_node.values().any(|slots| slots.contains(&slot))
    }

    fn lock(&self) -> MutexGuard<'_, SlotMoves> {
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
        moving.forget_ended();
        assert!(moving.contains(5));
        moving.retain(|node| *node == at(2));
        assert!(!moving.contains(5));
    }

    #[test]
    fn a_slot_is_on_the_move_until_the_map_can_show_its_new_owner() {
        let moving = MovingSlots::default();
        moving.record(&at(1), vec![5, 7]);
        moving.record(&at(1), vec![7]);
        assert!(moving.contains(5) && moving.contains(7));
        moving.forget_ended();
        assert!(!moving.contains(5) && moving.contains(7));
    }
}
