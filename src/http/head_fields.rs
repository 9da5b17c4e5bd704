//! The fields in the head of a request, whoever parsed it.

use axum::http::{HeaderMap, HeaderName};

/// The fields in the head of a request. Their names are compared without regard to case.
pub trait HeadFields {
    /// Returns the values of all fields with this name, in their order.
    fn values<'h>(&'h self, name: &HeaderName) -> impl Iterator<Item = &'h [u8]>;

    /// Returns the value of the first field with this name.
    fn value<'h>(&'h self, name: &HeaderName) -> Option<&'h [u8]> {
        self.values(name).next()
    }

    /// Returns the value of the first field with this name, if it is visible ASCII.
    fn text<'h>(&'h self, name: &HeaderName) -> Option<&'h str> {
        visible(self.value(name)?)
    }
}

impl HeadFields for HeaderMap {
    fn values<'h>(&'h self, name: &HeaderName) -> impl Iterator<Item = &'h [u8]> {
        self.get_all(name).iter().map(axum::http::HeaderValue::as_bytes)
    }

    fn value<'h>(&'h self, name: &HeaderName) -> Option<&'h [u8]> {
        self.get(name).map(axum::http::HeaderValue::as_bytes)
    }
}

/// Returns bytes as text, if all of them are visible ASCII, spaces or tabs.
pub fn visible(bytes: &[u8]) -> Option<&str> {
    // Without an early end, so that many bytes are compared at once: a token has hundreds.
    let is_visible = bytes.iter().fold(true, |visible, byte| visible & matches!(byte, b'\t' | b' '..=b'~'));
    if is_visible { str::from_utf8(bytes).ok() } else { None }
}
