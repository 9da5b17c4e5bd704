//! The metrics and log messages of the connections to one port.

use crate::{
    http::NoPlace,
    telemetry::metrics::{ConnectionMetrics, ConnectionRefusal, Label, Listener, Metrics},
};
use governor::{DefaultDirectRateLimiter, Quota};
use std::{
    io,
    net::IpAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

/// Interval between two log messages about connections that were not accepted. A peer could cause any number of them.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Counts the connections to one port. Clones share the rate of log messages.
#[derive(Clone)]
pub struct ConnectionCounters {
    metrics: Arc<Metrics>,
    listener: Listener,
    refusals_logged: Arc<DefaultDirectRateLimiter>,
    failures_logged: Arc<DefaultDirectRateLimiter>,
}

impl ConnectionCounters {
    /// Selects the metrics of a port.
    pub fn new(metrics: &Arc<Metrics>, listener: Listener) -> Self {
        Self {
            metrics: Arc::clone(metrics),
            listener,
            refusals_logged: Arc::new(once_per_interval()),
            failures_logged: Arc::new(once_per_interval()),
        }
    }

    fn metrics(&self) -> &ConnectionMetrics {
        self.metrics.connections(self.listener)
    }

    /// Records the maximum number of connections.
    pub fn set_limit(&self, connections_max: usize) {
        self.metrics().limit.store(connections_max as u64, Relaxed);
    }

    /// Counts a connection that got a place.
    pub fn accept(&self, evicted_another: bool) {
        self.metrics().accepted.count();
        if evicted_another {
            self.metrics().evicted.count();
        }
    }

    /// Counts the end of a connection.
    pub fn close(&self) {
        self.metrics().closed.count();
    }

    /// Counts a failed TLS handshake, or a PROXY header that cannot be used.
    pub fn fail_handshake(&self) {
        self.metrics().handshakes_failed.count();
    }

    /// Counts and logs a connection that got no place.
    pub fn refuse(&self, reason: NoPlace, peer: IpAddr) -> io::Error {
        let (cause, advice) = match reason {
            NoPlace::Full => (
                ConnectionRefusal::Places,
                "all places are taken by authenticated clients: raise CONNECTIONS_MAX or run more instances",
            ),
            NoPlace::Address => (
                ConnectionRefusal::Address,
                "its address has all places that one may have (CONNECTIONS_PER_ADDRESS_MAX): if it is a proxy, list it in TRUSTED_PROXIES",
            ),
        };
        self.metrics().refused.count(cause);
        if self.refusals_logged.check().is_ok() {
            tracing::warn!(%peer, "a connection from {peer} was closed at once: {advice}");
        }
        io::ErrorKind::ConnectionRefused.into()
    }

    /// Counts and logs a connection that the operating system did not hand over.
    pub fn fail_accept(&self, error: &io::Error) {
        self.metrics().accept_failures.count();
        if self.failures_logged.check().is_ok() {
            let listener = self.listener.name();
            tracing::error!(
                %error,
                "a connection to the {listener} port cannot be accepted: {error}; if too many files are open, raise \
                 the limit (LimitNOFILE, ulimit -n) or lower CONNECTIONS_MAX"
            );
        }
    }
}

fn once_per_interval() -> DefaultDirectRateLimiter {
    let quota = Quota::with_period(LOG_INTERVAL).expect("the interval is not zero");
    DefaultDirectRateLimiter::direct(quota)
}
