//! What one operation has been through: nodes that were asked in vain.

use crate::store::{
    consistency::ReadRequirement,
    error::NodeError,
    node::{Node, NodeId},
};

/// The nodes that were asked in vain, and why the last one failed.
#[derive(Clone, Default)]
pub struct Attempts {
    nodes: Vec<FailedAttempt>,
    last: Option<NodeError>,
    /// A replica has no such key, which its master is to confirm.
    missed: bool,
}

#[derive(Clone, Copy)]
struct FailedAttempt {
    node: NodeId,
    /// The connection that was lost, if that is why it failed: over the next one the node may be asked again.
    lost: Option<u64>,
}

impl Attempts {
    /// `connection` is the count of the node's connections when it was asked.
    pub fn record(&mut self, node: &Node, connection: u64, error: NodeError) {
        let lost = matches!(error, NodeError::Lost | NodeError::NotConnected).then_some(connection);
        self.nodes.push(FailedAttempt { node: node.id, lost });
        self.last = Some(error);
    }

    /// Notes that a replica has no such key; from then on only the master will do.
    pub fn record_miss(&mut self) {
        self.missed = true;
    }

    pub fn has_missed(&self) -> bool {
        self.missed
    }

    /// Why the last one failed.
    pub(super) fn last(&self) -> Option<&NodeError> {
        self.last.as_ref()
    }

    /// What is still to be had after that.
    pub(super) fn remaining_requirement(&self, wish: &ReadRequirement) -> ReadRequirement {
        ReadRequirement { master_only: wish.master_only || self.missed, ..*wish }
    }

    pub(super) fn has_tried(&self, node: &Node) -> bool {
        let stands = |lost: Option<u64>| lost.is_none_or(|connection| connection == node.connections_opened());
        self.nodes.iter().any(|attempt| attempt.node == node.id && stands(attempt.lost))
    }

    /// True if it is not to be asked again, whatever becomes of its connection.
    pub(super) fn is_excluded(&self, node: &Node) -> bool {
        self.nodes.iter().any(|attempt| attempt.node == node.id && attempt.lost.is_none())
    }

    /// True if it was asked, and failed.
    pub fn has_failed(&self, node: &Node) -> bool {
        self.nodes.iter().any(|attempt| attempt.node == node.id)
    }

    /// True if those that were tried failed, rather than had too much to do.
    pub(super) fn all_failed(&self) -> bool {
        !matches!(self.last, None | Some(NodeError::Busy))
    }
}
