//! The metrics of the service and their text formats.
//!
//! Code that does something counts it in the atomics of [`Metrics`], of which each service has its own, and each worker its
//! own part. States, such as
//! connections, roles and memory, are read when a scrape asks for them.

mod certificates;
mod counter;
#[cfg(test)]
mod document;
mod histogram;
mod inspection;
mod labels;
pub mod names;
mod process;
mod requests;
mod runtime;
mod sums;
mod unix_time;
mod writer;

pub use certificates::{CertificateMetrics, CertificateValidity};
pub use counter::{Counter, Counters};
pub use histogram::{Buckets, Distribution, Histogram, quantile_us};
pub use inspection::InspectionMetrics;
pub use labels::{
    AnswerSource, ConnectionRefusal, Fallback, Kind, Label, LinkState, Listener, LoginOutcome, Lookup, NodeFailure,
    NodeRole, OpenOutcome, Outcome, Promise, RedirectionKind, ReloadOutcome, ShardFailure, Shed, SpanOutcome,
};
pub use process::{ProcessUsage, write as write_process};
pub use requests::{RequestMetrics, Tally};
pub use writer::{Exposition, MetricsWriter};

use super::events::Events;
use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};
use tokio::runtime::Handle;
use unix_time::now_secs;

/// The metrics of one service. Shards and nodes have counters of their own.
#[derive(Default)]
pub struct Metrics {
    /// Requests and their commands.
    pub requests: RequestMetrics,
    /// Requests and commands that were refused because of load.
    pub sheds: Counters<Shed>,
    /// Lookups in the cache of verified tokens.
    pub tokens: Counters<Lookup>,
    /// Values that were sealed.
    pub sealed: Counter,
    /// Sealed values that were read.
    pub opened: Counters<OpenOutcome>,
    /// Reads that another node than the preferred one answered.
    pub fallbacks: Counters<Fallback>,
    /// Hedged reads.
    pub hedges: Counter,
    /// Hedged reads that the second node answered first.
    pub hedges_won: Counter,
    /// Writes that were sent again after a node refused them.
    pub write_retries: Counter,
    /// Redirections of a Redis Cluster that were followed.
    pub redirections: Counters<RedirectionKind>,
    /// The inspection of answers.
    pub inspection: InspectionMetrics,
    /// Loads of the settings.
    pub settings: SettingsMetrics,
    /// The certificates in use.
    pub certificates: CertificateMetrics,
    /// The latest events, for the console.
    pub events: Arc<Events>,
    /// Connections of callers, by port.
    ports: [ConnectionMetrics; 2],
    /// The event loops of the workers; empty until they run.
    pub workers: OnceLock<Vec<Handle>>,
}

/// The metrics of connections to one port.
#[derive(Default)]
pub struct ConnectionMetrics {
    /// Connections that were accepted.
    pub accepted: Counter,
    /// Accepted connections that were closed.
    pub closed: Counter,
    /// Connections that were closed at once because of a limit.
    pub refused: Counters<ConnectionRefusal>,
    /// Connections that were closed because another one needed their place.
    pub evicted: Counter,
    /// Connections that the operating system did not hand over.
    pub accept_failures: Counter,
    /// Connections whose requests hyper takes from then on.
    pub left_lane: Counter,
    /// The connections that moved to another worker.
    pub moved: Counter,
    /// TLS handshakes that failed.
    pub handshakes_failed: Counter,
    /// Maximum number of open connections.
    pub limit: AtomicU64,
}

/// The metrics of loading the settings.
pub struct SettingsMetrics {
    /// Reloads by outcome.
    reloads: Counters<ReloadOutcome>,
    /// True if the last reload was refused.
    last_refused: AtomicBool,
    /// Time at which the settings in use were loaded, in seconds since 1970.
    loaded_secs: AtomicU64,
}

impl Default for SettingsMetrics {
    fn default() -> Self {
        Self {
            reloads: Counters::default(),
            last_refused: AtomicBool::new(false),
            loaded_secs: AtomicU64::new(now_secs()),
        }
    }
}

