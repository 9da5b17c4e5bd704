//! Shutdown: the first signal requests a graceful one, the second one forces it.

use std::io;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// The request to stop the server. Clones share it.
#[derive(Clone)]
pub struct Shutdown {
    /// Number of requests so far.
    requests: watch::Sender<u8>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { requests: watch::Sender::new(0) }
    }
}

impl Shutdown {
    /// Requests a graceful shutdown; a second call forces an immediate one.
    pub fn request(&self) {
        self.requests.send_modify(|requests| *requests = requests.saturating_add(1));
    }

    /// Waits until a shutdown is requested.
    pub async fn requested(&self) {
        self.wait_for_requests(1).await;
    }

    /// Waits until an immediate shutdown is forced.
    pub async fn forced(&self) {
        self.wait_for_requests(2).await;
    }

    async fn wait_for_requests(&self, least: u8) {
        let mut requests = self.requests.subscribe();
        // The sender lives as long as `self`, so the wait cannot fail.
        drop(requests.wait_for(|requests| *requests >= least).await);
    }
}

/// Returns a [`Shutdown`] that SIGINT (Ctrl-C) and SIGTERM request.
pub fn on_signals() -> io::Result<Shutdown> {
    let shutdown = Shutdown::default();
    // Without a listener, SIGHUP would end the process before the reloader listens to it.
    drop(signal(SignalKind::hangup())?);
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let mut signals = signal(kind)?;
        let shutdown = shutdown.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                shutdown.request();
            }
        });
    }
    Ok(shutdown)
}
