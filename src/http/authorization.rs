//! The header `Authorization`: bearer token (RFC 6750 §2.1) → [`Caller`].

use super::{head_fields::HeadFields, problem::Problem};
use crate::auth::{Auth, Caller};
use axum::http::header::AUTHORIZATION;

/// Returns the caller whose token the request carries.
pub fn caller(auth: &Auth, fields: &impl HeadFields) -> Result<Caller, Problem> {
    let token = credentials(fields, "Bearer").ok_or_else(Problem::no_token)?;
    Ok(auth.verify(token)?)
}

/// Returns the credentials in `Authorization`, if they are of this scheme.
pub fn credentials<'h>(fields: &'h impl HeadFields, scheme: &str) -> Option<&'h str> {
    let (given, credentials) = fields.text(&AUTHORIZATION)?.split_once(' ')?;
    given.eq_ignore_ascii_case(scheme).then(|| credentials.trim())
}
