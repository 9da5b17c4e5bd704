//! Every request has an id, given by the caller or made here, that its answer and the log carry.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use std::sync::{
    LazyLock,
    atomic::{AtomicU64, Ordering::Relaxed},
};

const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// Longer ids than this are replaced: they end up in logs.
const BYTES_MAX: usize = 128;

#[derive(Clone)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The id that the caller gave, or a fresh one.
    pub fn of(headers: &HeaderMap) -> Self {
        let given = headers
            .get(HEADER)
            .filter(|value| value.len() <= BYTES_MAX && value.to_str().is_ok_and(|text| !text.is_empty()));
        given.map_or_else(Self::fresh, |value| Self(value.clone()))
    }

    /// Puts it into the answer's headers.
    pub fn write(self, headers: &mut HeaderMap) {
        headers.insert(HEADER, self.0);
    }

    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// A number that starts at random, so that ids of several instances differ.
    fn fresh() -> Self {
        static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| {
            let mut bytes = [0; 8];
            // Without random bytes ids are unique within this process only.
            let _filled = aws_lc_rs::rand::fill(&mut bytes);
            AtomicU64::new(u64::from_le_bytes(bytes))
        });
        let text = format!("{:016x}", NEXT.fetch_add(1, Relaxed));
        Self(HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("none")))
    }
}
