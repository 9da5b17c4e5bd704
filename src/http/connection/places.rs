//! The places of connections: how many there may be, from one address and without authentication.
//!
//! If places run out, a connection that has not authenticated gives its place to the new one.

use super::{client_address::ClientAddress, eviction::EvictionSignal};
use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Limits on the connections to one port.
#[derive(Clone, Copy, Debug)]
pub struct PlaceLimits {
    /// Maximum number of connections.
    pub connections: usize,
    /// Maximum number of connections that have not authenticated. The other places are kept for those that have.
    pub unauthenticated: usize,
    /// Maximum number of connections from one address.
    pub per_address: usize,
}

/// The reason why a connection gets no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPlace {
    /// All places are taken by connections that have authenticated.
    Full,
    /// The address of the client has all places that one address may have.
    Address,
}

/// The places of one port, which all workers share.
pub struct ConnectionPlaces {
    limits: PlaceLimits,
    taken: Mutex<TakenPlaces>,
}

#[derive(Default)]
struct TakenPlaces {
    /// The number of the next connection.
    next: u64,
    connections: HashMap<u64, PlaceEntry>,
    addresses: HashMap<ClientAddress, AddressPlaces>,
    /// The addresses with connections that have not authenticated; that with most of them is the last one.
    crowds: BTreeSet<Crowd>,
    unauthenticated: usize,
}

/// The number of an address's connections that have not authenticated, and the oldest of them; an older one counts more.
type Crowd = (usize, Reverse<u64>, ClientAddress);

struct PlaceEntry {
    address: ClientAddress,
    eviction: Arc<EvictionSignal>,
}

/// The places of one address.
#[derive(Default)]
struct AddressPlaces {
    connections: usize,
    /// The numbers of the connections that have not authenticated; they ascend with the time of the connection.
    unauthenticated: BTreeSet<u64>,
}

impl AddressPlaces {
    fn crowd(&self, address: ClientAddress) -> Option<Crowd> {
        self.unauthenticated.first().map(|oldest| (self.unauthenticated.len(), Reverse(*oldest), address))
    }
}

/// The place of one connection, which is freed on drop.
pub struct ConnectionPlace {
    places: Arc<ConnectionPlaces>,
    number: u64,
    /// True if another connection gave its place for this one.
    pub evicted_another: bool,
}

impl ConnectionPlaces {
    /// Starts with no connection.
    pub fn new(limits: PlaceLimits) -> Arc<Self> {
        Arc::new(Self { limits, taken: Mutex::default() })
    }

    /// Takes a place for a connection, if necessary that of one that has not authenticated. `is_proxy` exempts the
    /// address from its limit, because the address is that of many clients.
    pub fn enter(
        self: &Arc<Self>,
        address: ClientAddress,
        is_proxy: bool,
        eviction: &Arc<EvictionSignal>,
    ) -> Result<ConnectionPlace, NoPlace> {
        let mut taken = self.lock();
        if !is_proxy && taken.connections_from(&address) >= self.limits.per_address {
            return Err(NoPlace::Address);
        }
        let is_full = taken.connections.len() >= self.limits.connections;
        let evicted_another =
            (is_full || taken.unauthenticated >= self.limits.unauthenticated) && taken.evict_unauthenticated();
        if is_full && !evicted_another {
            return Err(NoPlace::Full);
        }
        let number = taken.next;
        taken.next += 1;
        taken.insert(number, address, Arc::clone(eviction));
        Ok(ConnectionPlace { places: Arc::clone(self), number, evicted_another })
    }

    fn lock(&self) -> MutexGuard<'_, TakenPlaces> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A handle on the place of a connection, with which the connection says that it has authenticated.
pub struct PlaceHandle {
    places: Arc<ConnectionPlaces>,
    number: u64,
}

impl PlaceHandle {
    /// Records that the connection has authenticated.
    pub fn authenticate(&self) {
        let mut taken = self.places.lock();
        if let Some(address) = taken.connections.get(&self.number).map(|entry| entry.address) {
            taken.remove_unauthenticated(self.number, address);
        }
    }
}

impl ConnectionPlace {
    /// Returns a handle on the place. It does not prolong the place's life.
    pub fn handle(&self) -> PlaceHandle {
        PlaceHandle { places: Arc::clone(&self.places), number: self.number }
    }

    /// Counts the connection for another address, which a proxy has named.
    pub fn move_to(&self, address: ClientAddress) -> Result<(), NoPlace> {
        let mut taken = self.places.lock();
        if taken.connections_from(&address) >= self.places.limits.per_address {
            return Err(NoPlace::Address);
        }
        if let Some(entry) = taken.remove(self.number) {
            taken.insert(self.number, address, entry.eviction);
        }
        Ok(())
    }
}

impl Drop for ConnectionPlace {
    fn drop(&mut self) {
        self.places.lock().remove(self.number);
    }
}

impl TakenPlaces {
    fn connections_from(&self, address: &ClientAddress) -> usize {
        self.addresses.get(address).map_or(0, |places| places.connections)
    }

