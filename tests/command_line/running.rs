//! A running service with a Redis of its own.

use crate::{
    Setup,
    local_redis::{Layout, RedisGroup},
    serving::{Serving, serve},
};

/// API key of the client that may do everything.
pub const API_KEY: &str = "hunter2-hunter2-hunter2";

/// A service with a Redis of its own.
pub struct Running {
    /// The running service.
    pub serving: Serving,
    /// Its settings and certificate.
    pub setup: Setup,
    /// Its Redis.
    pub redis: RedisGroup,
}

impl Running {
    /// Starts both; `sections` follow the settings of the only shard.
    pub fn start(sections: &str) -> Self {
        let redis = RedisGroup::start(&Layout { replicas: 0, ..Layout::default() }).expect("Redis starts");
        let shard = format!("[shard:a]\nmaster={}\n{sections}", redis.master(0).address);
        let setup = Setup::new(&shard);
        Self { serving: serve(&setup), setup, redis }
    }

    /// Returns the URL of the service.
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.serving.address.rsplit(':').next().expect("a port"))
    }
}
