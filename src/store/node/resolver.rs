//! Host names, and whether they still lead where they led.

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

/// So often the name of a node is looked up again while a connection to it is open.
const LOOK_EVERY: Duration = Duration::from_secs(5);
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);

/// Resolves a node's name for one connection, and remembers what it came to. A clone is a handle on the same memory.
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
    /// Returns when none of the addresses that the node's name had when the connection was opened is its own any more.
    /// A name that cannot be looked up has not moved.
    pub async fn wait_until_moved(&self, address: &Address) {
        if address.host.parse::<IpAddr>().is_ok() {
            return std::future::pending().await;
        }
        loop {
            sleep(LOOK_EVERY).await;
            let found = timeout(LOOK_TIMEOUT, lookup_host((address.host.as_str(), address.port))).await;
            let Ok(Ok(found)) = found else { continue };
            let found: Vec<SocketAddr> = found.collect();
            let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if !found.is_empty() && !found.iter().any(|address| known.contains(address)) {
                return;
            }
        }
    }
}
