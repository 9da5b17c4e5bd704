//! The header `request-timeout-ms`: a caller that waits for less time than the service would take says so.

use super::{
    error_code::ErrorCode,
    head_fields::{HeadFields, visible},
    problem::Problem,
};
use axum::http::HeaderName;
use std::time::Duration;

const HEADER: HeaderName = HeaderName::from_static("request-timeout-ms");

/// Returns the time that a request may take: that of its header, and no more than `longest`.
pub fn request_timeout(fields: &impl HeadFields, longest: Duration) -> Result<Duration, Problem> {
    let Some(value) = fields.value(&HEADER) else { return Ok(longest) };
    let text = visible(value).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty());
    // More milliseconds than a number has room for are longer than any deadline.
    let ms = text.map(|text| text.parse().unwrap_or(u64::MAX)).filter(|ms| *ms > 0).ok_or_else(|| {
        Problem::new(
            ErrorCode::InvalidRequestTimeout,
            "The header `request-timeout-ms` must be a whole number of milliseconds, at least 1",
        )
    })?;
    Ok(longest.min(Duration::from_millis(ms)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderMap;

    fn timeout_of(header: &str) -> Option<u128> {
        let headers = HeaderMap::from_iter([(HEADER, header.parse().expect("a value"))]);
        request_timeout(&headers, Duration::from_secs(1)).ok().map(|timeout| timeout.as_millis())
    }

    #[test]
    fn the_header_only_shortens_the_deadline() {
        for (header, ms) in
            [("1", 1), ("0250", 250), ("1000", 1000), ("60000", 1000), ("99999999999999999999999", 1000)]
        {
            assert_eq!(timeout_of(header), Some(ms), "{header}");
        }
        assert_eq!(request_timeout(&HeaderMap::new(), Duration::MAX).expect("no header"), Duration::MAX);
    }

    #[test]
    fn anything_but_a_positive_whole_number_is_refused() {
        for header in ["", "0", "000", "-1", "+5", "1.5", "1e3", "5ms", "0x10", "1 2", "1,2"] {
            assert_eq!(timeout_of(header), None, "{header}");
        }
    }
}
