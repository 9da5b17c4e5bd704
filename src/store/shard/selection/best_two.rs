//! The two nodes that a read is best sent to.

use crate::store::node::Node;
use std::sync::Arc;

/// The rank of a node: a slow one comes after the others, and then the score decides.
pub type Rank = (bool, u64);

/// The two nodes with the highest ranks.
#[derive(Default)]
pub struct BestTwo<'m> {
    best: Option<(Rank, &'m Arc<Node>)>,
    second: Option<(Rank, &'m Arc<Node>)>,
}

impl<'m> BestTwo<'m> {
    /// Adds a node.
    pub fn insert(&mut self, rank: Rank, node: &'m Arc<Node>) {
        if self.best.is_none_or(|(best, _)| rank >= best) {
            self.second = self.best.replace((rank, node));
        } else if self.second.is_none_or(|(second, _)| rank >= second) {
            self.second = Some((rank, node));
        }
    }

    /// Returns the best node and the second one.
    pub fn nodes(&self) -> (Option<&'m Arc<Node>>, Option<&'m Arc<Node>>) {
        (self.best.map(|(_, node)| node), self.second.map(|(_, node)| node))
    }
}
