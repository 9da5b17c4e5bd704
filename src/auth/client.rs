//! A client, and a caller who has shown its token.

use crate::{
    settings::{self, ApiKeyHash},
    types::{Namespace, Scope, Scopes},
};
use governor::{
    DefaultDirectRateLimiter, Quota,
    clock::{Clock, DefaultClock},
};
use std::{num::NonZeroU32, sync::Arc, time::Duration};

/// A client as configured, with its rate limiter.
pub struct Client {
    id: String,
    any_client_id: bool,
    api_key_hashes: Vec<ApiKeyHash>,
    scopes: Scopes,
    namespace: Option<Namespace>,
    limiter: Option<Limiter>,
}

/// What counts a client's commands, together with the limit that it was made for.
#[derive(Clone)]
struct Limiter {
    commands_per_second: NonZeroU32,
    state: Arc<DefaultDirectRateLimiter>,
}

impl Limiter {
    fn new(commands_per_second: NonZeroU32) -> Self {
        let state = Arc::new(DefaultDirectRateLimiter::direct(Quota::per_second(commands_per_second)));
        Self { commands_per_second, state }
    }
}

impl Client {
    /// A client; where it was there before with the same rate limit, what it has sent goes on to count.
    pub fn new(client: &settings::ClientConfig, before: Option<&Self>) -> Self {
        let limiter = client.commands_per_second.map(|limit| {
            let before = before.and_then(|before| before.limiter.clone());
            before.filter(|before| before.commands_per_second == limit).unwrap_or_else(|| Limiter::new(limit))
        });
        Self {
            id: client.id.clone(),
            any_client_id: client.any_client_id,
            api_key_hashes: client.api_key_hashes.clone(),
            scopes: client.scopes,
            namespace: client.namespace.clone(),
            limiter,
        }
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn scopes(&self) -> Scopes {
        self.scopes
    }

    pub fn any_client_id(&self) -> bool {
        self.any_client_id
    }

    pub fn api_key_hashes(&self) -> &[ApiKeyHash] {
        &self.api_key_hashes
    }
}

/// Why a caller may not run a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    MissingScope(Scope),
    /// It may again after so long.
    RateLimited(Duration),
}

/// Whoever a valid token came with.
pub struct Caller {
    client: Arc<Client>,
    scopes: Scopes,
}

impl Caller {
    pub fn new(client: Arc<Client>, scopes: Scopes) -> Self {
        Self { client, scopes }
    }

    pub fn namespace(&self) -> Option<&Namespace> {
        self.client.namespace.as_ref()
    }

    /// Lets one command that needs `scope` pass, and counts it against the rate limit.
    pub fn permit(&self, scope: Scope) -> Result<(), Refusal> {
        if !self.scopes.allows(scope) {
            return Err(Refusal::MissingScope(scope));
        }
        let Some(limiter) = &self.client.limiter else { return Ok(()) };
        limiter.state.check().map_err(|until| Refusal::RateLimited(until.wait_time_from(DefaultClock::default().now())))
    }
}
