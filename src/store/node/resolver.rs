//! Resolution of host names, and the discovery that a name has moved to other addresses.
//!
//! All connections of a node go to the addresses that one lookup has found, until the name has moved. Resolvers may answer
//! with another of several addresses each time: a name has moved only if two lookups in a row say so.

use crate::types::Address;
use redis::{RedisFuture, io::AsyncDNSResolver};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    net::lookup_host,
    sync::{Mutex as AsyncMutex, watch},
    time::{Instant, timeout},
};

/// Interval at which the name of a node is looked up again while a connection to it is open.
const LOOKUP_INTERVAL: Duration = Duration::from_secs(5);
/// Time after which a lookup that found none of the known addresses is repeated.
const CONFIRM_INTERVAL: Duration = Duration::from_secs(1);
/// Interval of the lookups after one was requested, until [`LOOKUP_INTERVAL`] is over. No more are made for one node.
const REQUESTED_INTERVAL: Duration = Duration::from_millis(100);
/// Time that one lookup may take.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);
/// The same for a name that has addresses already, when a connection is opened.
const KNOWN_NAME_TIMEOUT: Duration = Duration::from_millis(200);
/// The number of lookups in a row that must find none of the known addresses before the name has moved.
const CONTRARY_LOOKUPS_MIN: u32 = 2;

/// The addresses that the connections of a node are opened to. Each connection holds a handle on those that it was
/// opened to; after a move the connections have another one.
type SharedAddresses = Arc<[SocketAddr]>;

/// The resolver of one connection, which remembers the addresses that the connection was opened to. It resolves the node's
/// host, whatever it is asked for: the name in a certificate may be another one.
#[derive(Clone)]
pub struct ConnectionResolver {
    lookups: Arc<NameLookups>,
    /// The addresses that the connection was opened to; `None` before, and where the host is no name.
    opened_to: Arc<Mutex<Option<SharedAddresses>>>,
}

impl AsyncDNSResolver for ConnectionResolver {
    fn resolve<'a, 'b: 'a>(
        &'a self,
        _name: &'b str,
        port: u16,
    ) -> RedisFuture<'a, Box<dyn Iterator<Item = SocketAddr> + Send + 'a>> {
        Box::pin(async move {
            let found = match self.lookups.address.host.parse::<IpAddr>() {
                Ok(address) => vec![SocketAddr::new(address, port)],
                Err(_) => self.resolve_name().await?,
            };
            let found: Box<dyn Iterator<Item = SocketAddr> + Send> = Box::new(found.into_iter());
            Ok(found)
        })
    }
}

impl ConnectionResolver {
    /// Creates the resolver of a new connection to the node that has these lookups.
    pub fn new(lookups: &Arc<NameLookups>) -> Self {
        Self { lookups: Arc::clone(lookups), opened_to: Arc::default() }
    }

    /// Waits until the node's name has moved from the addresses that the connection was opened to. A name that cannot be
    /// resolved keeps its addresses.
    pub async fn wait_until_moved(&self) {
        let opened_to = self.opened_to.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match opened_to {
            Some(opened_to) => self.lookups.wait_until_moved_from(&opened_to).await,
            None => std::future::pending().await,
        }
    }

    async fn resolve_name(&self) -> io::Result<Vec<SocketAddr>> {
        let (shared, found) = self.lookups.addresses_for_connection().await?;
        *self.opened_to.lock().unwrap_or_else(PoisonError::into_inner) = Some(shared);
        Ok(found)
    }
}

/// The suspicion that a node's name has moved, or will move soon.
#[derive(Clone, Copy)]
struct MoveSuspicion {
    since: Instant,
    until: Instant,
}

impl MoveSuspicion {
    fn lasts(&self) -> bool {
        self.until > Instant::now()
    }
}

/// The lookups of one node's name, which the node's connections share.
pub struct NameLookups {
    address: Address,
    /// The last suspicion that the name has moved; `None` before the first one.
    suspicion: watch::Sender<Option<MoveSuspicion>>,
    /// The addresses that connections are opened to, until the name moves; empty before the first lookup.
    current: watch::Sender<SharedAddresses>,
    last: AsyncMutex<LastLookup>,
}

/// The last lookup of a name.
#[derive(Default)]
struct LastLookup {
    /// The time of the lookup; `None` before the first one.
    at: Option<Instant>,
    /// The addresses that the last successful lookup found.
    found: Vec<SocketAddr>,
    /// The number of lookups in a row that found none of the current addresses.
    contrary: u32,
}

impl NameLookups {
    /// Creates the lookups of the name in `address`; none has been made yet.
    pub fn new(address: &Address) -> Self {
        Self {
            address: address.clone(),
            suspicion: watch::Sender::new(None),
            current: watch::Sender::new(Arc::default()),
            last: AsyncMutex::default(),
        }
    }

