//! The publication of a node's state.

use super::state::NodeState;
use arc_swap::{ArcSwap, Guard};
use std::sync::{Arc, Mutex, PoisonError};

/// The place where a node's state is published.
pub struct StateCell {
    published: ArcSwap<NodeState>,
    /// Held while a new state is made from the last one.
    writer: Mutex<()>,
}

impl StateCell {
    /// Publishes the first state.
    pub fn new(state: NodeState) -> Self {
        Self { published: ArcSwap::from_pointee(state), writer: Mutex::default() }
    }

    /// Returns the state that was published last.
    pub fn load(&self) -> Guard<Arc<NodeState>> {
        self.published.load()
    }

    /// Publishes the state that `change` makes of the last one. Changes run one after the other.
    pub fn update<T>(&self, change: impl FnOnce(&mut NodeState) -> T) -> T {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.published.load_full();
        let mut state = NodeState::clone(&before);
        let result = change(&mut state);
        if state != *before {
            self.published.store(Arc::new(state));
        }
        result
    }
}
