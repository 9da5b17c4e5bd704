//! What requests ask of the cluster, where there is one.

use super::{RedirectedOperation, Rejection};
use crate::{
    store::{StoreCore, StoreError, error::NodeError, node::Node, shard::Shard, shard_map::slots::slot_of},
    types::{Deadline, FullKey},
};
use redis::Value;

impl StoreCore {
    /// In a cluster that is not known yet, waits until it is, but no longer than one attempt.
    pub async fn wait_until_known(&self, deadline: Deadline) {
        if let Some(cluster) = &self.cluster {
            cluster.wait_until_known(deadline).await;
        }
    }

    /// The slot of a key in a cluster.
    pub fn slot(&self, key: &FullKey<'_>) -> Option<u16> {
        self.cluster.is_some().then(|| slot_of(key.as_bytes()))
    }

    /// True if an operation that this node refused is to be taken up by [`Inner::follow`]. Where a replica does not
    /// say who has the slot, there are others of its shard to ask.
    pub fn should_redirect(&self, error: &NodeError, shard: &Shard, node: &Node) -> bool {
        self.cluster.is_some() && error.is_redirection() && (error.names_a_node() || shard.is_master(node))
    }

    /// Takes an operation to where its node sends it.
    pub async fn redirect<T>(
        &self,
        errand: &RedirectedOperation<'_>,
        refused: Option<Rejection>,
        read: impl Fn(Value, u32) -> Result<T, NodeError>,
    ) -> Result<T, StoreError> {
        match &self.cluster {
            Some(cluster) => cluster.redirect(self, errand, refused, read).await,
            None => Err(errand.failure(&self.map.load().route(errand.key).shard, NodeError::NotConnected)),
        }
    }

    /// Takes notice of where operations are sent.
    pub fn on_redirections<'a>(&self, node: &Node, errors: impl Iterator<Item = &'a NodeError>) {
        if let Some(cluster) = &self.cluster {
            errors.for_each(|error| cluster.on_redirection(self, node, error));
        }
    }

    /// True if this is a replica whose word that there is no such key may be wrong: while a slot moves, the keys that
    /// are gone to the new owner are missing at the replicas of the old one, and the last ones to come are missing
    /// for a moment at those of the new one. Only newer servers tell; so the master is asked.
    pub fn must_confirm_miss(&self, shard: &Shard, node: &Node) -> bool {
        self.cluster.is_some() && !shard.is_master(node)
    }
}
