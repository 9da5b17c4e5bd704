//! Limits on the bytes that a node has still to send to each client.
//!
//! A call stays charged to its client until its replies have arrived, also if its caller is gone: the node sends them
//! anyway, and the replies of others come after them. So a client can delay others only by as much as its window.

use super::{
    connection_class::{ConnectionClass, ConnectionNumber, LARGE_BYTES, LargeKeys},
    value_size::ValueSizeEstimate,
};
use crate::types::ClientNumber;
use arc_swap::ArcSwap;
use std::sync::{Arc, OnceLock};
use tokio::sync::Semaphore;

/// Bytes that one client may have in flight over a connection that others share. A call of more passes alone.
const DEFAULT_WINDOW_BYTES: usize = 512 * 1024;
/// The same over the connection for large values.
const LARGE_VALUE_WINDOW_BYTES: usize = 16 * 1024 * 1024;
/// Bytes of one permit.
const PERMIT_BYTES: usize = 1024;
/// Bytes that the reply to a client's first read is expected to have.
const EXPECTED_BYTES_INITIAL: usize = 48 * 1024;

/// The keys that a call reads, and the client that asks for them.
#[derive(Clone, Copy)]
pub struct ReadKeys<'a> {
    /// The client.
    pub client: ClientNumber,
    /// The hash of the key that each command of the call reads; 0 for a command that reads none.
    pub hashes: &'a [u64],
}

/// A client of one node.
struct ClientAccount {
    /// The bytes that a value is expected to have whose size is not known.
    expected_bytes: ValueSizeEstimate,
    large_keys: Arc<LargeKeys>,
}

impl ClientAccount {
    /// Returns the bytes that the value of the key with this hash is expected to have.
    fn expected_bytes(&self, hash: u64) -> usize {
        self.large_keys.bytes(hash).unwrap_or_else(|| self.expected_bytes.bytes())
    }

    /// Records the size of a value that has arrived, or has begun to arrive.
    fn record(&self, hash: u64, bytes: usize) {
        let is_known = self.large_keys.bytes(hash).is_some();
        self.large_keys.record(hash, bytes);
        if !is_known {
            self.expected_bytes.record(bytes);
        }
    }
}

/// The bytes in flight to one client over one connection.
pub struct ClientWindow {
    account: Arc<ClientAccount>,
    permits: Semaphore,
    permits_max: usize,
}

impl ClientWindow {
    fn new(account: Arc<ClientAccount>, bytes_max: usize) -> Self {
        let permits_max = bytes_max / PERMIT_BYTES;
        Self { account, permits: Semaphore::new(permits_max), permits_max }
    }

    /// Waits until the replies to some reads may be in flight, and charges them.
    pub async fn charge(self: Arc<Self>, keys: ReadKeys<'_>) -> ReadCharge {
        let permits = self.permits_for(keys);
        if let Ok(acquired) = self.permits.acquire_many(permits).await {
            // The charge gives them back.
            acquired.forget();
        }
        ReadCharge::new(self, permits, keys)
    }

    /// Charges some reads if their replies may be in flight now.
    pub fn try_charge(self: &Arc<Self>, keys: ReadKeys<'_>) -> Option<ReadCharge> {
        let permits = self.permits_for(keys);
        self.permits.try_acquire_many(permits).ok()?.forget();
        Some(ReadCharge::new(Arc::clone(self), permits, keys))
    }

    /// Returns the permits for the replies to some reads.
    fn permits_for(&self, keys: ReadKeys<'_>) -> u32 {
        let reads = keys.hashes.iter().filter(|hash| **hash != 0);
        let bytes = reads.map(|hash| self.account.expected_bytes(*hash)).fold(0, usize::saturating_add);
        u32::try_from(bytes.div_ceil(PERMIT_BYTES).min(self.permits_max)).unwrap_or(u32::MAX)
    }
}

enum KeyHashes {
    One(u64),
    Several(Box<[u64]>),
}

/// The bytes that a call has in flight. They are released on drop.
pub struct ReadCharge {
    window: Arc<ClientWindow>,
    permits: u32,
    hashes: KeyHashes,
}

impl ReadCharge {
    /// Keeps permits that were taken from a window.
    fn new(window: Arc<ClientWindow>, permits: u32, keys: ReadKeys<'_>) -> Self {
        let hashes = match keys.hashes {
            [hash] => KeyHashes::One(*hash),
            hashes => KeyHashes::Several(hashes.into()),
        };
        Self { window, permits, hashes }
    }

    /// Records the length of the reply to the command at this position.
    pub fn record(&self, position: usize, bytes: usize) {
        let hash = match &self.hashes {
            KeyHashes::One(hash) => Some(hash).filter(|_| position == 0),
            KeyHashes::Several(hashes) => hashes.get(position),
        };
        if let Some(hash) = hash.filter(|hash| **hash != 0) {
            self.window.account.record(*hash, bytes);
        }
    }
}

impl Drop for ReadCharge {
    fn drop(&mut self) {
        self.window.permits.add_permits(self.permits as usize);
    }
}

/// The windows of one client: one for each connection of the node.
struct ClientWindows {
    account: Arc<ClientAccount>,
    /// Each is created by the worker that uses the connection, and so lies in memory that other workers do not write.
    windows: Box<[OnceLock<Arc<ClientWindow>>]>,
}