    /// Asks for a lookup at once, and for frequent ones from then on: the node did something that suggests that its name
    /// has moved or will move soon.
    pub fn request(&self) {
        let now = Instant::now();
        self.suspicion.send_modify(|suspicion| {
            let since = suspicion.filter(MoveSuspicion::lasts).map_or(now, |suspicion| suspicion.since);
            *suspicion = Some(MoveSuspicion { since, until: now + LOOKUP_INTERVAL });
        });
    }

    /// Returns true if a lookup was requested and the first such request was made not long ago.
    pub fn is_move_expected(&self) -> bool {
        self.suspicion.borrow().is_some_and(|suspicion| suspicion.since.elapsed() < LOOKUP_INTERVAL)
    }

    /// Waits until connections are opened to other addresses than these.
    async fn wait_until_moved_from(&self, opened_to: &SharedAddresses) {
        let (mut requests, mut current) = (self.suspicion.subscribe(), self.current.subscribe());
        // The name may have moved while the connection was opened.
        let mut is_doubtful = self.check(REQUESTED_INTERVAL).await;
        while Arc::ptr_eq(opened_to, &current.borrow_and_update()) {
            let is_suspected = requests.borrow_and_update().is_some_and(|suspicion| suspicion.lasts());
            let interval = match (is_suspected, is_doubtful) {
                (true, _) => REQUESTED_INTERVAL,
                (false, true) => CONFIRM_INTERVAL,
                (false, false) => LOOKUP_INTERVAL,
            };
            tokio::select! {
                // The next step is the same after the interval and after a request.
                _due_or_requested = timeout(interval, requests.changed()) => is_doubtful = self.check(interval).await,
                _moved = current.changed() => {}
            }
        }
    }

    /// Looks the name up if the last lookup is older than the interval, or if a move is suspected. Returns true if the last
    /// lookup found none of the current addresses.
    async fn check(&self, interval: Duration) -> bool {
        let mut last = self.last.lock().await;
        let is_suspected = self.suspicion.borrow().is_some_and(|suspicion| suspicion.lasts());
        // A name that cannot be resolved keeps its addresses.
        let _found = self.look_up(&mut last, if is_suspected { REQUESTED_INTERVAL } else { interval }).await;
        last.contrary > 0
    }

    /// Returns the addresses that all connections share, and those of them that a new connection is opened to. A lookup that
    /// takes long is not waited for if the name has addresses, but goes on: the next connection is opened to what it finds.
    async fn addresses_for_connection(self: &Arc<Self>) -> io::Result<(SharedAddresses, Vec<SocketAddr>)> {
        let is_known = !self.current.borrow().is_empty();
        let longest = if is_known { KNOWN_NAME_TIMEOUT } else { LOOKUP_TIMEOUT };
        let lookups = Arc::clone(self);
        let looked_up = tokio::spawn(async move { lookups.looked_up_addresses().await });
        match timeout(longest, looked_up).await {
            Ok(looked_up) => looked_up?,
            Err(_) if is_known => {
                let known = Arc::clone(&self.current.borrow());
                let opened_to = known.to_vec();
                Ok((known, opened_to))
            }
            Err(elapsed) => Err(elapsed.into()),
        }
    }

    async fn looked_up_addresses(&self) -> io::Result<(SharedAddresses, Vec<SocketAddr>)> {
        let mut last = self.last.lock().await;
        let looked_up = self.look_up(&mut last, REQUESTED_INTERVAL).await;
        if self.current.borrow().is_empty() {
            looked_up?;
        }
        let is_shared = Arc::strong_count(&self.current.borrow()) > 1;
        if !is_shared && !last.found.is_empty() {
            // There is no connection that this one has to agree with.
            self.move_to_found(&mut last);
        }
        let shared = Arc::clone(&self.current.borrow());
        let found: Vec<_> = last.found.iter().filter(|address| shared.contains(address)).copied().collect();
        let opened_to = if found.is_empty() { shared.to_vec() } else { found };
        Ok((shared, opened_to))
    }

