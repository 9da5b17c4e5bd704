//! Every request has an id, given by the caller or made here, that its answer and the log carry.

use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
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

/// Puts the id into the request's extensions and the answer's header.
pub async fn request_id(mut request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get(HEADER)
        .filter(|value| value.len() <= BYTES_MAX && value.to_str().is_ok_and(|text| !text.is_empty()));
    let id = given.map_or_else(RequestId::fresh, |value| RequestId(value.clone()));
    request.extensions_mut().insert(id.clone());
    let mut response = next.run(request).await;
    response.headers_mut().insert(HEADER, id.0);
    response
}