    /// Adds a connection that has not authenticated.
    fn insert(&mut self, number: u64, address: ClientAddress, eviction: Arc<EvictionSignal>) {
        let places = self.addresses.entry(address).or_default();
        places.connections += 1;
        if let Some(crowd) = places.crowd(address) {
            self.crowds.remove(&crowd);
        }
        places.unauthenticated.insert(number);
        self.crowds.extend(places.crowd(address));
        self.unauthenticated += 1;
        self.connections.insert(number, PlaceEntry { address, eviction });
    }

    fn remove(&mut self, number: u64) -> Option<PlaceEntry> {
        let entry = self.connections.remove(&number)?;
        self.remove_unauthenticated(number, entry.address);
        if let Some(places) = self.addresses.get_mut(&entry.address) {
            places.connections -= 1;
            if places.connections == 0 {
                self.addresses.remove(&entry.address);
            }
        }
        Some(entry)
    }

    fn remove_unauthenticated(&mut self, number: u64, address: ClientAddress) {
        let Some(places) = self.addresses.get_mut(&address) else { return };
        let before = places.crowd(address);
        if places.unauthenticated.remove(&number) {
            if let Some(crowd) = before {
                self.crowds.remove(&crowd);
            }
            self.crowds.extend(places.crowd(address));
            self.unauthenticated -= 1;
        }
    }

    /// Closes the oldest connection that has not authenticated, of the address that has the most of them. A client that
    /// opens many connections thereby loses its own first.
    fn evict_unauthenticated(&mut self) -> bool {
        let Some((_, Reverse(oldest), _)) = self.crowds.last().copied() else { return false };
        // Its place is free from now on; its task closes it as soon as it runs.
        if let Some(entry) = self.remove(oldest) {
            entry.eviction.evict();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: PlaceLimits = PlaceLimits { connections: 4, unauthenticated: 3, per_address: 3 };

    /// A connection and its place.
    type Connection = (Arc<EvictionSignal>, ConnectionPlace);

    fn address(number: u8) -> ClientAddress {
        ClientAddress::from(std::net::IpAddr::from([10, 0, 0, number]))
    }

    fn connect(places: &Arc<ConnectionPlaces>, from: u8) -> Result<Connection, NoPlace> {
        let eviction = Arc::<EvictionSignal>::default();
        let place = places.enter(address(from), false, &eviction)?;
        Ok((eviction, place))
    }

    fn evicted(connections: &[&Connection]) -> Vec<bool> {
        connections.iter().map(|(eviction, _)| eviction.is_evicted()).collect()
    }

    #[test]
    fn an_address_has_at_most_its_limit() {
        let places = ConnectionPlaces::new(LIMITS);
        let held: Vec<Connection> = (0..3).map(|_| connect(&places, 1).expect("a place")).collect();
        assert_eq!(connect(&places, 1).err(), Some(NoPlace::Address));
        let eviction = Arc::<EvictionSignal>::default();
        drop(places.enter(address(1), true, &eviction).expect("a proxy is exempt"));
        drop(held);
        assert!(connect(&places, 1).is_ok(), "the places are free again");
        assert_eq!(places.lock().unauthenticated, 0);
        assert!(places.lock().addresses.is_empty());
    }

    #[test]
    fn the_oldest_connection_of_the_address_with_the_most_gives_its_place() {
        let places = ConnectionPlaces::new(LIMITS);
        let other = connect(&places, 1).expect("a place");
        let [first, second] = [2, 2].map(|from| connect(&places, from).expect("a place"));
        let newest = connect(&places, 3).expect("a place");
        assert_eq!(evicted(&[&other, &first, &second, &newest]), [false, true, false, false]);
        drop(first);
        assert_eq!(places.lock().unauthenticated, 3, "an evicted connection is not counted twice");
    }

    #[test]
    fn an_authenticated_connection_keeps_its_place() {
        let places = ConnectionPlaces::new(LIMITS);
        let authenticated: Vec<Connection> = (1..=4)
            .map(|from| {
                let connection = connect(&places, from).expect("a place");
                connection.1.handle().authenticate();
                connection
            })
            .collect();
        assert_eq!(connect(&places, 5).err(), Some(NoPlace::Full));
        drop(authenticated);
        assert!(connect(&places, 5).is_ok());
    }

    #[test]
    fn a_proxy_names_the_address_that_is_counted() {
        let places = ConnectionPlaces::new(PlaceLimits { connections: 9, unauthenticated: 9, per_address: 3 });
        let mut held = Vec::new();
        for _ in 0..3 {
            let eviction = Arc::<EvictionSignal>::default();
            let place = places.enter(address(1), true, &eviction).expect("a place");
            place.move_to(address(2)).expect("a place");
            held.push((eviction, place));
        }
        let eviction = Arc::<EvictionSignal>::default();
        let place = places.enter(address(1), true, &eviction).expect("a place");
        assert_eq!(place.move_to(address(2)), Err(NoPlace::Address));
        assert_eq!(places.lock().connections_from(&address(1)), 1);
    }
}
