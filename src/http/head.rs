//! The rules for the head of a request that the HTTP library leaves to the service.

use super::{error_code::ErrorCode, problem::Problem};
use axum::{
    extract::Request,
    http::{
        HeaderMap, HeaderName, Version,
        header::{AUTHORIZATION, HOST, TRANSFER_ENCODING},
    },
};

/// Longest head of a request in bytes; a token with some headers is far shorter.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Maximum number of fields in the head of a request. hyper has the same limit for HTTP/1, and answers by itself.
const FIELDS_MAX: usize = 100;

/// Checks the head of a request.
///
/// A proxy in front of the service may read a contradictory head in another way than the service. Such a head is refused,
/// so that nobody can make use of the difference.
pub fn check(request: &Request) -> Result<(), Problem> {
    let headers = request.headers();
    if headers.len() > FIELDS_MAX {
        let message = format!("The head of a request may have at most {FIELDS_MAX} fields");
        return Err(Problem::new(ErrorCode::HeadTooLarge, message));
    }
    let hosts = count(headers, &HOST);
    if hosts == 0 && request.version() == Version::HTTP_11 {
        return Err(invalid("The header `Host` is missing, which HTTP/1.1 requires"));
    }
    if hosts > 1 {
        return Err(invalid("The header `Host` occurs more than once: send one"));
    }
    if count(headers, &AUTHORIZATION) > 1 {
        return Err(invalid(
            "The header `Authorization` occurs more than once: send one token or one pair of credentials",
        ));
    }
    if request.version() < Version::HTTP_2 && !is_plain_body(headers) {
        return Err(invalid("The header `Transfer-Encoding` may only be `chunked`: send the body without a coding"));
    }
    Ok(())
}

fn invalid(message: &'static str) -> Problem {
    Problem::new(ErrorCode::InvalidHeader, message)
}

/// Returns the number of fields with this name, at most 2.
fn count(headers: &HeaderMap, name: &HeaderName) -> usize {
    headers.get_all(name).iter().take(2).count()
}

/// Returns true if the body has no other transfer coding than `chunked`. hyper decodes no other, although `gzip, chunked` is
/// valid (RFC 9112 §6.1).
fn is_plain_body(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    }
}
