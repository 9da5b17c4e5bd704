//! What tokio knows of its threads and tasks.

use super::{names, page::Page};
use std::fmt;
use tokio::runtime::Handle;

/// Writes nothing outside a runtime.
pub fn write(page: &mut Page<'_>) -> fmt::Result {
    let Ok(handle) = Handle::try_current() else { return Ok(()) };
    let runtime = handle.metrics();
    page.gauge(&names::RUNTIME_WORKERS, [([], runtime.num_workers())])?;
    page.gauge(&names::RUNTIME_TASKS, [([], runtime.num_alive_tasks())])?;
    page.gauge(&names::RUNTIME_QUEUE, [([], runtime.global_queue_depth())])?;
    let workers: Vec<String> = (0..runtime.num_workers()).map(|worker| worker.to_string()).collect();
    let busy = workers
        .iter()
        .enumerate()
        .map(|(number, name)| ([name.as_str()], runtime.worker_total_busy_duration(number).as_secs_f64()));
    page.seconds(&names::RUNTIME_BUSY, busy)
}
