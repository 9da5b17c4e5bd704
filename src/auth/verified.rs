//! Tokens that were verified before: a caller sends the same one with every request, and checking a signature costs
//! more than all the rest of it.
//!
//! They are kept under their SHA-256, so that memory holds no tokens, and only if they were valid: what somebody makes
//! up takes no place. New settings make another [`super::Auth`] and with it an empty cache, so a token of a client that
//! is gone, or under a secret that changed, ends at once.

use super::Client;
use crate::types::Scopes;
use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use quick_cache::sync::Cache;
use std::{
    hash::{Hash, Hasher},
    ops::RangeInclusive,
    sync::Arc,
};

/// With some 150 bytes each; a caller uses one or two in its token's life.
pub const TOKENS_MAX: usize = 10_000;

/// What a verified token stands for.
#[derive(Clone)]
pub struct KnownToken {
    pub client: Arc<Client>,
    pub scopes: Scopes,
    /// When it counts, in seconds since 1970.
    pub times: RangeInclusive<u64>,
}

/// The tokens that are known.
pub struct VerifiedTokens(Cache<Fingerprint, KnownToken>);

impl Default for VerifiedTokens {
    fn default() -> Self {
        Self(Cache::new(TOKENS_MAX))
    }
}

impl VerifiedTokens {
    /// What is known of a token, if its time is `now`. Outside it the token is verified like one never seen, which
    /// says what is wrong with it.
    pub fn find(&self, token: &Fingerprint, now: u64) -> Option<KnownToken> {
        self.0.get(token).filter(|known| known.times.contains(&now))
    }

    pub fn insert(&self, token: Fingerprint, known: KnownToken) {
        self.0.insert(token, known);
    }
}

/// What stands for a token: two with the same one cannot be found.
#[derive(PartialEq, Eq)]
pub struct Fingerprint([u8; SHA256_OUTPUT_LEN]);

impl Fingerprint {
    pub fn of(token: &str) -> Self {
        let mut fingerprint = [0; SHA256_OUTPUT_LEN];
        fingerprint.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        Self(fingerprint)
    }
}

impl Hash for Fingerprint {
    /// Eight of its bytes are as good as all.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte)));
    }
}
