//! The 16,384 slots of a Redis Cluster: from a key to its slot, from a slot to its shard.

pub use crate::store::protocol::SLOTS;

use crate::ring::hash_tag;
use crc::{CRC_16_XMODEM, Crc};
use std::ops::RangeInclusive;

/// Ranges that a name spells out.
const NAMED_RANGES_MAX: usize = 3;

const CRC16: Crc<u16> = Crc::<u16>::new(&CRC_16_XMODEM);

pub type SlotRange = RangeInclusive<u16>;

/// Slot of a full key, as the Redis Cluster specification has it.
pub fn slot_of(key: &[u8]) -> u16 {
    CRC16.checksum(hash_tag(key)) % SLOTS
}

/// Which shard has each slot. Shards are positions in the list of a map.
#[derive(Clone, PartialEq, Eq)]
pub struct SlotTable(Box<[u16]>);

impl SlotTable {
    /// All slots with the shard at `position`.
    ///
    /// # Panics
    /// With a position over 65,535; there are fewer slots than that.
    pub fn all_at(position: usize) -> Self {
        Self(vec![narrow(position); usize::from(SLOTS)].into())
    }

    /// Invariant: `slot` is one of [`SLOTS`].
    pub fn owner(&self, slot: u16) -> usize {
        usize::from(self.0[usize::from(slot)])
    }

    pub fn assign(&mut self, range: SlotRange, position: usize) {
        self.0[usize::from(*range.start())..=usize::from(*range.end())].fill(narrow(position));
    }

    /// How many slots each of `shards` has.
    pub fn counts(&self, shards: usize) -> Vec<usize> {
        let mut counts = vec![0; shards];
        for owner in &self.0 {
            counts[usize::from(*owner)] += 1;
        }
        counts
    }

    /// The slots of the shard at `position`, as ranges.
    pub fn ranges(&self, position: usize) -> Vec<SlotRange> {
        ranges((0..SLOTS).filter(|slot| self.owner(*slot) == position))
    }
}

fn narrow(position: usize) -> u16 {
    u16::try_from(position).expect("fewer shards than slots")
}

/// Ascending slots as ranges.
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

/// How people call a shard with these slots: `0-5460`.
pub fn name_ranges(ranges: &[SlotRange]) -> String {
    let one = |range: &SlotRange| match (range.start(), range.end()) {
        (start, end) if start == end => start.to_string(),
        (start, end) => format!("{start}-{end}"),
    };
    let mut named: Vec<String> = ranges.iter().take(NAMED_RANGES_MAX).map(one).collect();
    if ranges.len() > NAMED_RANGES_MAX {
        named.push(format!("and {} more", ranges.len() - NAMED_RANGES_MAX));
    }
    named.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_redis() {
        // As `CLUSTER KEYSLOT` of Redis 7.0 answers.
        for (key, slot) in [("", 0), ("123456789", 12_739), ("foo", 12_182), ("{user1000}.following", 3_443)] {
            assert_eq!(slot_of(key.as_bytes()), slot, "{key}");
        }
        assert_eq!(slot_of(b"{user1000}.followers"), slot_of(b"user1000"));
        assert_eq!(slot_of(b"foo{}{bar}"), CRC16.checksum(b"foo{}{bar}") % SLOTS);
        assert_eq!(slot_of(b"foo{{bar}}zap"), slot_of(b"{bar"));
    }

    #[test]
    fn slots_are_named_by_their_ranges() {
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
