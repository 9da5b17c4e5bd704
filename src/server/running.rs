//! A server that runs, and the phases of its end.

use super::{part_config::DrainConfig, shutdown::Shutdown, tasks::Tasks, workers::Workers};
use crate::{
    http::AppState,
    telemetry::{events::EventKind, traces::Traces},
};
use std::{io, sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

/// Everything that runs, and the means to end it.
pub struct RunningServer {
    /// The state of the handlers.
    pub app: Arc<AppState>,
    /// The current times of a graceful shutdown.
    pub drain: watch::Receiver<DrainConfig>,
    /// Stops the servers of the HTTPS port.
    pub stop: Shutdown,
    /// All tasks.
    pub tasks: Tasks,
    /// The threads that serve.
    pub workers: Workers,
    /// The exporter of traces.
    pub traces: Traces,
}

impl RunningServer {
    /// Runs until a shutdown is requested or a task fails, then lets requests in flight finish.
    pub async fn wait(mut self, shutdown: &Shutdown) -> io::Result<()> {
        let outcome = tokio::select! {
            () = shutdown.requested() => Ok(()),
            error = self.tasks.first_to_end() => Err(error),
        };
        self.app.start_draining();
        self.app.metrics.events.record(
            EventKind::Draining,
            "shutdown requested: requests in flight finish, and new ones should go to another instance",
        );
        let drain = *self.drain.borrow();
        let outcome = match outcome {
            Ok(()) => self.keep_serving(drain.wait, shutdown).await,
            failed => failed,
        };
        self.drain(drain.limit, shutdown).await;
        // The connections to Redis end only now, with the task of the store: requests in flight needed them.
        self.tasks.abort();
        drop(self.workers);
        outcome
    }

    /// Serves on while `/readyz` fails, so that load balancers notice that this instance is going.
    async fn keep_serving(&mut self, wait: Duration, shutdown: &Shutdown) -> io::Result<()> {
        if wait.is_zero() {
            return Ok(());
        }
        let wait_secs = wait.as_secs();
        tracing::info!(wait_secs, "the service is not ready any more and serves for another {wait_secs} s");
        tokio::select! {
            () = sleep(wait) => Ok(()),
            () = shutdown.forced() => Ok(()),
            error = self.tasks.first_to_end() => Err(error),
        }
    }

    /// Accepts no more connections and waits for requests in flight.
    async fn drain(&mut self, limit: Duration, shutdown: &Shutdown) {
        let limit_secs = limit.as_secs();
        tracing::info!(limit_secs, "the service is stopping; requests in flight have {limit_secs} s to finish");
        // The admin port stays open, so that probes see the reason why no new connection is accepted.
        self.stop.request();
        tokio::select! {
            () = async {
                if timeout(limit, self.tasks.wait_for_serving()).await.is_err() {
                    tracing::warn!(limit_secs, "requests were still in flight after {limit_secs} s and are cut off");
                }
                self.traces.flush().await;
            } => tracing::info!("the service has stopped"),
            () = shutdown.forced() => tracing::warn!("the service has stopped at once; requests in flight were cut off"),
        }
    }
}
