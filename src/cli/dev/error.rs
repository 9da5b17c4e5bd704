//! Failures of `cachefront dev`.

use std::{io, path::PathBuf};
use thiserror::Error;

/// The reason why a development session does not start.
#[derive(Debug, Error)]
pub enum DevError {
    /// No program that can act as Redis was found.
    #[error(
        "redis-server is not installed: `make run` installs it, or use `apt-get install redis-server` or `brew install redis`"
    )]
    RedisNotInstalled,
    /// The folder, the watchdog or the port of a Redis process cannot be had.
    #[error("Redis cannot be started")]
    PrepareRedis(#[source] io::Error),
    /// The operating system does not run the Redis program.
    #[error("{program} cannot be started")]
    SpawnRedis {
        /// Path of the program.
        program: PathBuf,
        /// The answer of the operating system.
        source: io::Error,
    },
    /// A Redis process ended before it answered.
    #[error("redis-server ended at once ({0})")]
    RedisEnded(std::process::ExitStatus),
    /// A Redis process did not answer within the time for its start.
    #[error("redis-server did not answer in time")]
    RedisSilent,
    /// Replicas did not finish their first synchronisation within the time for their start.
    #[error("the Redis replicas did not come online in time")]
    ReplicasOffline,
    /// The store did not connect to all nodes in time.
    #[error("the connections to the Redis that was started here were not established in time")]
    NotConnected,
    /// A certificate or key cannot be written.
    #[error("no certificate could be made in {}", folder.display())]
    MakeCertificate {
        /// Folder of the certificate.
        folder: PathBuf,
        /// The failed step.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The folder has one of certificate and key, but not the other.
    #[error("{} has a {present} but no {absent}: add it, or remove {present} to have both made", folder.display())]
    HalfCertificate {
        /// Folder of the certificate.
        folder: PathBuf,
        /// Name of the file that exists.
        present: &'static str,
        /// Name of the file that is missing.
        absent: &'static str,
    },
    /// The settings file of the session cannot be written.
    #[error("the settings of the session cannot be written")]
    WriteSettings(#[source] io::Error),
}
