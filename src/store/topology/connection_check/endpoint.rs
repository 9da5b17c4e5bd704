//! The check of one address.

use super::{
    expected::{Asked, mode_problem},
    permissions,
    server_facts::ServerFacts,
};
use crate::{
    settings,
    store::{
        error::ConnectionFailure,
        node::{NodeContext, connect::RedisEndpoint, login::SharedLogin},
        topology::{
            cluster::view::{self, Claim},
            error::TopologyError,
            sentinel::replies::{self, CHANNELS, MasterReply},
        },
    },
    types::{Address, error_chain},
};
use redis::{
    Pipeline, Value,
    aio::{ConnectionLike, MultiplexedConnection},
};
use std::time::Duration;
use tokio::time::timeout;

/// The result of the check of one address.
#[derive(Debug)]
pub struct EndpointCheck {
    /// The address.
    pub address: Address,
    /// The place of the address in the settings or in the answers of others, such as `master of shard "a"`.
    pub purpose: String,
    /// The facts that the server told; `None` if it did not answer.
    pub facts: Option<ServerFacts>,
    /// The problems, each as a sentence about the server.
    pub problems: Vec<String>,
}

/// Checks addresses with the same credentials.
#[derive(Clone)]
pub struct Checker<'a> {
    /// The credentials and certificates.
    pub login: SharedLogin,
    /// The settings of connections.
    pub redis: &'a settings::RedisConfig,
    /// The state that all connections share.
    pub context: &'a NodeContext,
    /// A key that does not exist.
    pub key: &'a str,
}

impl Checker<'_> {
    /// Checks a node.
    pub async fn check_node(&self, address: &Address, purpose: String, asked: Asked) -> EndpointCheck {
        let in_cluster = asked == Asked::ClusterNode;
        let mut commands = Pipeline::new();
        permissions::add_commands(&mut commands, in_cluster, self.key);
        let (mut check, replies, _) = self.ask(address, purpose, asked, &commands).await;
        if check.problems.is_empty() {
            check.problems = permissions::problems(&replies, in_cluster);
        }
        check
    }

    /// Checks a node that the settings name as a part of a Redis Cluster. Returns its view of the cluster, too.
    pub async fn check_seed(&self, address: &Address) -> (EndpointCheck, Option<Vec<Claim>>) {
        let mut commands = Pipeline::new();
        commands.cmd("CLUSTER").arg("SLOTS");
        permissions::add_commands(&mut commands, true, self.key);
        let purpose = "seed of the cluster".to_owned();
        let (mut check, replies, _) = self.ask(address, purpose, Asked::ClusterNode, &commands).await;
        let Some((slots, replies)) = replies.split_first().filter(|_| check.problems.is_empty()) else {
            return (check, None);
        };
        check.problems = permissions::problems(replies, true);
        (check, view::parse_slots(slots, address))
    }

    /// Checks a sentinel that is to know these masters. Returns its replies about them, too.
    pub async fn check_sentinel(&self, address: &Address, masters: &[&str]) -> (EndpointCheck, Vec<MasterReply>) {
        let commands = replies::commands(masters.iter().copied());
        let (mut check, replies, connection) =
            self.ask(address, "sentinel".to_owned(), Asked::Sentinel, &commands).await;
        let Some(mut connection) = connection.filter(|_| check.problems.is_empty()) else {
            return (check, Vec::new());
        };
        let replies = replies::parse(&replies);
        for (master, reply) in masters.iter().zip(&replies) {
            match reply {
                MasterReply::Report(_) => {}
                MasterReply::UnknownName => check.problems.push(format!("it knows no master \"{master}\"")),
                MasterReply::Error(text) => {
                    check.problems.push(format!("it does not tell the master \"{master}\": {text}"));
                }
            }
        }
        let subscribed = timeout(self.redis.connect_timeout, connection.subscribe(&CHANNELS)).await;
        if let Ok(Err(error)) = subscribed {
            let failure = ConnectionFailure::from(error);
            check.problems.push(format!("it refuses the subscription to its events: {failure}"));
        }
        (check, replies)
    }

    /// Connects to a server, and asks it for its facts and with further commands. The connection is `None` if that failed.
    async fn ask(
        &self,
        address: &Address,
        purpose: String,
        asked: Asked,
        commands: &Pipeline,
    ) -> (EndpointCheck, Vec<Value>, Option<MultiplexedConnection>) {
        let endpoint = RedisEndpoint::new(address, &self.login, self.redis.connect_timeout, self.context);
        let mut check = EndpointCheck { address: address.clone(), purpose, facts: None, problems: Vec::new() };
        match converse(&endpoint, commands, self.redis.connect_timeout).await {
            Ok((hello, replies, connection)) => {
                check.facts = ServerFacts::parse(&hello);
                let mode = check.facts.as_ref().and_then(|facts| facts.mode);
                check.problems.extend(mode.and_then(|mode| mode_problem(asked, mode)));
                (check, replies, Some(connection))
            }
            Err(error) => {
                check.problems.push(format!("it cannot be reached: {}", error_chain(&error)));
                (check, Vec::new(), None)
            }
        }
    }
}

/// Opens a connection and sends `HELLO` and further commands. Returns the replies and the connection.
async fn converse(
    endpoint: &RedisEndpoint,
    commands: &Pipeline,
    longest: Duration,
) -> Result<(Value, Vec<Value>, MultiplexedConnection), TopologyError> {
    let (mut connection, _login) = endpoint.connect_with_push_handler(|_| {}).await?;
    let mut all = Pipeline::with_capacity(1 + commands.len());
    all.cmd("HELLO");
    for command in commands.cmd_iter() {
        all.add_command(command.clone());
    }
    let call = connection.req_packed_commands(&all, 0, all.len());
    let mut replies = timeout(longest, call).await.map_err(|_| TopologyError::TimedOut)??;
    if replies.is_empty() {
        return Err(TopologyError::Unreadable { command: "HELLO" });
    }
    let hello = replies.remove(0);
    Ok((hello, replies, connection))
}
