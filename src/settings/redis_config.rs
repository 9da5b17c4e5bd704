//! The checked settings of Redis: connections and topology.

use super::certificates::Validity;
use crate::{ring::Weight, types::Address};
use secrecy::{SecretBox, SecretString};
use std::time::Duration;

/// The connections to the nodes.
#[derive(Debug)]
pub struct RedisConfig {
    /// Number of the database.
    pub db: i64,
    /// Multiplexed connections to each node; at most one for each worker.
    pub connections_per_node: usize,
    /// Time for opening a connection.
    pub connect_timeout: Duration,
    /// Time for one node to answer a READ, after which the next node is asked.
    pub attempt_timeout: Duration,
    /// Interval between two probes of a node's role.
    pub probe_every: Duration,
    /// Commands that may wait for the answer of one node; further ones are refused.
    pub in_flight_max: usize,
    /// Slow reads are sent to a second node as well.
    pub hedge_reads: bool,
    /// Time for which a master is not used that came back without data that its replicas have; zero for none.
    pub master_hold: Duration,
    /// A replica that was without contact to its master for longer is not read. `None` means that it is always read.
    pub replica_stale_max: Option<Duration>,
}

/// The login and the certificates of connections to nodes, or to sentinels. A reload replaces them.
#[derive(Debug, Default)]
pub struct RedisLoginConfig {
    /// ACL user; `None` for Redis's default user.
    pub username: Option<String>,
    /// Password of all nodes or sentinels; `None` if there is none.
    pub password: Option<SecretString>,
    /// Certificates for TLS; `None` for plain connections.
    pub tls: Option<RedisTlsConfig>,
}

/// Certificates and keys in PEM, which are checked, from the files that the settings name.
#[derive(Debug)]
pub struct RedisTlsConfig {
    /// Name that the certificates of Redis are verified for; `None` for the host that is connected to.
    pub expected_name: Option<String>,
    /// Trusted authorities; `None` for the public ones.
    pub ca_cert: Option<Vec<u8>>,
    /// Certificate and key that identify us to Redis.
    pub client: Option<(Vec<u8>, SecretBox<Vec<u8>>)>,
    /// The validity of the certificate that identifies us to Redis.
    pub client_validity: Option<Validity>,
    /// Sentences about certificates that peers may refuse.
    pub warnings: Vec<String>,
}

/// The source of shards and nodes.
#[derive(Debug)]
pub enum Topology {
    /// A list of nodes. The nodes themselves tell which of them is the master of a shard.
    ///
    /// Invariant: at least one shard; names are unique.
    Static(Vec<ShardConfig>),
    /// Sentinels name the nodes and decide about failovers.
    Sentinel(SentinelsConfig),
    /// A Redis Cluster, whose slots replace the ring. These nodes are asked for the other ones.
    ///
    /// Invariant: at least one node.
    Cluster(Vec<Address>),
}

/// A shard of a static topology.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardConfig {
    /// Name of the shard; it decides which keys the shard holds.
    pub name: String,
    /// Share of the keys relative to the other shards.
    pub weight: Weight,
    /// The node that is expected to be the master.
    pub master: Address,
    /// The other nodes.
    pub replicas: Vec<Address>,
}

/// The sentinels and their shards.
#[derive(Debug)]
pub struct SentinelsConfig {
    /// Addresses of the sentinels.
    ///
    /// Invariant: at least one.
    pub addresses: Vec<Address>,
    /// Login and certificates for the sentinels. The login may differ from that of the nodes.
    pub login: RedisLoginConfig,
    /// The shards.
    ///
    /// Invariant: at least one; names are unique.
    pub shards: Vec<SentinelShardConfig>,
}

/// A shard whose nodes the sentinels know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentinelShardConfig {
    /// Name of the shard; it decides which keys the shard holds.
    pub name: String,
    /// Share of the keys relative to the other shards.
    pub weight: Weight,
    /// Name that the sentinels have for the master.
    pub master_name: String,
}