impl SettingsMetrics {
    /// Records a reload of the settings.
    pub fn record_reload(&self, outcome: ReloadOutcome) {
        self.reloads.count(outcome);
        self.last_refused.store(outcome == ReloadOutcome::Refused, Relaxed);
        if outcome == ReloadOutcome::Applied {
            self.loaded_secs.store(now_secs(), Relaxed);
        }
    }
}

impl Metrics {
    /// Returns the metrics of the connections to one port.
    pub fn connections(&self, listener: Listener) -> &ConnectionMetrics {
        &self.ports[listener.position()]
    }

    /// Writes all metrics of the service.
    pub fn write(&self, writer: &mut MetricsWriter<'_>) -> fmt::Result {
        self.requests.write(writer)?;
        writer.counter(&names::TOKEN_CACHE, self.tokens.rows())?;
        writer.counter(&names::SHEDS, self.sheds.rows())?;
        writer.counter(&names::SEALED, [([], self.sealed.get())])?;
        writer.counter(&names::OPENED, self.opened.rows())?;
        writer.counter(&names::FALLBACKS, self.fallbacks.rows())?;
        writer.counter(&names::HEDGES, [([], self.hedges.get())])?;
        writer.counter(&names::HEDGES_WON, [([], self.hedges_won.get())])?;
        writer.counter(&names::RETRIES, [([], self.write_retries.get())])?;
        writer.counter(&names::REDIRECTIONS, self.redirections.rows())?;
        self.inspection.write(writer)?;
        self.write_connections(writer)?;
        writer.counter(&names::RELOADS, self.settings.reloads.rows())?;
        writer.gauge(&names::RELOAD_SUCCESSFUL, [([], u64::from(!self.settings.last_refused.load(Relaxed)))])?;
        writer.gauge(&names::SETTINGS_LOADED, [([], self.settings.loaded_secs.load(Relaxed))])?;
        runtime::write(writer, self.workers.get().map(Vec::as_slice).unwrap_or_default())?;
        writer.info(&names::BUILD, [env!("CARGO_PKG_VERSION")])
    }

    fn write_connections(&self, writer: &mut MetricsWriter<'_>) -> fmt::Result {
        self.certificates.write(writer)?;
        writer.gauge(&names::CONNECTIONS, self.of_ports(ConnectionMetrics::open))?;
        writer.gauge(&names::CONNECTIONS_MAX, self.of_ports(|port| port.limit.load(Relaxed)))?;
        writer.counter(&names::CONNECTIONS_ACCEPTED, self.of_ports(|port| port.accepted.get()))?;
        let refused = Listener::ALL.iter().flat_map(|listener| {
            let rows = self.connections(*listener).refused.rows();
            rows.map(|([cause], count)| ([listener.name(), cause], count))
        });
        writer.counter(&names::CONNECTIONS_REFUSED, refused)?;
        writer.counter(&names::CONNECTIONS_EVICTED, self.of_ports(|port| port.evicted.get()))?;
        let service = self.connections(Listener::Service);
        writer.counter(&names::CONNECTIONS_LEFT_LANE, [([], service.left_lane.get())])?;
        writer.counter(&names::CONNECTIONS_MOVED, [([], service.moved.get())])?;
        writer.counter(&names::ACCEPT_FAILURES, self.of_ports(|port| port.accept_failures.get()))?;
        writer.counter(&names::HANDSHAKES_FAILED, self.of_ports(|port| port.handshakes_failed.get()))
    }

    /// Reads one number of each port.
    fn of_ports(&self, read: fn(&ConnectionMetrics) -> u64) -> impl Iterator<Item = ([&'static str; 1], u64)> {
        Listener::ALL.iter().map(move |listener| ([listener.name()], read(self.connections(*listener))))
    }
}

impl ConnectionMetrics {
    /// Returns the number of open connections.
    pub fn open(&self) -> u64 {
        // The closed ones are read first, so that a connection that is closed in between does not make the difference
        // negative.
        let closed = self.closed.get();
        self.accepted.get().saturating_sub(closed)
    }
}
