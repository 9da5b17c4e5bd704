//! Who may do what: login with an API key, tokens, permissions, rate limits.

mod client;
mod login;
mod token;
mod verified;

pub use client::{Caller, Client, Refusal};
pub use login::LoginError;
pub use token::{IssuedToken, TokenError};

use crate::{
    settings,
    telemetry::metrics::{Lookup, Metrics},
};
use std::sync::Arc;
use token::Tokens;
use verified::{Fingerprint, KnownToken, VerifiedTokens};

/// All clients, and the tokens that name them.
pub struct Auth {
    clients: Vec<Arc<Client>>,
    tokens: Tokens,
    verified: VerifiedTokens,
    metrics: Arc<Metrics>,
}

impl Auth {
    /// What the settings say; the clients of `before` that are still there keep count of what they sent.
    pub fn new(settings: &settings::AuthConfig, before: Option<&Self>, metrics: Arc<Metrics>) -> Self {
        let known = |id: &str| before?.clients.iter().find(|client| client.id() == id).map(Arc::as_ref);
        let client = |client: &settings::ClientConfig| Arc::new(Client::new(client, known(&client.id)));
        Self {
            clients: settings.clients.iter().map(client).collect(),
            tokens: Tokens::new(&settings.jwt_secret, settings.token_life),
            verified: VerifiedTokens::default(),
            metrics,
        }
    }

    /// A token for whoever knows one of the API keys. A `client_id` that is sent must be that of the key's client.
    pub fn log_in(&self, client_id: Option<&str>, api_key: &str) -> Result<IssuedToken, LoginError> {
        let client = login::find(&self.clients, client_id, api_key)?;
        Ok(self.tokens.issue(client))
    }

    /// The caller that a token stands for.
    pub fn verify(&self, token: &str) -> Result<Caller, TokenError> {
        self.verify_at(token, token::now_secs())
    }

    fn verify_at(&self, token: &str, now_secs: u64) -> Result<Caller, TokenError> {
        if token.len() > token::BYTES_MAX {
            return Err(TokenError::Invalid);
        }
        let fingerprint = Fingerprint::of(token);
        if let Some(KnownToken { client, scopes, .. }) = self.verified.find(&fingerprint, now_secs) {
            self.metrics.tokens.count(Lookup::Hit);
            return Ok(Caller::new(client, scopes));
        }
        self.metrics.tokens.count(Lookup::Miss);
        let claims = self.tokens.verify(token)?;
        let client = self.clients.iter().find(|client| client.id() == claims.subject).ok_or(TokenError::Invalid)?;
        // What was taken from a client since its token was issued counts at once.
        let scopes = claims.scopes.and(client.scopes());
        let known = KnownToken { client: Arc::clone(client), scopes, times: claims.times };
        self.verified.insert(fingerprint, known);
        Ok(Caller::new(Arc::clone(client), scopes))
    }
}

#[cfg(test)]
mod tests;
