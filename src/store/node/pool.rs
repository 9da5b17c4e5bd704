//! The connections of one node: some that all requests share, and one for large values.

use super::{connection::OpenConnection, connection_class::ConnectionClass, state::Connectivity};
use crate::{
    store::{
        change_signal::{ChangeSignal, ChangeSubscriber},
        error::NodeError,
    },
    types::worker,
};
use crossbeam_utils::CachePadded;
use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicU64, Ordering::Relaxed},
};
use tokio::sync::Notify;

/// The state of one connection.
#[derive(Clone, Default)]
pub enum ConnectionState {
    /// The first attempt to connect, or the first one after a loss, is under way. Requests wait for its end.
    #[default]
    Connecting,
    /// The connection is open.
    Up(Arc<OpenConnection>),
    /// The last attempt to connect failed, or the node hangs.
    Down,
}

/// The place of one connection in the pool.
#[derive(Default)]
struct ConnectionSlot(RwLock<ConnectionState>);

impl ConnectionSlot {
    fn set_state(&self, state: ConnectionState) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    fn open_connection(&self) -> Option<Arc<OpenConnection>> {
        match &*self.0.read().unwrap_or_else(PoisonError::into_inner) {
            ConnectionState::Up(connection) => Some(Arc::clone(connection)),
            ConnectionState::Connecting | ConnectionState::Down => None,
        }
    }

    fn connectivity(&self) -> Connectivity {
        match &*self.0.read().unwrap_or_else(PoisonError::into_inner) {
            ConnectionState::Connecting => Connectivity { up: false, connecting: true },
            ConnectionState::Up(_) => Connectivity { up: true, connecting: false },
            ConnectionState::Down => Connectivity::default(),
        }
    }
}

/// The connections of one node. A task for each of them opens it and sets its state.
pub struct ConnectionPool {
    /// One for each worker, on cache lines of their own.
    default_slots: Box<[CachePadded<ConnectionSlot>]>,
    large_value_slot: ConnectionSlot,
    /// Notified when a request has a large value to transfer.
    large_value_wanted: Notify,
    /// Notified when a request needs the node although it is not connected.
    reconnect_requested: ChangeSignal,
    /// The number of connections opened so far.
    opened: AtomicU64,
}

impl ConnectionPool {
    /// Creates a pool of `default_connections` connections, and one for large values.
    pub fn new(default_connections: usize) -> Self {
        Self {
            default_slots: (0..default_connections).map(|_| CachePadded::default()).collect(),
            large_value_slot: ConnectionSlot::default(),
            large_value_wanted: Notify::new(),
            reconnect_requested: ChangeSignal::default(),
            opened: AtomicU64::new(0),
        }
    }

    /// Returns the number of connections, including the one for large values, which has the highest number.
    pub fn size(&self) -> usize {
        self.default_slots.len() + 1
    }

    /// Returns true if the connection with this number is for all commands, not only for large values.
    pub fn is_default(&self, number: usize) -> bool {
        number < self.default_slots.len()
    }

    /// Sets the state of the connection with this number.
    pub fn set_state(&self, number: usize, state: ConnectionState) {
        if matches!(state, ConnectionState::Up(_)) {
            self.opened.fetch_add(1, Relaxed);
        }
        self.default_slots.get(number).map_or(&self.large_value_slot, |slot| &**slot).set_state(state);
    }

    /// Takes all open connections out of use and ends them: new ones lead to another process.
    pub fn end_all(&self) {
        for slot in self.slots() {
            if let Some(connection) = slot.open_connection() {
                slot.set_state(ConnectionState::Connecting);
                connection.end();
            }
        }
    }

    /// Returns the state of all connections together, without the one for large values.
    pub fn connectivity(&self) -> Connectivity {
        self.default_slots.iter().map(|slot| slot.connectivity()).fold(Connectivity::default(), |all, one| {
            Connectivity { up: all.up || one.up, connecting: all.connecting || one.connecting }
        })
    }

    /// Returns the number of connections opened so far. A changed number means a new connection.
    pub fn opened(&self) -> u64 {
        self.opened.load(Relaxed)
    }

    /// Returns an open connection of this class; with several, the one of the current worker.
    pub fn open_connection(&self, class: ConnectionClass) -> Result<Arc<OpenConnection>, NodeError> {
        if class == ConnectionClass::LargeValue {
            self.large_value_wanted.notify_one();
            if let Some(connection) = self.large_value_slot.open_connection() {
                return Ok(connection);
            }
        }
        let first = if self.default_slots.len() > 1 { worker::current() % self.default_slots.len() } else { 0 };
        let (before, from_first) = self.default_slots.split_at(first);
        from_first.iter().chain(before).find_map(|slot| slot.open_connection()).ok_or(NodeError::NotConnected)
    }

    /// Returns the open connection that `is_wanted`.
    pub fn find_connection(
        &self,
        is_wanted: impl Fn(&OpenConnection) -> bool,
    ) -> Result<Arc<OpenConnection>, NodeError> {
        self.slots()
            .filter_map(ConnectionSlot::open_connection)
            .find(|connection| is_wanted(connection))
            .ok_or(NodeError::NotConnected)
    }

    fn slots(&self) -> impl Iterator<Item = &ConnectionSlot> {
        self.default_slots.iter().map(|slot| &**slot).chain([&self.large_value_slot])
    }

    /// Waits until the connection with this number is to be opened. The one for large values waits for the first
    /// large value.
    pub async fn wait_until_wanted(&self, number: usize) {
        if number >= self.default_slots.len() {
            self.large_value_wanted.notified().await;
        }
    }

    /// Asks for an early attempt to reconnect: a request needs the node and can use no other one.
    pub fn request_reconnect(&self) {
        self.reconnect_requested.notify();
    }

    /// Returns a subscriber that waits until an early attempt to reconnect is asked for.
    pub fn reconnect_requests(&self) -> ChangeSubscriber {
        self.reconnect_requested.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_connection_for_large_values_does_not_count() {
        let pool = ConnectionPool::new(2);
        assert_eq!((pool.size(), pool.connectivity()), (3, Connectivity { up: false, connecting: true }));
        pool.set_state(0, ConnectionState::Down);
        assert!(pool.connectivity().connecting);
        pool.set_state(1, ConnectionState::Down);
        assert_eq!(pool.connectivity(), Connectivity::default());
        pool.set_state(2, ConnectionState::Connecting);
        assert_eq!(pool.connectivity(), Connectivity::default());
    }

    #[tokio::test]
    async fn the_connection_for_large_values_is_wanted_from_the_first_large_value_on() {
        let pool = ConnectionPool::new(1);
        pool.wait_until_wanted(0).await;
        assert!(matches!(pool.open_connection(ConnectionClass::LargeValue), Err(NodeError::NotConnected)));
        pool.wait_until_wanted(1).await;
    }
}
