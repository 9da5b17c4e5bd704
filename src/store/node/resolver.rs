//! Resolution of host names, and the discovery that a name has other addresses than before.

use crate::types::Address;
use redis::{RedisFuture, io::AsyncDNSResolver};
use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    net::lookup_host,
    sync::{Mutex as AsyncMutex, watch},
    time::{Instant, timeout},
};

/// Interval at which the name of a node is resolved again while a connection to it is open.
const LOOKUP_INTERVAL: Duration = Duration::from_secs(5);
/// Interval of the lookups after one was requested, until [`LOOKUP_INTERVAL`] is over. No more are made for one node.
const REQUESTED_INTERVAL: Duration = Duration::from_millis(100);
/// Time that one resolution may take.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// The addresses that a node's name had when a connection was opened. A clone is a handle on the same addresses.
#[derive(Clone, Default)]
pub struct ResolvedAddresses(Arc<Mutex<Vec<SocketAddr>>>);

/// A resolver that resolves one host, whatever it is asked for: the name in a certificate may be another one.
pub struct HostResolver {
    host: String,
    /// Receives the addresses of the host.
    found: ResolvedAddresses,
}

impl AsyncDNSResolver for HostResolver {
    fn resolve<'a, 'b: 'a>(
        &'a self,
        _name: &'b str,
        port: u16,
    ) -> RedisFuture<'a, Box<dyn Iterator<Item = SocketAddr> + Send + 'a>> {
        Box::pin(async move {
            let found: Vec<SocketAddr> = lookup_host((self.host.as_str(), port)).await?.collect();
            self.found.0.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&found);
            let found: Box<dyn Iterator<Item = SocketAddr> + Send> = Box::new(found.into_iter());
            Ok(found)
        })
    }
}

impl ResolvedAddresses {
    /// Returns a resolver of this host, which records the addresses here.
    pub fn of_host(&self, host: &str) -> HostResolver {
        HostResolver { host: host.to_owned(), found: self.clone() }
    }

    /// Waits until the node's name has none of these addresses any more. A name that cannot be resolved keeps its
    /// addresses.
    pub async fn wait_until_moved(&self, address: &Address, lookups: &NameLookups) {
        if address.host.parse::<IpAddr>().is_ok() {
            return std::future::pending().await;
        }
        let mut requests = lookups.suspicion.subscribe();
        loop {
            let is_suspected = requests.borrow_and_update().is_some_and(|suspicion| suspicion.lasts());
            let interval = if is_suspected { REQUESTED_INTERVAL } else { LOOKUP_INTERVAL };
            // The next step is the same after the interval and after a request.
            let _due_or_requested = timeout(interval, requests.changed()).await;
            if self.has_none_of(&lookups.look_up(address).await) {
                return;
            }
        }
    }

    fn has_none_of(&self, found: &[SocketAddr]) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        !found.is_empty() && !found.iter().any(|address| known.contains(address))
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
#[derive(Default)]
pub struct NameLookups {
    /// The last suspicion that the name has moved; `None` before the first one.
    suspicion: watch::Sender<Option<MoveSuspicion>>,
    /// The time and the result of the last lookup; the result is empty if the lookup failed.
    last: AsyncMutex<Option<(Instant, Vec<SocketAddr>)>>,
}

impl NameLookups {
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

    /// Returns the addresses that the name has now, or had a moment ago. Returns none if it cannot be resolved.
    async fn look_up(&self, address: &Address) -> Vec<SocketAddr> {
        let mut last = self.last.lock().await;
        if let Some((time, found)) = &*last
            && time.elapsed() < REQUESTED_INTERVAL
        {
            return found.clone();
        }
        let found = timeout(LOOKUP_TIMEOUT, lookup_host((address.host.as_str(), address.port))).await;
        let found = found.ok().and_then(Result::ok).map_or_else(Vec::new, Iterator::collect);
        *last = Some((Instant::now(), found.clone()));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::sleep;

    /// Returns the time after which a name is seen to have moved that was looked up before under another address.
    async fn noticed_after(request_after: Option<Duration>) -> Duration {
        let (lookups, address) = (NameLookups::default(), Address { host: "localhost".to_owned(), port: 1 });
        let before = ResolvedAddresses(Arc::new(Mutex::new(vec![SocketAddr::from(([192, 0, 2, 1], 1))])));
        let start = Instant::now();
        tokio::join!(before.wait_until_moved(&address, &lookups), async {
            if let Some(after) = request_after {
                sleep(after).await;
                lookups.request();
            }
        });
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_is_looked_up_at_an_interval_and_at_once_if_requested() {
        assert!(noticed_after(None).await >= LOOKUP_INTERVAL);
        let requested_after = Duration::from_secs(1);
        let noticed = noticed_after(Some(requested_after)).await;
        assert!(noticed >= requested_after && noticed < requested_after + REQUESTED_INTERVAL, "{noticed:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_move_is_expected_for_a_limited_time_however_often_it_is_suspected() {
        let lookups = NameLookups::default();
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
