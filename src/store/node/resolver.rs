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
    time::{sleep, timeout},
};

/// Interval at which the name of a node is resolved again while a connection to it is open.
const LOOKUP_INTERVAL: Duration = Duration::from_secs(5);
/// Time that one resolution may take.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// The addresses that a node's name had when a connection was opened. A clone is a handle on the same addresses.
#[derive(Clone, Default)]
pub struct ResolvedAddresses(Arc<Mutex<Vec<SocketAddr>>>);

impl AsyncDNSResolver for ResolvedAddresses {
    fn resolve<'a, 'b: 'a>(
        &'a self,
        host: &'b str,
        port: u16,
    ) -> RedisFuture<'a, Box<dyn Iterator<Item = SocketAddr> + Send + 'a>> {
        Box::pin(async move {
            let found: Vec<SocketAddr> = lookup_host((host, port)).await?.collect();
            self.0.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&found);
            let found: Box<dyn Iterator<Item = SocketAddr> + Send> = Box::new(found.into_iter());
            Ok(found)
        })
    }
}

impl ResolvedAddresses {
    /// Waits until the node's name has none of these addresses any more. A name that cannot be resolved keeps its
    /// addresses.
    pub async fn wait_until_moved(&self, address: &Address) {
        if address.host.parse::<IpAddr>().is_ok() {
            return std::future::pending().await;
        }
        loop {
            sleep(LOOKUP_INTERVAL).await;
            let found = timeout(LOOKUP_TIMEOUT, lookup_host((address.host.as_str(), address.port))).await;
            let Ok(Ok(found)) = found else { continue };
            let found: Vec<SocketAddr> = found.collect();
            let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if !found.is_empty() && !found.iter().any(|address| known.contains(address)) {
                return;
            }
        }
    }
}
