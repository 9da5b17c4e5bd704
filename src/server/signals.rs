//! When to stop: the first signal asks, the second insists.

use std::io;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// Tells the server to stop. A clone is a handle on the same decision.
#[derive(Clone)]
pub struct Shutdown(watch::Sender<u8>);

impl Default for Shutdown {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Shutdown {
    /// Asks to stop; a second time, to stop at once.
    pub fn request(&self) {
        self.0.send_modify(|times| *times = times.saturating_add(1));
    }

    /// Returns when somebody has asked.
    pub async fn requested(&self) {
        self.times(1).await;
    }

    /// Returns when somebody has asked twice.
    pub async fn forced(&self) {
        self.times(2).await;
    }

    async fn times(&self, least: u8) {
        let mut asked = self.0.subscribe();
        // The sender lives as long as `self`, so the wait ends only with the condition.
        drop(asked.wait_for(|times| *times >= least).await);
    }
}

/// A [`Stop`] that SIGINT (Ctrl-C) and SIGTERM ask.
pub fn on_signals() -> io::Result<Shutdown> {
    let stop = Shutdown::default();
    // Of no effect until settings can be reloaded; without a listener it would end the process.
    drop(signal(SignalKind::hangup())?);
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let mut signals = signal(kind)?;
        let stop = stop.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                stop.request();
            }
        });
    }
    Ok(stop)
}
