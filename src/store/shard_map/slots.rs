//! The 16,384 slots of a Redis Cluster: the slot of each key, and the shard of each slot.

pub use crate::store::protocol::hash_slots::SLOTS;

use crate::ring::hash_tag;
use crc::{CRC_16_XMODEM, Crc};
use std::ops::RangeInclusive;

/// Ranges that a shard's name lists.
const NAMED_RANGES_MAX: usize = 3;

const CRC16: Crc<u16> = Crc::<u16>::new(&CRC_16_XMODEM);

/// A range of slots.
pub type SlotRange = RangeInclusive<u16>;

/// Returns the slot of a full key, by the Redis Cluster specification.
pub fn slot_of(key: &[u8]) -> u16 {
    CRC16.checksum(hash_tag(key)) % SLOTS
}

/// The shard of each slot, as a position in the list of a map.
#[derive(Clone, PartialEq, Eq)]
pub struct SlotTable(Box<[u16]>);

impl SlotTable {
    /// Creates a table in which the shard at `position` has all slots.
    ///
    /// # Panics
    /// With a position over 65,535; there are fewer slots than that.
    pub fn all_at(position: usize) -> Self {
        Self(vec![narrow(position); usize::from(SLOTS)].into())
    }

    /// Returns the position of the slot's shard. Invariant: `slot` is below [`SLOTS`].
    pub fn owner(&self, slot: u16) -> usize {
        usize::from(self.0[usize::from(slot)])
    }

    /// Assigns a range of slots to the shard at `position`.
    pub fn assign(&mut self, range: SlotRange, position: usize) {
        self.0[usize::from(*range.start())..=usize::from(*range.end())].fill(narrow(position));
    }

    /// Returns the number of slots of each of `shards` shards.
    pub fn counts(&self, shards: usize) -> Vec<usize> {
        let mut counts = vec![0; shards];
        for owner in &self.0 {
            counts[usize::from(*owner)] += 1;
        }
        counts
    }

    /// Returns the slots of the shard at `position`, as ranges.
    pub fn ranges(&self, position: usize) -> Vec<SlotRange> {
        ranges((0..SLOTS).filter(|slot| self.owner(*slot) == position))
    }
}

fn narrow(position: usize) -> u16 {
    u16::try_from(position).expect("fewer shards than slots")
}

/// Groups ascending slots into ranges.
pub fn ranges(slots: impl Iterator<Item = u16>) -> Vec<SlotRange> {
    let mut found: Vec<SlotRange> = Vec::new();
    for slot in slots {
        match found.last_mut() {
            Some(range) if range.end() + 1 == slot => *range = *range.start()..=slot,
            _ => found.push(slot..=slot),
        }
    }
    found
}

/// Returns the name of a shard with these slots, such as `0-5460`.
pub fn name_ranges(ranges: &[SlotRange]) -> String {
    let first = ranges.iter().take(NAMED_RANGES_MAX).map(|range| match (range.start(), range.end()) {
        (start, end) if start == end => start.to_string(),
        (start, end) => format!("{start}-{end}"),
    });
    let mut named: Vec<String> = first.collect();
    if ranges.len() > NAMED_RANGES_MAX {
        named.push(format!("and {} more", ranges.len() - NAMED_RANGES_MAX));
    }
    named.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slot_of_a_key_is_that_of_redis() {
        // The answers of `CLUSTER KEYSLOT` of Redis 7.0.
        for (key, slot) in [("", 0), ("123456789", 12_739), ("foo", 12_182), ("{user1000}.following", 3_443)] {
            assert_eq!(slot_of(key.as_bytes()), slot, "{key}");
        }
        assert_eq!(slot_of(b"{user1000}.followers"), slot_of(b"user1000"));
        assert_eq!(slot_of(b"foo{}{bar}"), CRC16.checksum(b"foo{}{bar}") % SLOTS);
        assert_eq!(slot_of(b"foo{{bar}}zap"), slot_of(b"{bar"));
    }

    #[test]
    fn a_shard_is_named_by_the_ranges_of_its_slots() {
        let mut slots = SlotTable::all_at(1);
        slots.assign(0..=5460, 0);
        slots.assign(16_383..=16_383, 0);
        assert_eq!(name_ranges(&slots.ranges(0)), "0-5460, 16383");
        assert_eq!(name_ranges(&slots.ranges(1)), "5461-16382");
        for slot in [10, 20, 30] {
            slots.assign(slot..=slot, 2);
        }
        assert_eq!(name_ranges(&slots.ranges(0)), "0-9, 11-19, 21-29, and 2 more");
        assert_eq!(name_ranges(&slots.ranges(3)), "");
    }
}
