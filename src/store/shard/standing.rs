//! The standing of a shard's master.

use crate::store::error::StoreError;
use std::sync::Arc;

/// The trust that a shard's master has: whether writes and strict reads may go to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MasterStanding {
    /// The master is used for writes and for reads.
    #[default]
    Accepted,
    /// Two nodes call themselves master, and nothing proves which of them is. Writes and strict reads are refused.
    /// Other reads go on.
    Contested,
    /// Sentinel or the Redis Cluster announced another node, which does not answer. Writes and strict reads are refused.
    /// Other reads go on.
    Deposed,
    /// The master came back without the data that its replicas have. Writes and strict reads are refused. Other reads
    /// are answered by the replicas only.
    Held,
}

impl MasterStanding {
    /// Returns the error of an operation that this standing refuses; `None` if it refuses none.
    pub fn refusal(self, shard: Arc<str>) -> Option<StoreError> {
        match self {
            Self::Accepted => None,
            Self::Contested => Some(StoreError::MasterContested { shard }),
            Self::Deposed => Some(StoreError::MasterDeposed { shard }),
            Self::Held => Some(StoreError::MasterHeld { shard }),
        }
    }
}
