//! A connection over which a master reports the changes of keys that are inspected. Requests do not use it.

use super::{
    call_timeout::CallTimeout,
    connect::ConnectError,
    connection::OpenConnection,
    handshake::enable_tracking,
    login::Login,
    redis_node::Node,
    tracking::{InvalidationHandler, TrackedSource, Tracking},
};
use crate::{
    store::{
        consistency::LogicalTime,
        error::NodeError,
        protocol::{
            command::tracked_get,
            reply::{parse_get, parse_time_left},
        },
    },
    types::{Deadline, FullKey},
};
use redis::Value;
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;

/// A connection over which a node reports the changes of the keys that are read over it.
pub struct WatchConnection {
    node: Arc<Node>,
    connection: Arc<OpenConnection>,
    source: TrackedSource,
    /// The number of connections in the node's pool that had been opened by then. When the pool has connected again, the
    /// node's name may lead to another process, so this connection proves nothing any more.
    pool_opened: u64,
    /// The login that was current when the connection was opened.
    login: Arc<Login>,
}

/// A value that was read over a [`WatchConnection`].
pub struct WatchedValue {
    /// The value; `None` if the key does not exist.
    pub bytes: Option<Vec<u8>>,
    /// The time that the key has left to live; [`Duration::MAX`] if it never expires or does not exist, and `None` if
    /// it changed meanwhile.
    pub left: Option<Duration>,
}

impl WatchConnection {
    /// Opens a connection to a node; `on_key` receives the keys that change. Returns `None` if the node does not report
    /// changes.
    pub async fn open(node: &Arc<Node>, on_key: &InvalidationHandler) -> Result<Option<Self>, ConnectError> {
        let (pool_opened, login) = (node.connections_opened(), node.endpoint.login().current());
        let (ended, resolver) = (Arc::new(Notify::new()), node.endpoint.resolver());
        let tracking = Arc::new(Tracking::new(Some(on_key), Box::new(|| {})));
        let (opened, _) = node.endpoint.connect_tracked(&resolver, &ended, Arc::clone(&tracking)).await?;
        let connection = OpenConnection::new(opened, node.config.attempt_timeout, ended);
        if enable_tracking(&connection, Deadline::within(node.config.connect_timeout)).await?.is_some() {
            return Ok(None);
        }
        let source = TrackedSource::new(node.id, &tracking, LogicalTime::ZERO);
        Ok(Some(Self { node: Arc::clone(node), connection: Arc::new(connection), source, pool_opened, login }))
    }

    /// Returns true if every change since the connection was opened has been reported: the connection has lasted, the
    /// node has not dropped all its data, and requests have not connected to it again.
    pub fn is_current(&self) -> bool {
        self.source.is_current()
            && self.node.connections_opened() == self.pool_opened
            && self.node.endpoint.login().is_current(&self.login)
    }

    /// Reads a key, whose next change will be reported. A change that the answer shows has been reported before.
    pub async fn get(&self, key: &FullKey<'_>, deadline: Deadline) -> Result<WatchedValue, NodeError> {
        let (commands, timeout) = (tracked_get(key), CallTimeout::until(deadline));
        let connection = Ok(Arc::clone(&self.connection));
        let call = self
            .node
            .call_over(connection, commands.len(), async |connection| connection.call_all(&commands, timeout).await);
        match <[Value; 3]>::try_from(call.await?) {
            Ok([Value::Okay, value, left]) => {
                let bytes = parse_get(value)?;
                let left = parse_time_left(bytes.is_some(), &left);
                Ok(WatchedValue { bytes, left })
            }
            Ok([Value::ServerError(error), ..]) => Err(NodeError::from(&error)),
            _ => Err(NodeError::Unexpected),
        }
    }
}

#[cfg(test)]
impl WatchConnection {
    /// Returns the watch of a node that never answers, for tests.
    pub fn silent(node: &Arc<Node>) -> Self {
        let tracking = Arc::new(Tracking::new(None, Box::new(|| {})));
        Self {
            node: Arc::clone(node),
            connection: OpenConnection::over(tokio::io::duplex(1).0),
            source: TrackedSource::new(node.id, &tracking, LogicalTime::ZERO),
            pool_opened: node.connections_opened(),
            login: node.endpoint.login().current(),
        }
    }
}
