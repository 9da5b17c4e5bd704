//! The event loop of the commands.

use super::failure::Failure;
use tokio::runtime::{Builder, Runtime};

/// Builds the event loop for background work; requests run on the workers of the service.
pub fn background() -> Result<Runtime, Failure> {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().map_err(Failure::general)
}
