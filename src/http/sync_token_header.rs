//! The header `cache-sync-token`: what a caller had acknowledged by one instance, it reads from any.

use super::problem::Problem;
use crate::store::{Freshness, Store, SyncToken};
use axum::http::{HeaderMap, HeaderName, HeaderValue};

const HEADER: HeaderName = HeaderName::from_static("cache-sync-token");

/// The token of one request and its answer.
#[derive(Default)]
pub struct SyncTokenHeader {
    given: Option<HeaderValue>,
    changes: bool,
}

impl SyncTokenHeader {
    /// How fresh the request's reads have to be.
    pub fn read(&mut self, headers: &HeaderMap, store: &Store) -> Result<Freshness, Problem> {
        let Some(given) = headers.get(HEADER) else { return Ok(Freshness::ReadYourWrites) };
        let token = given.to_str().ok().and_then(|text| text.parse::<SyncToken>().ok()).ok_or_else(|| {
            Problem::bad_request(
                "invalid_sync_token",
                "The header `cache-sync-token` is not one that this service gave: send it as it came, or not at all",
            )
        })?;
        self.given = Some(given.clone());
        Ok(store.freshness(&token))
    }

    /// Notes that the request may change what is stored.
    pub fn changes(&mut self) {
        self.changes = true;
    }

    /// Puts the token into the answer's headers: one that covers the changes, else the one that was given.
    pub fn write(self, headers: &mut HeaderMap, store: &Store, empty: &HeaderValue) {
        let token = if self.changes { value(&store.sync_token()) } else { self.given.unwrap_or_else(|| empty.clone()) };
        headers.insert(HEADER, token);
    }
}

/// A token as a header's value.
pub fn value(token: &SyncToken) -> HeaderValue {
    HeaderValue::try_from(token.to_string()).unwrap_or(HeaderValue::from_static(""))
}
