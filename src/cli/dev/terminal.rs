//! The terminal of a development session.

use crate::server::Shutdown;
use std::{
    fs::File,
    future::pending,
    io::{self, IsTerminal},
};
use tokio::signal::unix::{SignalKind, signal};

/// Requests a shutdown when the terminal of the session is closed; never returns. A closed terminal sends SIGHUP, which
/// otherwise means a reload.
pub async fn shut_down_when_closed<T>(shutdown: &Shutdown) -> T {
    if io::stdin().is_terminal()
        && let Ok(mut hangups) = signal(SignalKind::hangup())
    {
        while hangups.recv().await.is_some() {
            // The terminal of this process, which a closed one no longer is.
            if File::open("/dev/tty").is_err() {
                shutdown.request();
            }
        }
    }
    pending().await
}
