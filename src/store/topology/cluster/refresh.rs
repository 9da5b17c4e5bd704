//! Asks the nodes of the cluster which there are, again and again.

use super::{
    Cluster,
    view::{self, Claim},
};
use crate::{
    store::{
        node::{Node, NodeId},
        node::{
            connection::{Abandon, CallTimeout},
            connection_class::ConnectionClass,
        },
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

/// One node, each time another one, is asked so often; all of them, when it says something new.
const EVERY: Duration = Duration::from_secs(1);
/// As long as nothing is known.
const EVERY_AT_FIRST: Duration = Duration::from_millis(200);
/// Not more often than that, whatever happens.
const GAP: Duration = Duration::from_millis(20);
/// Nodes that are asked at once.
const ASKED_MAX: usize = 256;

impl Cluster {
    /// Keeps the map as the cluster is, for ever.
    pub async fn run(&self) {
        let mut complained = false;
        let mut turn: usize = 0;
        loop {
            match self.refresh(turn).await {
                Ok(()) => complained = false,
                // Said once until there is an answer.
                Err(problem) if !complained => {
                    tracing::warn!(problem, "the Redis Cluster cannot be asked for its slots; trying on");
                    complained = true;
                }
                Err(_) => {}
            }
            self.expire_unassigned();
            turn = turn.wrapping_add(1);
            sleep(GAP).await;
            let pause = if self.is_known() { EVERY } else { EVERY_AT_FIRST };
            // Whether it was asked for or is due is the same.
            let _due = timeout(pause, self.refresh_requested.notified()).await;
        }
    }

    /// Asks one node, and all of them if that one has something new to say or nothing.
    pub(super) async fn refresh(&self, turn: usize) -> Result<(), String> {
        let mut nodes = self.connected_nodes();
        if !nodes.is_empty() {
            let first = turn % nodes.len();
            nodes.rotate_left(first);
            nodes.truncate(ASKED_MAX);
            if let Some(claims) = self.ask(&nodes[0]).await
                && self.has_agreed(&view::agree(&[claims]))
            {
                return Ok(());
            }
        }
        let views = join_all(nodes.iter().map(|node| self.ask(node))).await;
        let mut views: Vec<Vec<Claim>> = views.into_iter().flatten().collect();
        if views.iter().all(Vec::is_empty) {
            views = self.ask_seeds().await?;
        }
        let groups = view::agree(&views);
        if groups.is_empty() {
            return Err("no node has slots".to_owned());
        }
        self.apply(groups).map_err(|error| error_chain(&error))
    }

    /// Returns all nodes that are connected.
    fn connected_nodes(&self) -> Vec<Arc<Node>> {
        let map = self.map.load_full();
        let nodes = map.connected_shards().flat_map(|shard| shard.members().nodes().to_vec());
        let up: BTreeMap<NodeId, Arc<Node>> = nodes.filter(|node| node.is_up()).map(|node| (node.id, node)).collect();
        up.into_values().collect()
    }

    /// What a node says that there is a connection to.
    async fn ask(&self, node: &Node) -> Option<Vec<Claim>> {
        let deadline = Deadline::within(self.redis.attempt_timeout);
        let patience = CallTimeout { deadline, abandon: Abandon::AtDeadline };
        let answers = node.call_all(&topology_commands(), ConnectionClass::Default, patience).await.ok()?;
        read(&answers, &node.address).ok()
    }

    /// What the nodes of the settings say.
    async fn ask_seeds(&self) -> Result<Vec<Vec<Claim>>, String> {
        let answers = join_all(self.seeds.iter().take(ASKED_MAX).map(|seed| self.ask_seed(seed))).await;
        let mut problem = String::new();
        let mut views = Vec::new();
        for (seed, answer) in self.seeds.iter().zip(answers) {
            match answer {
                Ok(view) => views.push(view),
                Err(error) => problem = format!("{seed}: {error}"),
            }
        }
        if views.is_empty() { Err(problem) } else { Ok(views) }
    }

    /// Over a connection that is closed afterwards.
    async fn ask_seed(&self, seed: &Address) -> Result<Vec<Claim>, String> {
        let questions = topology_commands();
        let connection = self.endpoint(seed).map_err(|error| error_chain(&error))?;
        let connected = connection.connect(&Arc::new(Notify::new())).await;
        let mut connection = connected.map_err(|error| error_chain(&error))?;
        let asked = connection.req_packed_commands(&questions, 0, questions.len());
        match timeout(self.redis.connect_timeout, asked).await {
            Ok(Ok(answers)) => read(&answers, seed),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("it did not answer in time".to_owned()),
        }
    }
}

fn topology_commands() -> Pipeline {
    let mut questions = Pipeline::with_capacity(2);
    questions.cmd("CLUSTER").arg("SLOTS").cmd("CLUSTER").arg("NODES");
    questions
}

fn read(answers: &[Value], asked: &Address) -> Result<Vec<Claim>, String> {
    let [slots, nodes] = answers else { return Err("it answered something else".to_owned()) };
    if let Value::ServerError(error) = slots {
        return Err(error.to_string());
    }
    let mut claims = view::read_slots(slots, asked).ok_or("its answer to CLUSTER SLOTS cannot be read")?;
    view::add_cluster_nodes(&mut claims, nodes, asked);
    Ok(claims)
}
