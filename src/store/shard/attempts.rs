//! The failed attempts of one operation.

use crate::store::{
    error::NodeError,
    node::{Node, NodeId},
};

/// The nodes at which one operation failed, and the reason of the last failure.
#[derive(Clone, Default)]
pub struct Attempts {
    nodes: Vec<FailedAttempt>,
    last: Option<NodeError>,
    /// A replica answered that the key does not exist, which its master has to confirm.
    missed: bool,
}

#[derive(Clone, Copy)]
struct FailedAttempt {
    node: NodeId,
    /// The number of the connection, if it was lost, or its node is no master any more or has dropped its data: over the next
    /// one the node may be asked again, because it may be another process then.
    lost: Option<u64>,
    /// The failure shows that the node serves nobody.
    shows_loss: bool,
}

impl Attempts {
    /// Records a failure; `connection` is the number of connections that the node had had when it was asked.
    pub fn record(&mut self, node: &Node, connection: u64, error: NodeError) {
        let is_of_connection =
            matches!(error, NodeError::Lost | NodeError::NotConnected | NodeError::Flushed) || error.is_demotion();
        let lost = is_of_connection.then_some(connection);
        self.nodes.push(FailedAttempt { node: node.id, lost, shows_loss: error.shows_loss() });
        // A refusal of a Redis Cluster says more than a lost connection: the operation may be started over.
        if error.is_redirection() || !self.last.as_ref().is_some_and(NodeError::is_redirection) {
            self.last = Some(error);
        }
    }

    /// Records that a replica does not have the key; from then on only the master may answer.
    pub fn record_miss(&mut self) {
        self.missed = true;
    }

    /// Returns true if a replica does not have the key.
    pub fn has_missed(&self) -> bool {
        self.missed
    }

    /// Returns the reason of the last failure.
    pub(super) fn last(&self) -> Option<&NodeError> {
        self.last.as_ref()
    }

    /// Returns true if the node failed and is not to be asked again over the connection that it has now.
    pub(super) fn has_tried(&self, node: &Node) -> bool {
        self.nodes.iter().any(|attempt| {
            attempt.node == node.id && attempt.lost.is_none_or(|connection| connection == node.connections_opened())
        })
    }

    /// Returns true if the node is not to be asked again, whatever becomes of its connection.
    pub(super) fn is_excluded(&self, node: &Node) -> bool {
        self.nodes.iter().any(|attempt| attempt.node == node.id && attempt.lost.is_none())
    }

    /// Returns true if the node was asked, and serves nobody.
    pub(super) fn shows_loss(&self, node: &Node) -> bool {
        self.nodes.iter().any(|attempt| attempt.node == node.id && attempt.shows_loss)
    }

    /// Returns true if the node was asked and failed.
    pub(super) fn has_failed(&self, node: &Node) -> bool {
        self.nodes.iter().any(|attempt| attempt.node == node.id)
    }

    /// Returns true if the last node failed, rather than had too many commands in flight.
    pub(super) fn all_failed(&self) -> bool {
        !matches!(self.last, None | Some(NodeError::Busy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_has_dropped_its_data_may_be_asked_over_its_next_connection() {
        let node = Node::unconnected(1);
        let mut attempts = Attempts::default();
        attempts.record(&node, node.connections_opened(), NodeError::Flushed);
        assert!(attempts.has_tried(&node) && !attempts.is_excluded(&node));
        attempts.record(&node, node.connections_opened(), NodeError::Unexpected);
        assert!(attempts.is_excluded(&node));
    }
}
