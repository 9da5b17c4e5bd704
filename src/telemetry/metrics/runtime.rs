//! What tokio knows of its threads and tasks.

use super::{names, page::MetricsWriter};
use std::fmt;
use tokio::runtime::{Handle, RuntimeMetrics};

/// Writes what is known of the event loops of the workers, each of which has one thread.
pub fn write(page: &mut MetricsWriter<'_>, workers: &[Handle]) -> fmt::Result {
    let all: Vec<RuntimeMetrics> = workers.iter().map(Handle::metrics).collect();
    page.gauge(&names::RUNTIME_WORKERS, [([], all.len())])?;
    page.gauge(&names::RUNTIME_TASKS, [([], all.iter().map(RuntimeMetrics::num_alive_tasks).sum::<usize>())])?;
    page.gauge(&names::RUNTIME_QUEUE, [([], all.iter().map(RuntimeMetrics::global_queue_depth).sum::<usize>())])?;
    let names: Vec<String> = (0..all.len()).map(|worker| worker.to_string()).collect();
    let busy = names.iter().zip(&all);
    let busy = busy.map(|(name, runtime)| ([name.as_str()], runtime.worker_total_busy_duration(0).as_secs_f64()));
    page.seconds(&names::RUNTIME_BUSY, busy)
}
