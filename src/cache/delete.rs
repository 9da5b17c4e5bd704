//! DELETE: on the master, with invalidation of the near cache.

use super::{command::Reply, error::CacheError, value_cache::Cache};
use crate::{
    store::OperationKind,
    types::{Deadline, FullKey},
};

impl Cache {
    /// Runs a DELETE.
    pub(super) async fn delete(&self, key: &FullKey<'_>, deadline: Deadline) -> Result<Reply, CacheError> {
        let keys = [key];
        let invalidation = self.invalidation_guard(&keys);
        let deleted = self.store.delete(key, deadline).await?;
        drop(invalidation);
        self.store.observe_change(key, &OperationKind::Delete);
        Ok(if deleted { Reply::Deleted } else { Reply::NotFound })
    }
}
