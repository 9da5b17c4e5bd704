//! The id of a request, given by the caller or generated here. The response and the log carry it.

use super::head_fields::{HeadFields, visible};
use crate::types::{OwnLines, PerWorker, worker};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The name of the header.
pub const NAME: HeaderName = HeaderName::from_static("x-request-id");
/// Maximum size of an id in bytes. Longer ids are replaced, because ids are logged.
const BYTES_MAX: usize = 128;

/// The id of one request.
#[derive(Clone)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// Returns the id that the caller sent, or a new one.
    pub fn of(fields: &impl HeadFields) -> Self {
        fields
            .value(&NAME)
            .filter(|value| value.len() <= BYTES_MAX && visible(value).is_some_and(|text| !text.is_empty()))
            .and_then(|value| HeaderValue::from_bytes(value).ok())
            .map_or_else(Self::generate, Self)
    }

    /// Writes the id into the headers of the response.
    pub fn write(self, headers: &mut HeaderMap) {
        headers.insert(NAME, self.0);
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// Returns the next number of a sequence that starts at random, so that ids of several workers and instances differ.
    fn generate() -> Self {
        static NEXT: PerWorker<OwnLines<AtomicU64>> = PerWorker::new();
        let next = NEXT.own(|| {
            let mut bytes = [0; 8];
            // Without random bytes the ids are unique only within this process.
            let _filled = aws_lc_rs::rand::fill(&mut bytes);
            let start = u64::from_le_bytes(bytes).wrapping_add((worker::slot() as u64) << 56);
            OwnLines::new(AtomicU64::new(start).into())
        });
        let digits = hex_digits(next.fetch_add(1, Relaxed));
        Self(HeaderValue::from_bytes(&digits).unwrap_or(HeaderValue::from_static("none")))
    }
}

/// Returns the hexadecimal digits of a number.
fn hex_digits(number: u64) -> [u8; 16] {
    let bytes = number.to_be_bytes();
    std::array::from_fn(|position| {
        let byte = bytes[position / 2];
        b"0123456789abcdef"[usize::from(if position % 2 == 0 { byte >> 4 } else { byte & 0xF })]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_id_has_all_digits_of_its_number() {
        for number in [0, 0x0123_4567_89AB_CDEF, u64::MAX] {
            assert_eq!(hex_digits(number), *format!("{number:016x}").as_bytes());
        }
    }
}
