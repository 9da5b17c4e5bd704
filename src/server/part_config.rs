//! The settings of each part, taken from the settings of the whole service.

use crate::{
    auth::Auth,
    cache::{self, Cache, NearValues},
    http::{self, PlaceLimits, ReloadableState},
    settings::{ServiceConfig, Settings},
    store::{self, Store, SyncTokenKey},
    telemetry::metrics::Metrics,
};
use aws_lc_rs::hmac;
use secrecy::ExposeSecret;
use std::{sync::Arc, time::Duration};

/// The purpose of the derived key. Instances of all releases use the same one, so that they accept each other's tokens.
const SYNC_TOKEN_LABEL: &[u8] = b"cachefront sync token";

/// Returns the settings of the store. Its key for sync tokens is derived from the secret that signs access tokens,
/// which all instances share.
pub fn store_config(settings: &Settings) -> store::Config<'_> {
    let secret = derive_sync_token_secret(settings.auth.jwt_secret.expose_secret().as_bytes());
    let sync_token_key = SyncTokenKey::new(secret.as_ref());
    let inspection = settings.telemetry.inspection;
    let (topology, redis, login) = (&settings.topology, &settings.redis, &settings.redis_login);
    store::Config { topology, redis, login, inspection, sync_token_key, simulation: None }
}

fn derive_sync_token_secret(jwt_secret: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, jwt_secret), SYNC_TOKEN_LABEL)
}

/// Returns the settings of the cache.
fn cache_config(settings: &Settings) -> cache::Config<'_> {
    cache::Config {
        sealing: &settings.sealing,
        default_ttl: settings.default_ttl,
        value_bytes_max: settings.service.value_bytes_max,
    }
}

/// Builds the state that a reload replaces. Clients of `before` that still exist keep the count of their commands.
pub fn reloadable_state(
    settings: &Settings,
    store: &Store,
    near: Option<&NearValues>,
    metrics: &Arc<Metrics>,
    before: Option<&ReloadableState>,
) -> ReloadableState {
    let cache = Cache::new(&cache_config(settings), store.clone(), near.cloned(), Arc::clone(metrics));
    ReloadableState {
        auth: Auth::new(&settings.auth, before.map(|before| &before.auth), Arc::clone(metrics)),
        cache: match before {
            Some(before) => cache.succeeding(&before.cache),
            None => cache,
        },
        config: http::Config::from(&settings.service),
    }
}

/// Returns the limits on the connections to the HTTPS port. A quarter of the places is kept for clients that have
/// authenticated.
pub fn place_limits(service: &ServiceConfig, connections_max: usize) -> PlaceLimits {
    let per_address = match service.connections_per_address_max {
        0 => connections_max.div_ceil(2),
        limit => limit,
    };
    PlaceLimits { connections: connections_max, unauthenticated: connections_max - connections_max / 4, per_address }
}

/// The times of a graceful shutdown.
#[derive(Clone, Copy)]
pub struct DrainConfig {
    /// Time between the request and the end of accepting, for load balancers to notice.
    pub wait: Duration,
    /// Time for requests in flight to finish after that.
    pub limit: Duration,
}

impl DrainConfig {
    /// Takes the times from the settings.
    pub fn new(service: &ServiceConfig) -> Self {
        Self { wait: service.drain_wait, limit: service.drain }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_of_sync_tokens_is_the_one_of_earlier_releases() {
        let secret = derive_sync_token_secret(b"0123456789abcdef0123456789abcdef");
        let expected = "d496984bcbc4f7cf14896b406c2131339a7f6f7fccef9f4c859f45fe60a14b3b";
        let bytes = (0..expected.len()).step_by(2).map(|at| u8::from_str_radix(&expected[at..at + 2], 16));
        assert_eq!(Ok(secret.as_ref().to_vec()), bytes.collect());
    }
}
