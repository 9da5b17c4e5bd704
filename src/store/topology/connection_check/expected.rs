//! The kind of server that an address of the settings is to lead to.

use crate::store::protocol::server_mode::ServerMode;

/// The kind of server that is expected at an address.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// A node of a shard that the settings or sentinels name.
    ListedNode,
    /// A node of a Redis Cluster.
    ClusterNode,
    /// A sentinel.
    Sentinel,
}

/// Returns the problem of a process that has another mode than its place in the settings needs.
pub fn mode_problem(asked: Asked, mode: ServerMode) -> Option<String> {
    match (asked, mode) {
        (Asked::ListedNode, mode) => mode.misuse_as_listed_node().map(|misuse| format!("it is {misuse}")),
        (Asked::ClusterNode, ServerMode::Cluster) | (Asked::Sentinel, ServerMode::Sentinel) => None,
        (Asked::ClusterNode, ServerMode::Standalone) => {
            Some("it is a node without a cluster: list it as `host`, or as `master` of a shard".to_owned())
        }
        (Asked::ClusterNode, ServerMode::Sentinel) => {
            Some("it is a sentinel: `cluster` lists nodes of a Redis Cluster".to_owned())
        }
        (Asked::Sentinel, _) => {
            Some("it is a node with keys, not a sentinel: sentinels mostly have port 26379".to_owned())
        }
    }
}
