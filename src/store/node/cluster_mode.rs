//! The mode that the connections to a node of a Redis Cluster are to have.

use tokio::sync::watch;

/// The mode that all connections of a node are to have.
pub struct ClusterMode(watch::Sender<bool>);

impl Default for ClusterMode {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl ClusterMode {
    /// Sets if the node is to answer reads as a replica.
    pub fn set_read_only(&self, read_only: bool) {
        self.0.send_if_modified(|current| std::mem::replace(current, read_only) != read_only);
    }

    /// Returns true if the node is to answer reads as a replica.
    pub fn is_read_only(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns a receiver of the mode.
    pub fn subscribe(&self) -> watch::Receiver<bool> {
        self.0.subscribe()
    }
}
