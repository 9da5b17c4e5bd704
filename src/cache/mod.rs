//! The commands of the service, free of HTTP and of Redis's words.

mod batch;
mod cached_read;
mod command;
mod delete;
mod invalidation_guard;
mod near;
mod read;
mod write;

pub use command::{Command, Read, Reply, Write};
pub use near::NearValues;

use crate::{
    sealing::{Keyring, OpenError},
    settings::SealingConfig,
    store::{Advice, Freshness, Store, StoreError},
    telemetry::metrics::Metrics,
    types::{Deadline, Namespace, Ttl},
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

static NUMBERS: AtomicU64 = AtomicU64::new(0);

/// The settings of a cache.
pub struct Config<'a> {
    /// The encryption of values.
    pub sealing: &'a SealingConfig,
    /// The time to live of a value whose WRITE states none.
    pub default_ttl: Ttl,
    /// The largest value that may be stored.
    pub value_bytes_max: usize,
}

/// Runs commands for callers.
pub struct Cache {
    store: Store,
    near: Option<NearValues>,
    /// The number of this cache, which no other one of the process has.
    number: u64,
    keyring: Option<Keyring>,
    seal_always: bool,
    default_ttl: Ttl,
    value_bytes_max: usize,
    metrics: Arc<Metrics>,
}

/// The reason why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The stored value is sealed and cannot be opened.
    #[error("the stored value cannot be decrypted")]
    DecryptionFailed(#[source] OpenError),
    /// A WRITE asks to seal its value, and no key is configured.
    #[error("sealing was asked for but no key is configured")]
    NoSealingKey,
    /// The value is larger than the settings allow.
    #[error("the value has {bytes} bytes; at most {bytes_max} are allowed")]
    ValueTooLarge {
        /// The size of the value.
        bytes: usize,
        /// The limit of the settings.
        bytes_max: usize,
    },
}

impl CacheError {
    /// Returns the best reaction of the caller.
    pub fn advice(&self) -> Advice {
        match self {
            Self::Store(error) => error.advice(),
            Self::DecryptionFailed(_) | Self::NoSealingKey | Self::ValueTooLarge { .. } => Advice::GiveUp,
        }
    }
}

impl Cache {
    /// Creates a cache of the values of `store`, behind the near cache if there is one.
    pub fn new(config: &Config<'_>, store: Store, near: Option<NearValues>, metrics: Arc<Metrics>) -> Self {
        Self {
            store,
            near,
            number: NUMBERS.fetch_add(1, Relaxed),
            keyring: Keyring::new(&config.sealing.keys),
            seal_always: config.sealing.always,
            default_ttl: config.default_ttl,
            value_bytes_max: config.value_bytes_max,
            metrics,
        }
    }

    /// Runs one command, on the keys of `namespace` where there is one. A read has at least the given freshness.
    pub async fn run(
        &self,
        command: &Command<'_>,
        namespace: Option<&Namespace>,
        freshness: Freshness,
        deadline: Deadline,
    ) -> Result<Reply, CacheError> {
        match command {
            Command::Read(read) => self.read(&read.key.within(namespace), read.freshness(freshness), deadline).await,
            Command::Write(write) => self.write(write, &write.key.within(namespace), deadline).await,
            Command::Delete { key } => self.delete(&key.within(namespace), deadline).await,
        }
    }
}
