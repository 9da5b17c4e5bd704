//! The metrics of tokio's threads and tasks.

use super::{names, writer::MetricsWriter};
use std::fmt;
use tokio::runtime::{Handle, RuntimeMetrics};

/// Writes the metrics of the workers' event loops, each of which has one thread.
pub fn write(writer: &mut MetricsWriter<'_>, workers: &[Handle]) -> fmt::Result {
    let all: Vec<RuntimeMetrics> = workers.iter().map(Handle::metrics).collect();
    writer.gauge(&names::RUNTIME_WORKERS, [([], all.len())])?;
    writer.gauge(&names::RUNTIME_TASKS, [([], all.iter().map(RuntimeMetrics::num_alive_tasks).sum::<usize>())])?;
    writer.gauge(&names::RUNTIME_QUEUE, [([], all.iter().map(RuntimeMetrics::global_queue_depth).sum::<usize>())])?;
    let names: Vec<String> = (0..all.len()).map(|worker| worker.to_string()).collect();
    let busy = names.iter().zip(&all);
    let busy = busy.map(|(name, runtime)| ([name.as_str()], runtime.worker_total_busy_duration(0).as_secs_f64()));
    writer.seconds(&names::RUNTIME_BUSY, busy)
}
