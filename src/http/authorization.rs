//! The header `Authorization`: bearer token (RFC 6750 §2.1) → [`Caller`].

use super::{
    head_fields::{HeadFields, visible},
    problem::Problem,
};
use crate::auth::{Auth, Caller};
use axum::http::header::AUTHORIZATION;

/// Returns the caller whose token the request carries.
pub fn caller(auth: &Auth, fields: &impl HeadFields) -> Result<Caller, Problem> {
    let token = credential_bytes(fields, "Bearer").ok_or_else(Problem::no_token)?;
    // A token that is known is not read as a text.
    auth.verify(token).map_err(|error| if visible(token).is_some() { error.into() } else { Problem::no_token() })
}

/// Returns the credentials in `Authorization`, if they are of this scheme.
pub fn credentials<'h>(fields: &'h impl HeadFields, scheme: &str) -> Option<&'h str> {
    visible(credential_bytes(fields, scheme)?)
}

fn credential_bytes<'h>(fields: &'h impl HeadFields, scheme: &str) -> Option<&'h [u8]> {
    let (given, credentials) = fields.value(&AUTHORIZATION)?.split_at_checked(scheme.len())?;
    let is_of_scheme = given.eq_ignore_ascii_case(scheme.as_bytes());
    credentials.strip_prefix(b" ").filter(|_| is_of_scheme).map(<[u8]>::trim_ascii)
}
