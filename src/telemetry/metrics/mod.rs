//! What is counted, and how it is shown.
//!
//! What happens is counted where it happens, in the atomics of [`Metrics`], of which each service has its own. How
//! things are (connections, roles, memory) is not kept current for anybody: it is looked at when `/metrics` is asked.

mod count;
#[cfg(test)]
mod document;
mod labels;
pub mod names;
mod page;
mod process;
mod requests;
mod runtime;

pub use count::{Buckets, Counter, Counters, Histogram, quantile_us};
pub use labels::{
    Exported, Fallback, Kind, Label, LinkState, Listener, Login, Lookup, NodeFailure, NodeRole, Opening, Outcome,
    Redirection, Reload, Shed,
};
pub use page::{Exposition, MetricsWriter};
pub use process::write as write_process;
pub use requests::{RequestMetrics, RequestTimer, Tally};

use super::events::Events;
use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::runtime::Handle;

/// What one service counts. The store's shards and nodes count for themselves.
#[derive(Default)]
pub struct Metrics {
    pub requests: RequestMetrics,
    pub sheds: Counters<Shed>,
    pub tokens: Counters<Lookup>,
    pub sealed: Counter,
    pub opened: Counters<Opening>,
    pub fallbacks: Counters<Fallback>,
    pub hedges: Counter,
    pub hedges_won: Counter,
    pub write_retries: Counter,
    pub redirections: Counters<Redirection>,
    pub settings: SettingsMetrics,
    /// When the certificate ends, in seconds since 1970; 0 if that is not known.
    pub certificate_expiry_secs: AtomicU64,
    /// What happened that people want to know.
    pub events: Arc<Events>,
    ports: [ConnectionMetrics; 2],
    /// The event loops of the workers, once they run.
    pub workers: OnceLock<Vec<Handle>>,
}

/// The connections to one port.
#[derive(Default)]
pub struct ConnectionMetrics {
    pub accepted: Counter,
    pub closed: Counter,
    pub refused: Counter,
    pub handshakes_failed: Counter,
    /// How many there may be at once.
    pub most: AtomicU64,
}

/// The reading of the settings.
pub struct SettingsMetrics {
    reloads: Counters<Reload>,
    last_refused: AtomicBool,
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
    /// Notes that settings were read anew, and whether they took effect.
    pub fn note(&self, reload: Reload) {
        self.reloads.count(reload);
        self.last_refused.store(reload == Reload::Refused, Relaxed);
        if reload == Reload::Applied {
            self.loaded_secs.store(now_secs(), Relaxed);
        }
    }
}

impl Metrics {
    /// Of one port.
    pub fn connections(&self, listener: Listener) -> &ConnectionMetrics {
        &self.ports[listener.position()]
    }

    pub fn write(&self, page: &mut MetricsWriter<'_>) -> fmt::Result {
        self.requests.write(page)?;
        page.counter(&names::TOKEN_CACHE, self.tokens.rows())?;
        page.counter(&names::SHEDS, self.sheds.rows())?;
        page.counter(&names::SEALED, [([], self.sealed.get())])?;
        page.counter(&names::OPENED, self.opened.rows())?;
        page.counter(&names::FALLBACKS, self.fallbacks.rows())?;
        page.counter(&names::HEDGES, [([], self.hedges.get())])?;
        page.counter(&names::HEDGES_WON, [([], self.hedges_won.get())])?;
        page.counter(&names::RETRIES, [([], self.write_retries.get())])?;
        page.counter(&names::REDIRECTIONS, self.redirections.rows())?;
        self.write_connections(page)?;
        page.counter(&names::RELOADS, self.settings.reloads.rows())?;
        page.gauge(&names::RELOAD_SUCCESSFUL, [([], u64::from(!self.settings.last_refused.load(Relaxed)))])?;
        page.gauge(&names::SETTINGS_LOADED, [([], self.settings.loaded_secs.load(Relaxed))])?;
        runtime::write(page, self.workers.get().map(Vec::as_slice).unwrap_or_default())?;
        page.info(&names::BUILD, [env!("CARGO_PKG_VERSION")])
    }

    fn write_connections(&self, page: &mut MetricsWriter<'_>) -> fmt::Result {
        let expiry = Some(self.certificate_expiry_secs.load(Relaxed)).filter(|secs| *secs > 0);
        page.gauge(&names::CERTIFICATE_EXPIRY, expiry.map(|secs| ([], secs)))?;
        let ports = |read: fn(&ConnectionMetrics) -> u64| {
            Listener::ALL.iter().map(move |listener| ([listener.name()], read(self.connections(*listener))))
        };
        page.gauge(&names::CONNECTIONS, ports(ConnectionMetrics::open))?;
        page.gauge(&names::CONNECTIONS_MAX, ports(|port| port.most.load(Relaxed)))?;
        page.counter(&names::CONNECTIONS_ACCEPTED, ports(|port| port.accepted.get()))?;
        page.counter(&names::CONNECTIONS_REFUSED, ports(|port| port.refused.get()))?;
        page.counter(&names::HANDSHAKES_FAILED, ports(|port| port.handshakes_failed.get()))
    }
}

impl ConnectionMetrics {
    fn open(&self) -> u64 {
        // In this order: one that is closed in between must not make the difference negative.
        let closed = self.closed.get();
        self.accepted.get().saturating_sub(closed)
    }
}

fn now_secs() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
