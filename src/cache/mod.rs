//! What the service does with commands: free of HTTP, and free of Redis's words.

mod batch;
mod command;
mod delete;
mod near;
mod read;
mod write;

pub use command::{Command, Read, Reply, Write};
pub use near::NearValues;

use crate::{
    sealing::{Keyring, OpenError},
    settings::Settings,
    store::{Advice, Freshness, Store, StoreError},
    telemetry::metrics::Metrics,
    types::{Deadline, Namespace, Ttl},
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

static NUMBERS: AtomicU64 = AtomicU64::new(0);

/// Runs commands for callers.
pub struct Cache {
    store: Store,
    near: Option<NearValues>,
    /// No other one of the process has it.
    number: u64,
    keyring: Option<Keyring>,
    seal_always: bool,
    default_ttl: Ttl,
    value_bytes_max: usize,
    metrics: Arc<Metrics>,
}

/// Why a command could not be done.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the stored value does not open")]
    DoesNotOpen(#[source] OpenError),
    #[error("sealing was asked for but no key is configured")]
    NoSealingKey,
    #[error("the value has {bytes} bytes of {bytes_max}")]
    ValueTooLarge { bytes: usize, bytes_max: usize },
}

impl CacheError {
    /// What the caller can do about it.
    pub fn advice(&self) -> Advice {
        match self {
            Self::Store(error) => error.advice(),
            Self::DoesNotOpen(_) | Self::NoSealingKey | Self::ValueTooLarge { .. } => Advice::GiveUp,
        }
    }
}

impl Cache {
    pub fn new(settings: &Settings, store: Store, near: Option<NearValues>, metrics: Arc<Metrics>) -> Self {
        Self {
            store,
            near,
            number: NUMBERS.fetch_add(1, Relaxed),
            keyring: Keyring::new(&settings.sealing.keys),
            seal_always: settings.sealing.always,
            default_ttl: settings.default_ttl,
            value_bytes_max: settings.service.value_bytes_max,
            metrics,
        }
    }

    /// Runs one command, on the keys of `namespace` where there is one. Reads are at least as fresh as that.
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
