//! The state that a reload of the settings replaces as a whole.

use super::body_memory::BodyMemoryMax;
use crate::{auth::Auth, cache::Cache, settings::ServiceConfig};
use std::time::Duration;

/// The state that a reload replaces. A request takes it once, and so sees one state throughout.
pub struct ReloadableState {
    /// The clients and their tokens.
    pub auth: Auth,
    /// Runs commands.
    pub cache: Cache,
    /// The limits on requests.
    pub config: Config,
}

/// The limits on requests.
#[derive(Clone, Copy)]
pub struct Config {
    /// Maximum time for the commands of one request.
    pub deadline: Duration,
    /// Maximum number of requests to `/cache` that run at a time.
    pub requests_max: usize,
    /// Maximum size of one body in bytes.
    pub body_bytes_max: usize,
    /// Maximum size of all bodies together.
    pub bodies_max: BodyMemoryMax,
    /// Maximum size of all replies together in bytes.
    pub replies_bytes_max: usize,
}

impl From<&ServiceConfig> for Config {
    fn from(service: &ServiceConfig) -> Self {
        Self {
            deadline: service.deadline,
            requests_max: service.requests_max,
            body_bytes_max: service.body_bytes_max,
            bodies_max: BodyMemoryMax::new(service.bodies_bytes_max, service.body_bytes_max),
            replies_bytes_max: service.replies_bytes_max,
        }
    }
}
