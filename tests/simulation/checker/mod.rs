//! The checker: it compares the history of the clients with the truth, and names every promise that was broken.

mod changes;
mod index;
mod reads;
mod timeline;

use crate::{history::Record, truth::Branch, world::World};
use index::Index;
use timeline::Timelines;

/// A promise of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// A read through an instance shows the changes that the instance acknowledged before, unless the master is lost.
    OwnWrites,
    /// A strict read shows the value that the master has.
    StrictRead,
    /// A read with a token shows the changes that the token covers.
    Token,
    /// A value that is read was written under this key, and a key that exists is not missing.
    Existence,
    /// A value that is read is only as old as replication and reports of changes take, if nothing goes wrong.
    Staleness,
    /// A value is not read after it has expired.
    Expiry,
    /// An acknowledged change was made by the master of its shard, while the request ran.
    Acknowledgement,
    /// A change is made at most once.
    AtMostOnce,
    /// A change that was refused is not made.
    Refusal,
    /// A batch sees its own changes, in order.
    Batch,
    /// Everything works again after everything was repaired.
    Recovery,
}

/// A broken promise.
#[derive(Clone, Debug)]
pub struct Violation {
    pub promise: Promise,
    /// The position of the operation in the history.
    pub record: usize,
    pub reason: String,
}

/// Everything that the checker goes by.
pub struct Checker<'a> {
    pub world: &'a World,
    pub records: &'a [Record],
    timelines: Timelines,
    index: Index,
}

/// Compares a history with the truth.
pub fn check(world: &World, records: &[Record]) -> Vec<Violation> {
    let checker = Checker { world, records, timelines: Timelines::new(world), index: Index::new(world, records) };
    let mut violations = Vec::new();
    for number in 0..records.len() {
        violations.extend(checker.check_read(number));
        violations.extend(checker.check_change(number));
    }
    violations.extend(checker.check_batches());
    violations.sort_by_key(|violation| violation.record);
    violations
}

impl Checker<'_> {
    /// Returns the accepted branches of a record's shards, with their positions.
    fn branches(&self, record: &Record) -> impl Iterator<Item = (usize, &Branch)> {
        self.branches_of(self.shards(record))
    }

    /// Returns the shards that the key of a record had while the request ran.
    fn shards(&self, record: &Record) -> Vec<usize> {
        self.world.truth.owners(&record.key, record.instance, (record.asked, record.answered))
    }

    /// Returns the accepted branches that may explain a read.
    fn branches_for_read(&self, record: &Record, changes: &[&Record]) -> impl Iterator<Item = (usize, &Branch)> {
        self.branches_of(self.shards_for_read(record, changes))
    }

    /// Returns the shards that may explain a read: those of the record's key, and its former one if a fetch from there may
    /// still have been under way, and none of `changes` came after it.
    fn shards_for_read(&self, record: &Record, changes: &[&Record]) -> Vec<usize> {
        let truth = &self.world.truth;
        let mut shards = self.shards(record);
        let former = truth.former_owner(&record.key, record.instance, record.answered);
        if let Some((former, left)) = former.filter(|_| truth.has_near_cache)
            && changes.iter().all(|change| change.answered < left)
        {
            shards.push(former);
        }
        shards
    }

    /// Returns the accepted branches of some shards, with their positions.
    fn branches_of(&self, shards: Vec<usize>) -> impl Iterator<Item = (usize, &Branch)> {
        let branches = self.world.truth.branches.iter().enumerate();
        branches.filter(move |(_, branch)| shards.contains(&branch.shard) && branch.accepted.is_some())
    }
}