    /// Looks the name up if the last lookup is older than `interval`.
    async fn look_up(&self, last: &mut LastLookup, interval: Duration) -> io::Result<()> {
        if last.at.is_some_and(|at| at.elapsed() < interval) && !self.current.borrow().is_empty() {
            return Ok(());
        }
        let found = timeout(LOOKUP_TIMEOUT, lookup_host((self.address.host.as_str(), self.address.port))).await;
        last.at = Some(Instant::now());
        let found: Vec<_> = found.map_err(io::Error::from)??.collect();
        if found.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        }
        self.record(last, found);
        Ok(())
    }

    /// Records the addresses that a lookup found. The name has moved if this and the lookup before it found none of the
    /// current ones.
    fn record(&self, last: &mut LastLookup, found: Vec<SocketAddr>) {
        let agrees = self.current.borrow().iter().any(|address| found.contains(address));
        last.contrary = if agrees { 0 } else { last.contrary + 1 };
        last.found = found;
        if last.contrary >= CONTRARY_LOOKUPS_MIN || self.current.borrow().is_empty() {
            self.move_to_found(last);
        }
    }

    fn move_to_found(&self, last: &mut LastLookup) {
        last.contrary = 0;
        self.current.send_replace(last.found.as_slice().into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::sleep;

    const OLD: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 1);
    const NEW: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2)), 1);

    /// Returns the lookups of a name that was found under `OLD`, and the addresses of a connection that was opened then.
    async fn opened() -> (Arc<NameLookups>, SharedAddresses) {
        let lookups = Arc::new(NameLookups::new(&Address { host: "localhost".to_owned(), port: 1 }));
        find(&lookups, OLD).await;
        let opened_to = lookups.addresses_for_connection().await.expect("an address").0;
        assert_eq!(&*opened_to, [OLD]);
        (lookups, opened_to)
    }

    /// Records that a lookup found this address.
    async fn find(lookups: &NameLookups, address: SocketAddr) {
        let mut last = lookups.last.lock().await;
        last.at = Some(Instant::now());
        lookups.record(&mut last, vec![address]);
    }

    /// Returns the address that a new connection is opened to, right after a lookup.
    async fn connect(lookups: &Arc<NameLookups>) -> SocketAddr {
        lookups.addresses_for_connection().await.expect("an address").1[0]
    }

    #[tokio::test(start_paused = true)]
    async fn a_lookup_that_hangs_holds_up_no_connection_to_a_known_name() {
        let (lookups, _) = opened().await;
        let mut last = lookups.last.lock().await;
        assert_eq!(connect(&lookups).await, OLD);
        // What it finds in the end counts, though nobody waits for it any more.
        let mut current = lookups.current.subscribe();
        (last.at, last.found) = (Some(Instant::now()), vec![NEW]);
        drop(last);
        current.changed().await.expect("the sender lives");
        assert_eq!(**current.borrow(), [NEW]);
    }

    #[tokio::test(start_paused = true)]
    async fn resolvers_that_disagree_do_not_move_a_name() {
        let (lookups, opened_to) = opened().await;
        let before = lookups.current.subscribe();
        for _ in 0..10 {
            find(&lookups, NEW).await;
            assert_eq!(connect(&lookups).await, OLD, "all connections go to the same node");
            find(&lookups, OLD).await;
        }
        assert!(!before.has_changed().expect("the sender lives"));
        find(&lookups, NEW).await;
        find(&lookups, NEW).await;
        assert_eq!(connect(&lookups).await, NEW);
        lookups.wait_until_moved_from(&opened_to).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_first_connection_is_opened_to_the_addresses_that_were_found_last() {
        let (lookups, opened_to) = opened().await;
        drop(opened_to);
        find(&lookups, NEW).await;
        assert_eq!(connect(&lookups).await, NEW);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_was_opened_during_a_move_notices_at_once() {
        let (lookups, opened_to) = opened().await;
        find(&lookups, NEW).await;
        find(&lookups, NEW).await;
        let start = Instant::now();
        lookups.wait_until_moved_from(&opened_to).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    /// Returns the time after which a name is seen to have moved that was looked up before under another address.
    async fn noticed_after(request_after: Option<Duration>) -> Duration {
        let (lookups, opened_to) = opened().await;
        let start = Instant::now();
        tokio::join!(lookups.wait_until_moved_from(&opened_to), async {
            if let Some(after) = request_after {
                sleep(after).await;
                lookups.request();
            }
        });
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_is_looked_up_at_an_interval_and_at_once_if_requested() {
        assert!(noticed_after(None).await >= LOOKUP_INTERVAL + CONFIRM_INTERVAL);
        let requested_after = Duration::from_secs(1);
        let noticed = noticed_after(Some(requested_after)).await;
        let soonest = requested_after + REQUESTED_INTERVAL;
        assert!(noticed >= soonest && noticed < soonest + REQUESTED_INTERVAL, "{noticed:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_move_is_expected_for_a_limited_time_however_often_it_is_suspected() {
        let lookups = NameLookups::new(&Address { host: "localhost".to_owned(), port: 1 });
        assert!(!lookups.is_move_expected());
        lookups.request();
        sleep(LOOKUP_INTERVAL / 2).await;
        lookups.request();
        assert!(lookups.is_move_expected());
        sleep(LOOKUP_INTERVAL / 2).await;
        assert!(!lookups.is_move_expected());
        // After a time without suspicion it counts as a new one.
        sleep(LOOKUP_INTERVAL).await;
        lookups.request();
        assert!(lookups.is_move_expected());
    }
}
