//! The permissions that the service's user of Redis lacks at one node. Each is a warning once, not with every connection.

use crate::{store::protocol::server_text::ServerText, types::Address};
use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

/// The permissions whose lack was logged.
#[derive(Default)]
pub struct LoggedPermissions(Mutex<BTreeSet<&'static str>>);

impl LoggedPermissions {
    /// Logs, as a warning only the first time, that the service's user lacks permissions at the node at `address`:
    /// their names as ACL rules have them, and the consequence as the rest of a sentence about the node.
    pub fn log(
        &self,
        (address, shard): (&Address, &str),
        permissions: &'static str,
        consequence: &str,
        detail: &ServerText,
    ) {
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(permissions) {
            tracing::warn!(
                node = %address, shard, permissions, %detail,
                "node {address} of shard \"{shard}\" {consequence}: give the service's Redis user the permissions {permissions}"
            );
        } else {
            tracing::debug!(node = %address, shard, permissions, %detail, "node {address} of shard \"{shard}\" {consequence}");
        }
    }
}
