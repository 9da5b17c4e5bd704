//! The header `cache-sync-token`: a caller that sends the token of one instance to another reads its own writes there.

use super::{
    error_code::ErrorCode,
    head_fields::{HeadFields, visible},
    problem::Problem,
};
use crate::{
    store::{Freshness, Store, SyncToken},
    types::PerWorker,
};
use axum::http::{HeaderName, HeaderValue};

/// The name of the header.
pub const NAME: HeaderName = HeaderName::from_static("cache-sync-token");

/// The token of one request and its response.
#[derive(Default)]
pub struct SyncTokenHeader {
    received: Option<(HeaderValue, SyncToken)>,
    changes: bool,
}

impl SyncTokenHeader {
    /// Parses the token of a request, if it has one.
    pub fn parse(&mut self, fields: &impl HeadFields) -> Result<(), Problem> {
        let Some(value) = fields.value(&NAME) else { return Ok(()) };
        let token = visible(value).and_then(|text| text.parse().ok()).ok_or_else(|| {
            Problem::new(
                ErrorCode::InvalidSyncToken,
                "The header `cache-sync-token` does not hold a token of this service: send a token unchanged, or send none",
            )
        })?;
        self.received = HeaderValue::from_bytes(value).ok().map(|value| (value, token));
        Ok(())
    }

    /// Returns the freshness that the reads of the request need.
    pub fn freshness(&self, store: &Store) -> Freshness {
        self.received.as_ref().map_or(Freshness::ReadYourWrites, |(_, token)| store.freshness(token))
    }

    /// Records that the request may change what is stored.
    pub fn mark_changes(&mut self) {
        self.changes = true;
    }

    /// Returns the token of the response: one that covers the changes, else the one that was received.
    pub fn response_value(&self, store: &Store, empty: &EmptySyncToken) -> HeaderValue {
        if self.changes {
            return header_value(&store.sync_token());
        }
        self.received.as_ref().map_or_else(|| empty.header_value(), |(value, _)| value.clone())
    }
}

/// The token of callers that have changed nothing.
pub struct EmptySyncToken {
    token: SyncToken,
    /// The token as the value of a header, which counts its clones.
    header_values: PerWorker<HeaderValue>,
}

impl EmptySyncToken {
    /// Creates the token of a store.
    pub fn new(store: &Store) -> Self {
        Self { token: store.empty_sync_token(), header_values: PerWorker::new() }
    }

    /// Returns the token as the value of a header.
    pub fn header_value(&self) -> HeaderValue {
        self.header_values.own(|| header_value(&self.token)).clone()
    }
}

/// Returns a token as the value of a header.
fn header_value(token: &SyncToken) -> HeaderValue {
    HeaderValue::try_from(token.to_string()).unwrap_or(HeaderValue::from_static(""))
}
