//! A client, and a caller that has shown a token of its client.

use super::rate_limit::RateLimiter;
use crate::{
    settings::{ApiKeyHash, ClientConfig},
    types::{ClientNumber, KeyOwner, Namespace, ReplyBytes, Scope, Scopes},
};
use std::{
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

/// A client, with a count of its handles that only one worker writes. The worker allocates it for a token that it
/// caches.
pub type WorkerClient = Arc<Arc<Client>>;

/// A configured client with its rate limiter.
pub struct Client {
    id: String,
    any_client_id: bool,
    api_key_hashes: Vec<ApiKeyHash>,
    scopes: Scopes,
    namespace: Option<Namespace>,
    limiter: Option<RateLimiter>,
    /// Bytes of the client's request bodies that are large or have not arrived as a whole.
    body_bytes: Arc<AtomicUsize>,
    /// The number of the client in this process.
    number: ClientNumber,
    /// The bytes of the replies to the client.
    reply_bytes: Arc<ReplyBytes>,
}

impl Client {
    /// Creates a client. It takes over the counts of the bodies and replies of `before`, and its rate limiter if that has
    /// the same limit.
    pub fn new(config: &ClientConfig, before: Option<&Self>) -> Self {
        let limiter_before = before.and_then(|before| before.limiter.as_ref());
        let limiter = config.commands_per_second.map(|limit| RateLimiter::new(limit, limiter_before));
        Self {
            id: config.id.clone(),
            any_client_id: config.any_client_id,
            api_key_hashes: config.api_key_hashes.clone(),
            scopes: config.scopes,
            namespace: config.namespace.clone(),
            limiter,
            body_bytes: before.map(|before| Arc::clone(&before.body_bytes)).unwrap_or_default(),
            number: before.map_or_else(ClientNumber::next, |before| before.number),
            reply_bytes: before.map(|before| Arc::clone(&before.reply_bytes)).unwrap_or_default(),
        }
    }

    /// Returns the id, which is the subject of the client's tokens.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the scopes that are configured for the client.
    pub fn scopes(&self) -> Scopes {
        self.scopes
    }

    /// Returns true if a login with the client's key may send any `client_id`.
    pub fn any_client_id(&self) -> bool {
        self.any_client_id
    }

    /// Returns the hashes of the client's API keys.
    pub fn api_key_hashes(&self) -> &[ApiKeyHash] {
        &self.api_key_hashes
    }
}

/// The reason why a caller may not run a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PermissionError {
    /// The token lacks the scope of the command.
    #[error("the token lacks the scope {}", .0.name())]
    MissingScope(Scope),
    /// The client has reached its rate limit. The next command is permitted after this time.
    #[error("the client has reached its rate limit; the next command is permitted in {} ms", .0.as_millis())]
    RateLimited(Duration),
}

/// The sender of a request with a valid token.
pub struct Caller {
    client: WorkerClient,
    scopes: Scopes,
}

impl Caller {
    /// Creates a caller of a client, with the scopes of its token.
    pub fn new(client: WorkerClient, scopes: Scopes) -> Self {
        Self { client, scopes }
    }

    /// Returns the id of the caller's client.
    pub fn client_id(&self) -> &str {
        &self.client.id
    }

    /// Returns the namespace of the caller's keys.
    pub fn namespace(&self) -> Option<&Namespace> {
        self.client.namespace.as_ref()
    }

    /// Returns the counter of the bytes of the client's request bodies that are large or have not arrived as a whole.
    pub fn body_bytes(&self) -> &AtomicUsize {
        &self.client.body_bytes
    }

    /// Returns the owner of the caller's keys.
    pub fn key_owner(&self) -> KeyOwner<'_> {
        KeyOwner { namespace: self.namespace(), client: self.client.number }
    }

    /// Returns the bytes of the replies to the caller's client.
    pub fn reply_bytes(&self) -> &Arc<ReplyBytes> {
        &self.client.reply_bytes
    }

    /// Permits one command that needs these scopes, and counts it against the rate limit, also if one is missing.
    pub fn permit(&self, scopes: &[Scope]) -> Result<(), PermissionError> {
        self.count_command()?;
        let missing = scopes.iter().find(|scope| !self.scopes.allows(**scope));
        missing.map_or(Ok(()), |scope| Err(PermissionError::MissingScope(*scope)))
    }

    /// Counts one command against the rate limit: one that is not even well-formed costs as much as any other.
    pub fn count_command(&self) -> Result<(), PermissionError> {
        match &self.client.limiter {
            Some(limiter) => limiter.count_command().map_err(PermissionError::RateLimited),
            None => Ok(()),
        }
    }
}
