//! The cache: the struct that runs commands and that all commands and batches belong to.

use super::{
    command::{Command, Read, Reply},
    error::CacheError,
    missing_key_file::MissingKeyFile,
    near::NearValues,
};
use crate::{
    sealing::Keyring,
    settings::{SealingConfig, SealingRule},
    store::{Freshness, Store},
    telemetry::metrics::Metrics,
    types::{Deadline, KeyOwner, Ttl},
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
    /// The store behind the near cache.
    pub(super) store: Store,
    /// The near cache; `None` where the settings switch it off.
    pub(super) near: Option<NearValues>,
    /// The number of the keys that open values: another one for each set of keys that the process has had.
    pub(super) number: u64,
    /// The keys that seal and open values; `None` where none is configured.
    pub(super) keyring: Option<Keyring>,
    /// The values that are sealed, and those that are read.
    pub(super) rule: SealingRule,
    /// The file of the key that does not exist, if the settings name one.
    pub(super) missing_key_file: Option<MissingKeyFile>,
    /// The time to live of a value whose WRITE states none.
    pub(super) default_ttl: Ttl,
    /// The largest value that may be stored.
    pub(super) value_bytes_max: usize,
    /// The metrics of the service.
    pub(super) metrics: Arc<Metrics>,
}

impl Cache {
    /// Creates a cache of the values of `store`, behind the near cache if there is one.
    pub fn new(config: &Config<'_>, store: Store, near: Option<NearValues>, metrics: Arc<Metrics>) -> Self {
        Self {
            store,
            near,
            number: NUMBERS.fetch_add(1, Relaxed),
            keyring: Keyring::new(&config.sealing.keys),
            rule: config.sealing.rule,
            missing_key_file: config.sealing.missing_file.as_deref().map(MissingKeyFile::new),
            default_ttl: config.default_ttl,
            value_bytes_max: config.value_bytes_max,
            metrics,
        }
    }

    /// Takes over the values that the cache before a reload has opened, if both open values with the same keys.
    #[must_use]
    pub fn succeeding(self, before: &Self) -> Self {
        let has_same_keys = match (&self.keyring, &before.keyring) {
            (None, None) => true,
            (Some(keyring), Some(before)) => keyring.has_same_keys(before),
            _ => false,
        };
        if has_same_keys { Self { number: before.number, ..self } } else { self }
    }

    /// Returns true if the other cache opens values with the same keys.
    pub fn shares_opened_values(&self, other: &Self) -> bool {
        self.number == other.number
    }

    /// Runs one command, for the client that owns the key. A read has at least the given freshness.
    pub async fn run(
        &self,
        command: &Command<'_>,
        owner: KeyOwner<'_>,
        freshness: Freshness,
        deadline: Deadline,
    ) -> Result<Reply, CacheError> {
        match command {
            Command::Read(read @ Read { touch: None, .. }) => {
                self.read(&read.key.of(owner), read.freshness(freshness), deadline).await
            }
            _ => self.operate(command, &command.key().of(owner), freshness, deadline).await,
        }
    }
}