impl ClientWindows {
    /// Returns the window over the connection with this number.
    fn window(&self, connection: ConnectionNumber) -> &Arc<ClientWindow> {
        let last = self.windows.len() - 1;
        self.windows[connection.min(last)].get_or_init(|| {
            let is_for_large_values = connection >= last;
            let bytes_max = if is_for_large_values { LARGE_VALUE_WINDOW_BYTES } else { DEFAULT_WINDOW_BYTES };
            Arc::new(ClientWindow::new(Arc::clone(&self.account), bytes_max))
        })
    }
}

/// The windows of all clients of one node.
pub struct NodeClients {
    /// The clients by their number.
    clients: ArcSwap<Vec<Option<Arc<ClientWindows>>>>,
    connections: usize,
    large_keys: Arc<LargeKeys>,
}

impl NodeClients {
    /// Creates the windows for a node with this number of connections, the last of which is for large values.
    pub fn new(connections: usize, large_keys: Arc<LargeKeys>) -> Self {
        Self { clients: ArcSwap::default(), connections, large_keys }
    }

    /// Returns the class of the connection for reads of a client, when the size of no value is known to be large.
    pub fn class_for(&self, client: ClientNumber) -> ConnectionClass {
        self.with(client, |client| ConnectionClass::for_value_bytes(client.account.expected_bytes.bytes()))
    }

    /// Returns the window of a client over the connection with this number.
    pub fn window(&self, client: ClientNumber, connection: ConnectionNumber) -> Arc<ClientWindow> {
        self.with(client, |client| Arc::clone(client.window(connection)))
    }

    fn with<T>(&self, client: ClientNumber, action: impl FnOnce(&ClientWindows) -> T) -> T {
        let clients = self.clients.load();
        if let Some(Some(found)) = clients.get(client.index()) {
            return action(found);
        }
        drop(clients);
        action(&self.add(client))
    }

    /// Adds a client, unless another thread was faster.
    fn add(&self, client: ClientNumber) -> Arc<ClientWindows> {
        let index = client.index();
        let added = Arc::new(self.windows());
        self.clients.rcu(|clients| {
            let mut clients = Vec::clone(clients);
            clients.resize(clients.len().max(index + 1), None);
            clients[index].get_or_insert_with(|| Arc::clone(&added));
            clients
        });
        self.clients.load().get(index).cloned().flatten().unwrap_or(added)
    }

    fn windows(&self) -> ClientWindows {
        let expected_bytes = ValueSizeEstimate::new(EXPECTED_BYTES_INITIAL);
        let account = Arc::new(ClientAccount { expected_bytes, large_keys: Arc::clone(&self.large_keys) });
        ClientWindows { windows: (0..self.connections).map(|_| OnceLock::new()).collect(), account }
    }
}

// A client's first reads use the default connections.
const _: () = assert!(EXPECTED_BYTES_INITIAL < LARGE_BYTES);

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    const CLIENT: ClientNumber = ClientNumber::INTERNAL;

    fn charge(window: &Arc<ClientWindow>, hashes: &[u64]) -> Option<ReadCharge> {
        Arc::clone(window).charge(ReadKeys { client: CLIENT, hashes }).now_or_never()
    }

    #[test]
    fn a_client_waits_for_its_own_bytes_and_for_those_of_no_other_client() {
        let clients = NodeClients::new(2, Arc::default());
        let window = clients.window(CLIENT, 0);
        let in_flight: Vec<ReadCharge> = std::iter::from_fn(|| charge(&window, &[7])).collect();
        assert_eq!(in_flight.len(), DEFAULT_WINDOW_BYTES / EXPECTED_BYTES_INITIAL);
        assert!(charge(&clients.window(CLIENT, 1), &[7]).is_some(), "the other connection has a window of its own");
        let other = ClientNumber::next();
        assert!(charge(&clients.window(other, 0), &[7]).is_some(), "and so has the other client");
        drop(in_flight);
        assert!(charge(&window, &[7]).is_some());
    }

    #[test]
    fn a_client_that_reads_large_values_is_moved_away_from_the_others_until_it_reads_small_ones() {
        let clients = NodeClients::new(2, Arc::default());
        assert_eq!(clients.class_for(CLIENT), ConnectionClass::Default);
        let read = charge(&clients.window(CLIENT, 0), &[0, 7, 8]).expect("nothing else is in flight");
        read.record(0, 0);
        read.record(1, 8 << 20);
        assert_eq!(clients.class_for(CLIENT), ConnectionClass::LargeValue);
        for _ in 0..40 {
            read.record(2, 100);
        }
        assert_eq!(clients.class_for(CLIENT), ConnectionClass::Default);
        // The size of the value is known now, so that it changes nothing for other keys.
        read.record(1, 8 << 20);
        assert_eq!(clients.class_for(CLIENT), ConnectionClass::Default);
        drop(read);
        let large = clients.window(CLIENT, 1);
        let in_flight: Vec<ReadCharge> = std::iter::from_fn(|| charge(&large, &[7])).collect();
        assert_eq!(in_flight.len(), 2);
    }

    #[test]
    fn a_call_that_is_larger_than_the_window_passes_alone() {
        let clients = NodeClients::new(2, Arc::default());
        let window = clients.window(CLIENT, 0);
        let call = charge(&window, &[7; 1000]);
        assert!(call.is_some() && charge(&window, &[7]).is_none());
        drop(call);
        assert!(charge(&window, &[7]).is_some());
    }
}
