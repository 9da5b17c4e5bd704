//! Reads that must not be older than a write.
//!
//! Every acknowledged change leaves its moment behind, in a table by the hash of its key. A master that is asked for
//! its replication offset at a later moment answers with one that covers the change; a replica whose own offset has
//! come so far has it. So a replica *has passed* a moment, and may answer for what was changed until then; for what
//! was changed later the master is read. Keys that share a place in the table are taken for each other, which only
//! sends a read to the master that a replica could have answered.

mod clock;
mod progress;
mod recent_changes;
mod requirement;
mod sync_token;

pub use clock::{Clock, LogicalTime};
pub use progress::ReplicationProgress;
pub use recent_changes::RecentChanges;
pub use requirement::{Freshness, ReadRequirement};
pub use sync_token::{SyncToken, SyncTokens};
