//! The periodic refresh of the slots: it asks nodes of the cluster for their view.

use super::{
    redis_cluster::Cluster,
    view::{self, Claim},
};
use crate::{
    store::{
        node::{
            Node, NodeId,
            call_timeout::{Abandon, CallTimeout},
            connection_class::ConnectionClass,
        },
        protocol::reply::ReplyError,
        topology::error::TopologyError,
    },
    types::{Address, Deadline, error_chain},
};
use futures_util::future::join_all;
use redis::{Pipeline, Value, aio::ConnectionLike};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

/// The interval of refreshes. Each asks one node, in turn; all nodes are asked if that node reports a change.
const INTERVAL: Duration = Duration::from_secs(1);
/// The interval of refreshes until the slots are known.
const INTERVAL_UNTIL_KNOWN: Duration = Duration::from_millis(200);
/// The minimum time between two refreshes, even if one is requested.
const INTERVAL_MIN: Duration = Duration::from_millis(20);
/// Maximum number of nodes that are asked at once.
const ASKED_MAX: usize = 256;

impl Cluster {
    /// Keeps the map up to date. Never returns.
    pub async fn run(&self) {
        let mut failure_logged = false;
        let mut turn: usize = 0;
        loop {
            match self.refresh(turn).await {
                Ok(()) => failure_logged = false,
                // The first failure is logged; repetitions are not, until a refresh succeeds.
                Err(error) if !failure_logged => {
                    let error = error_chain(&error);
                    tracing::warn!(error, "the refresh of the Redis Cluster's slots failed: {error}; it is repeated");
                    failure_logged = true;
                }
                Err(_) => {}
            }
            self.expire_unassigned();
            turn = turn.wrapping_add(1);
            sleep(INTERVAL_MIN).await;
            let interval = if self.is_known() { INTERVAL } else { INTERVAL_UNTIL_KNOWN };
            // The next refresh follows on request or after the interval.
            let _due = timeout(interval, self.refresh_requested.notified()).await;
        }
    }

    /// Asks one connected node, and all of them if that node reports a change or does not answer, or a master was lost. Asks the nodes of the
    /// settings if no connected node answers.
    pub(super) async fn refresh(&self, turn: usize) -> Result<(), TopologyError> {
        let mut nodes = self.connected_nodes();
        // A node alone knows which slots it imports. That matters when the master is lost that gives them away.
        let lost_masters = self.lost_masters();
        if !nodes.is_empty() {
            let first = turn % nodes.len();
            nodes.rotate_left(first);
            nodes.truncate(ASKED_MAX);
            if let Some(claims) = self.ask(&nodes[0]).await
                && self.is_agreed(&view::agree(&[claims]))
                && lost_masters == self.state().lost_masters
            {
                self.moving.forget_ended();
                return Ok(());
            }
        }
        self.state().lost_masters = lost_masters;
        let answers = join_all(nodes.iter().map(|node| self.ask(node))).await;
        let mut views: Vec<Vec<Claim>> = answers.into_iter().flatten().collect();
        if views.iter().all(Vec::is_empty) {
            views = self.ask_seeds().await?;
        }
        let agreed = view::agree(&views);
        if agreed.is_empty() {
            return Err(TopologyError::NoSlots);
        }
        self.apply(agreed);
        self.moving.forget_ended();
        Ok(())
    }

    /// Returns all nodes that are connected.
    fn connected_nodes(&self) -> Vec<Arc<Node>> {
        let map = self.map.load_full();
        let nodes = map.connected_shards().flat_map(|shard| shard.members().nodes().to_vec());
        let up: BTreeMap<NodeId, Arc<Node>> = nodes.filter(|node| node.is_up()).map(|node| (node.id, node)).collect();
        up.into_values().collect()
    }

    /// Returns the masters to which no connection is open.
    fn lost_masters(&self) -> Vec<NodeId> {
        let map = self.map.load_full();
        let masters = map.shards().iter().filter_map(|shard| shard.members().master().cloned());
        masters.filter(|master| !master.is_up()).map(|master| master.id).collect()
    }

    /// Asks a connected node for its view.
    async fn ask(&self, node: &Node) -> Option<Vec<Claim>> {
        let deadline = Deadline::within(self.redis.attempt_timeout);
        let call_timeout = CallTimeout::new(deadline, Abandon::AtDeadline);
        let answers = node.call_all(&topology_commands(), ConnectionClass::Default, call_timeout).await.ok()?;
        self.parse(&answers, &node.address).ok()
    }

    /// Asks the nodes of the settings for their views. The error is that of the last node, if none answered.
    async fn ask_seeds(&self) -> Result<Vec<Vec<Claim>>, TopologyError> {
        let answers = join_all(self.seeds.iter().take(ASKED_MAX).map(|seed| self.ask_seed(seed))).await;
        let mut last_error = TopologyError::NoSlots;
        let mut views = Vec::new();
        for (seed, answer) in self.seeds.iter().zip(answers) {
            match answer {
                Ok(view) => views.push(view),
                Err(cause) => {
                    last_error = TopologyError::Seed { address: seed.clone(), cause: Box::new(cause) };
                }
            }
        }
        if views.is_empty() { Err(last_error) } else { Ok(views) }
    }

    /// Asks a node of the settings for its view, over a connection that is closed afterwards.
    async fn ask_seed(&self, seed: &Address) -> Result<Vec<Claim>, TopologyError> {
        let commands = topology_commands();
        let mut connection = self.endpoint(seed).connect(&Arc::new(Notify::new())).await?;
        let call = connection.req_packed_commands(&commands, 0, commands.len());
        let answers = timeout(self.redis.connect_timeout, call).await.map_err(|_| TopologyError::TimedOut)??;
        self.parse(&answers, seed)
    }

    /// Parses the answers to [`topology_commands`] of the node at `asked`, and records the slots that it moves.
    fn parse(&self, answers: &[Value], asked: &Address) -> Result<Vec<Claim>, TopologyError> {
        let [slots, nodes] = answers else { return Err(TopologyError::Unreadable { command: "CLUSTER" }) };
        if let Value::ServerError(error) = slots {
            return Err(TopologyError::Redis(ReplyError::from(error).into()));
        }
        let claims = view::parse_slots(slots, asked);
        let mut claims = claims.ok_or(TopologyError::Unreadable { command: "CLUSTER SLOTS" })?;
        view::add_cluster_nodes(&mut claims, nodes, asked);
        self.moving.record(asked, view::moving_slots(nodes));
        Ok(claims)
    }
}

/// Returns the commands that ask a node for its view.
fn topology_commands() -> Pipeline {
    let mut commands = Pipeline::with_capacity(2);
    commands.cmd("CLUSTER").arg("SLOTS").cmd("CLUSTER").arg("NODES");
    commands
}
