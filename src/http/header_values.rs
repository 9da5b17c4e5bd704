//! Values of headers that every response has.

use axum::http::HeaderValue;

/// The value of `Cache-Control`: values, tokens, errors and states are for one caller at one time, and pages change with the
/// version.
pub const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// The value of `X-Content-Type-Options`: no type is guessed from a body.
pub const NO_SNIFFING: HeaderValue = HeaderValue::from_static("nosniff");
