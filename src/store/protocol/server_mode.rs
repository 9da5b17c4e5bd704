//! The mode of a Redis server: what kind of process answers at an address.

use super::info::field;

/// The mode of a Redis server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerMode {
    /// A node on its own, or with replicas.
    Standalone,
    /// A node of a Redis Cluster.
    Cluster,
    /// A sentinel, which holds no keys.
    Sentinel,
}

impl ServerMode {
    /// Reads the mode from the reply to `INFO server`; `None` if the reply does not tell it.
    pub fn of_info(text: &str) -> Option<Self> {
        // Valkey names the mode otherwise.
        Self::parse(field(text, "redis_mode").or_else(|| field(text, "server_mode"))?)
    }

    /// Reads the name of a mode; `None` for any other text.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "standalone" => Some(Self::Standalone),
            "cluster" => Some(Self::Cluster),
            "sentinel" => Some(Self::Sentinel),
            _ => None,
        }
    }

    /// Returns the name of the mode as Redis writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standalone => "standalone",
            Self::Cluster => "cluster",
            Self::Sentinel => "sentinel",
        }
    }

    /// Returns what is wrong with a server of this mode as a node of a listed shard, as the rest of a sentence about it.
    pub fn misuse_as_listed_node(self) -> Option<&'static str> {
        match self {
            Self::Standalone => None,
            Self::Cluster => Some("a node of a Redis Cluster: list some of its nodes in `cluster`, in place of shards"),
            Self::Sentinel => {
                Some("a sentinel, which holds no keys: list it in `sentinels`, and give the shard a `sentinel_master`")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_is_read_as_redis_and_valkey_write_it() {
        for (text, mode) in [
            ("# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n", Some(ServerMode::Standalone)),
            ("redis_mode:sentinel\r\n", Some(ServerMode::Sentinel)),
            ("server_mode:cluster\n", Some(ServerMode::Cluster)),
            ("redis_mode:other\r\n", None),
            ("redis_version:5\r\n", None),
        ] {
            assert_eq!(ServerMode::of_info(text), mode, "{text:?}");
        }
    }
}
