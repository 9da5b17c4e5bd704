//! The connections of the inspection to masters.

use super::{
    budget::CallBudget,
    change_reports::ChangeReports,
    master_value::{MasterConnection, MasterRoute, MasterValue},
};
use crate::{
    store::{
        consistency::Clock,
        node::{Node, NodeId, tracking::InvalidationHandler, watch_connection::WatchConnection},
        shard_map::MapHandle,
    },
    types::{Deadline, FullKey, error_chain},
};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{sync::Mutex, time::Instant};

/// Time that one call may take.
pub const CALL_MAX: Duration = Duration::from_secs(1);
/// Time without use after which a connection is closed.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// Time after which a node that reports no changes is tried again.
const REFUSED_FOR: Duration = Duration::from_secs(3600);

/// The connection to one master; `None` if the node does not report changes of keys.
struct KnownMaster {
    connection: Option<Arc<MasterConnection>>,
    used: Instant,
}

/// The connections to all masters.
pub struct Masters {
    known: Mutex<HashMap<NodeId, KnownMaster>>,
    clock: Clock,
}

impl Masters {
    /// Creates the set without connections.
    pub fn new(clock: Clock) -> Self {
        Self { known: Mutex::default(), clock }
    }

    /// Reads the value of a key from its master, within the budget. Returns `None` if that is not possible.
    pub async fn value(&self, map: &MapHandle, key: &FullKey<'_>, budget: &CallBudget) -> Option<MasterValue> {
        let route = MasterRoute::of(map, key)?;
        let connection = self.connection(&route.node).await?;
        budget.acquire().await;
        let read = MasterValue::read(route, connection, key, || self.clock.now(), Deadline::within(CALL_MAX));
        read.await.ok()
    }

    /// Returns the connection to a master, and opens it if need be.
    async fn connection(&self, node: &Arc<Node>) -> Option<Arc<MasterConnection>> {
        // The lock is held while a connection is opened, so that only one is.
        let mut known = self.known.lock().await;
        known.retain(|_, master| match &master.connection {
            Some(open) => open.connection.is_current() && master.used.elapsed() < IDLE_MAX,
            None => master.used.elapsed() < REFUSED_FOR,
        });
        if let Some(master) = known.get_mut(&node.id) {
            // A node that refused stays so until the time is over.
            let connection = master.connection.clone()?;
            master.used = Instant::now();
            return Some(connection);
        }
        let reports = Arc::new(ChangeReports::default());
        let on_key: InvalidationHandler = {
            let reports = Arc::clone(&reports);
            Arc::new(move |key: &[u8]| reports.on_key(key))
        };
        let connection = match WatchConnection::open(node, &on_key).await {
            Ok(connection) => connection.map(|connection| Arc::new(MasterConnection { connection, reports })),
            Err(error) => {
                let (node, error) = (&node.address, error_chain(&error));
                tracing::debug!(%node, error, "no connection to node {node} for the inspection of answers: {error}");
                return None;
            }
        };
        known.insert(node.id, KnownMaster { connection: connection.clone(), used: Instant::now() });
        connection
    }
}
