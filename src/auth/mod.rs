//! Authentication and permission: login with an API key, tokens, scopes and rate limits.

mod client;
mod login;
mod rate_limit;
mod token;
mod token_cache;

pub use client::{Caller, Client, PermissionError};
pub use login::LoginError;
pub use token::{IssuedToken, TokenError};

use crate::{
    settings::AuthConfig,
    telemetry::metrics::{Lookup, Metrics},
    types::Scopes,
};
use std::sync::Arc;
use token::TokenIssuer;
use token_cache::{CachedToken, Fingerprint, TokenCache};

/// All clients, and the tokens that stand for them.
pub struct Auth {
    clients: Vec<Arc<Client>>,
    tokens: TokenIssuer,
    verified: TokenCache,
    metrics: Arc<Metrics>,
}

impl Auth {
    /// Creates the clients of the settings. Clients of `before` that still exist keep the count of their commands.
    pub fn new(config: &AuthConfig, before: Option<&Self>, metrics: Arc<Metrics>) -> Self {
        let clients = config.clients.iter().map(|client| {
            let before = before.and_then(|before| before.client(&client.id));
            Arc::new(Client::new(client, before.map(Arc::as_ref)))
        });
        Self { clients: clients.collect(), tokens: TokenIssuer::new(config), verified: TokenCache::default(), metrics }
    }

    /// Issues a token to the client that an API key belongs to. `client_id` must be that client's id, if it is given. The
    /// token has those of the wanted scopes that the client has; without a wish, all of them.
    pub fn log_in(
        &self,
        client_id: Option<&str>,
        api_key: &str,
        wanted: Option<Scopes>,
    ) -> Result<IssuedToken, LoginError> {
        let client = login::find(&self.clients, client_id, api_key)?;
        let scopes = wanted.map_or(client.scopes(), |wanted| wanted.and(client.scopes()));
        if scopes.is_empty() { Err(LoginError::NoScope) } else { Ok(self.tokens.issue(client.id(), scopes)) }
    }

    /// Verifies a token, and returns the caller that it stands for.
    pub fn verify(&self, token: impl AsRef<[u8]>) -> Result<Caller, TokenError> {
        self.verify_at(token.as_ref(), token::now_secs())
    }

    fn verify_at(&self, token: &[u8], now_secs: u64) -> Result<Caller, TokenError> {
        if token.len() > token::BYTES_MAX {
            return Err(TokenError::Invalid);
        }
        let fingerprint = Fingerprint::of(token);
        if let Some(CachedToken { client, scopes, .. }) = self.verified.get(&fingerprint, now_secs) {
            self.metrics.tokens.count(Lookup::Hit);
            return Ok(Caller::new(client, scopes));
        }
        self.metrics.tokens.count(Lookup::Miss);
        let token = str::from_utf8(token).map_err(|_| TokenError::Invalid)?;
        let claims = self.tokens.verify(token, now_secs)?;
        let client = self.client(&claims.subject).ok_or(TokenError::Invalid)?;
        // A scope that was taken from the client after its token was issued is lost at once.
        let scopes = claims.scopes.and(client.scopes());
        let client = Arc::new(Arc::clone(client));
        let cached = CachedToken { client: Arc::clone(&client), scopes, valid_secs: claims.valid_secs };
        self.verified.insert(fingerprint, cached);
        Ok(Caller::new(client, scopes))
    }

    /// Returns true if a client with this id is configured.
    pub fn has_client(&self, id: &str) -> bool {
        self.client(id).is_some()
    }

    /// Returns true if there is more than one client.
    pub fn has_several_clients(&self) -> bool {
        self.clients.len() > 1
    }

    fn client(&self, id: &str) -> Option<&Arc<Client>> {
        self.clients.iter().find(|client| client.id() == id)
    }
}

#[cfg(test)]
mod tests;
