//! Reads that are not older than a write.
//!
//! The time of every acknowledged change is recorded in a table, by the hash of its key. A master that is asked for its
//! replication offset at a later time answers with an offset that covers the change, and a replica that has reached
//! this offset has the change. So a replica *has replicated up to* a time, and may answer reads of what was changed
//! until then; the master answers for later changes. Keys that share an entry of the table are taken for each other:
//! then the master answers a read that a replica could have answered.
//!
//! The table also has a digest of the value that the last change has left. A replica that has this value has the change,
//! whatever is known of offsets.

mod clock;
mod left_value;
mod progress;
mod recent_changes;
mod requirement;
mod sync_token;

pub use clock::{Clock, LogicalTime};
pub use progress::ReplicationProgress;
pub use recent_changes::{ChangedTo, RecentChanges};
pub use requirement::{Freshness, ReadRequirement};
pub use sync_token::{SyncToken, SyncTokenKey, SyncTokens};
