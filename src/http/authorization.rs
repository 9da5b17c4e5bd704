//! The header `Authorization`: bearer token (RFC 6750 §2.1) → [`Caller`].

use super::problem::Problem;
use crate::auth::{Auth, Caller};
use axum::http::{HeaderMap, header::AUTHORIZATION};

/// Returns the caller whose token the request carries.
pub fn caller(auth: &Auth, headers: &HeaderMap) -> Result<Caller, Problem> {
    let token = credentials(headers, "Bearer").ok_or_else(Problem::no_token)?;
    Ok(auth.verify(token)?)
}

/// Returns the credentials in `Authorization`, if they are of this scheme.
pub fn credentials<'h>(headers: &'h HeaderMap, scheme: &str) -> Option<&'h str> {
    let (given, credentials) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    given.eq_ignore_ascii_case(scheme).then(|| credentials.trim())
}
