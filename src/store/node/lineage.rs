//! The origin of a node's data, as the election of its shard sees it.

/// The origin of a node's data, as far as the last election of its shard knew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lineage {
    /// The data is that of another master, or no election has looked at the node yet.
    #[default]
    Unknown,
    /// No master of the shard has been known yet, and all nodes that have data agree.
    Assumed,
    /// The data is that of the shard's last accepted master.
    Proven,
}

impl Lineage {
    /// Returns true if the data counts as that of the shard.
    pub fn is_of_shard(self) -> bool {
        self != Self::Unknown
    }
}
