//! Simulations that found something once, and are run by every `make test`.
//!
//! A row keeps its scenario while the kinds and stories of its edition stay. A change of the store moves the messages of
//! some connections, and so a row may find less than before; `make mutations` prints the first seed that finds each defect
//! now.

use crate::plan::Plan;

/// A simulation that found something.
pub struct Kept {
    pub plan: Plan,
    /// The defect that it finds.
    pub finds: &'static str,
}

const fn kept(edition: u32, seed: u64, finds: &'static str) -> Kept {
    Kept { plan: Plan { seed, edition }, finds }
}

/// The simulations that are kept.
pub const KEPT: &[Kept] = &[
    kept(1, 2, "a change in flight does not run again on the new owner of its key"),
    kept(1, 5, "a change that only the former shard made is reported as not made, or a change is sent twice"),
    kept(1, 8, "a read does not wait for a master whose connection was cut"),
    kept(1, 9, "an own change does not invalidate the cached value"),
    kept(1, 10, "a master that comes back without its data is used"),
    kept(1, 18, "a replica of another history is read"),
    kept(1, 55, "a strict read is not proven"),
    kept(1, 88, "a report of a changed key does not invalidate the cached value"),
    kept(1, 93, "a replica of a cluster misses a key whose slot moves"),
    kept(1, 108, "an instance that gets a shard reads a replica of another master before it knows the master"),
    kept(1, 245, "a replica without `INFO` is read"),
    kept(1, 660, "a replica that reported a flush is read"),
    kept(1, 30_233, "a master of a cluster that comes back from a minority answers a part of a batch"),
    kept(1, 30_748, "a read with a token lacks an own change while a replica is cut off"),
    kept(1, 31_637, "a read behind a change of its batch is answered by a replica while the cluster is down"),
    kept(1, 300_031, "a deposed master that lives on takes the place of a promoted replica"),
    kept(1, 1_001_018, "an instance that gets a shard again reads a listed node that lags behind the master"),
    kept(1, 1_001_604, "an instance that gets a shard reads a replica that has another master's data still"),
    kept(1, 1_004_415, "a batch takes a read from a replica that refused its change"),
    kept(1, 1_005_407, "a read of a batch runs again behind a change of its batch after a reload"),
    kept(1, 1_005_421, "an instance that gets a shard reads the listed node, which is a replica of another master"),
    kept(1, 1_012_006, "an empty master is accepted when the only node with the data is suspended"),
    kept(1, 2_002_952, "a read of a batch runs again behind its change, which moved to another shard before it"),
    kept(1, 3_001_635, "a deposed master is written when its successor dies before a replica has its data"),
    kept(1, 3_011_150, "a master that was cut off and deposed is written when its successor dies"),
    kept(1, 7_018_175, "a read takes a replica's miss for an answer after the slot has moved from a lost master"),
    kept(1, 7_030_384, "a read with a token takes a replica's miss for an answer after the slot has moved"),
    kept(1, 7_078_080, "an empty master is used where a demoted one does not lead to the node that it names"),
    kept(2, 9_000_810, "a master is written whose announced successor died at once"),
];
