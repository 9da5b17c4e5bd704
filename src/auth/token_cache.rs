//! A cache of verified tokens: a caller sends the same token with every request, and checking its signature costs more
//! than the rest of the request.
//!
//! Tokens are cached under their SHA-256, so that memory holds no tokens. Only valid ones are cached, so that invented
//! tokens take no room. A reload creates another [`super::Auth`] with an empty cache, so that a token ends at once when
//! its client is removed or the secret changes.

use super::client::WorkerClient;
use crate::types::{PerWorker, Scopes, worker};
use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, UnitWeighter, sync::Cache, sync::DefaultLifecycle};
use std::{
    hash::{Hash, Hasher},
    ops::RangeInclusive,
};

/// Maximum number of tokens in the caches of all workers, of about 200 bytes each. A caller uses one or two tokens at a
/// time.
pub const TOKENS_MAX: usize = 10_000;
/// Number of tokens that each worker can cache, however many workers there are. Every worker meets nearly every token.
const TOKENS_PER_WORKER_MIN: usize = 1_000;

/// A verified token.
#[derive(Clone)]
pub struct CachedToken {
    /// The client that the token was issued to.
    pub client: WorkerClient,
    /// The scopes of the token that the client still has.
    pub scopes: Scopes,
    /// The time in which the token is valid, in seconds since 1970.
    pub valid_secs: RangeInclusive<u64>,
}

/// The verified tokens by their fingerprints. Each worker has a cache of its own, whose lock no other worker writes.
#[derive(Default)]
pub struct TokenCache(PerWorker<Cache<Fingerprint, CachedToken>>);

/// Creates the cache of the calling worker.
fn new_cache() -> Cache<Fingerprint, CachedToken> {
    let tokens_max = (TOKENS_MAX / worker::count()).max(TOKENS_PER_WORKER_MIN);
    let options = OptionsBuilder::new()
        .estimated_items_capacity(tokens_max)
        .weight_capacity(tokens_max as u64)
        .shards(1)
        .build()
        .expect("both capacities are set");
    Cache::with_options(options, UnitWeighter, DefaultHashBuilder::default(), DefaultLifecycle::default())
}

impl TokenCache {
    /// Returns a verified token that is valid now. Outside its time it has to be verified again, which tells what is
    /// wrong with it.
    pub fn get(&self, token: &Fingerprint, now_secs: u64) -> Option<CachedToken> {
        self.own().get(token).filter(|cached| cached.valid_secs.contains(&now_secs))
    }

    /// Adds a verified token.
    pub fn insert(&self, token: Fingerprint, cached: CachedToken) {
        self.own().insert(token, cached);
    }

    fn own(&self) -> &Cache<Fingerprint, CachedToken> {
        self.0.own(new_cache)
    }
}

/// The SHA-256 of a token.
#[derive(PartialEq, Eq)]
pub struct Fingerprint([u8; SHA256_OUTPUT_LEN]);

impl Fingerprint {
    /// Computes the fingerprint of a token.
    pub fn of(token: &[u8]) -> Self {
        let mut fingerprint = [0; SHA256_OUTPUT_LEN];
        fingerprint.copy_from_slice(digest(&SHA256, token).as_ref());
        Self(fingerprint)
    }
}

impl Hash for Fingerprint {
    /// Hashes eight bytes, which are as random as all of them.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte)));
    }
}
