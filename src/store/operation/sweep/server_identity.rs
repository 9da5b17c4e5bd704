//! The identity of the Redis process at the other end of a connection.

use crate::store::{
    error::NodeError,
    node::replication::ReplicationInfo,
    protocol::{
        info::{field, text_of},
        server_mode::ServerMode,
    },
};
use redis::{Pipeline, Value};

/// The facts by which a process is recognised, and its role.
#[derive(Debug, PartialEq, Eq)]
pub struct ServerIdentity {
    /// The id that Redis draws when it starts.
    pub run_id: String,
    /// The process is a node of a Redis Cluster.
    pub in_cluster: bool,
    /// The process calls itself a master.
    pub is_master: bool,
}

impl ServerIdentity {
    /// Returns the commands whose answers [`ServerIdentity::parse`] reads.
    pub fn question() -> Pipeline {
        let mut commands = Pipeline::with_capacity(2);
        // Redis 6 takes one section at a time.
        commands.cmd("INFO").arg("server").cmd("INFO").arg("replication");
        commands
    }

    /// Reads the answers.
    pub fn parse(answers: &[Value]) -> Result<Self, NodeError> {
        let [server, replication] = answers else { return Err(NodeError::Unexpected) };
        if let Value::ServerError(error) = server {
            return Err(NodeError::from(error));
        }
        let text = text_of(server).ok_or(NodeError::Unexpected)?;
        let replication = ReplicationInfo::parse(replication).ok_or(NodeError::Unexpected)?;
        Ok(Self {
            run_id: field(&text, "run_id").ok_or(NodeError::Unexpected)?.to_owned(),
            // A process that does not tell its mode is not swept.
            in_cluster: ServerMode::of_info(&text).ok_or(NodeError::Unexpected)? == ServerMode::Cluster,
            is_master: replication.is_master(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(server: &str, replication: &str) -> [Value; 2] {
        [server, replication].map(|text| Value::BulkString(text.as_bytes().to_vec()))
    }

    #[test]
    fn the_identity_is_read_from_two_sections() {
        let server = "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nrun_id:c0ffee\r\n";
        let identity = ServerIdentity::parse(&answers(server, "# Replication\r\nrole:slave\r\n")).expect("an identity");
        let expected = ServerIdentity { run_id: "c0ffee".to_owned(), in_cluster: false, is_master: false };
        assert_eq!(identity, expected);
        let cluster = server.replace("standalone", "cluster");
        let identity = ServerIdentity::parse(&answers(&cluster, "role:master\r\n")).expect("an identity");
        assert!(identity.in_cluster && identity.is_master);
        let valkey = cluster.replace("redis_mode", "server_mode");
        assert!(ServerIdentity::parse(&answers(&valkey, "role:master\r\n")).expect("an identity").in_cluster);
        assert!(ServerIdentity::parse(&answers("# Server\r\n", "role:master\r\n")).is_err());
        assert!(ServerIdentity::parse(&answers("run_id:c0ffee\r\n", "role:master\r\n")).is_err());
    }
}
