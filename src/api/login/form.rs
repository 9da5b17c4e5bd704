//! The form of OAuth2's client credentials grant (RFC 6749 §4.4.2).

use super::fields::{LoginFields, is_misnamed_key, only_key, refuse_other_grant};
use crate::http::{
    ErrorCode, Problem,
    body::{self, MediaType},
};
use serde::Deserialize;

/// The fields of the form. `api_key` is accepted in place of `client_secret`. Unknown ones are ignored, as RFC 6749 wants.
#[derive(Deserialize)]
struct LoginForm {
    grant_type: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    api_key: Option<String>,
    scope: Option<String>,
}

/// Parses a form.
pub fn parse(bytes: &[u8]) -> Result<LoginFields, Problem> {
    // `curl -d '{…}'` sends JSON as a form unless it is told the media type.
    if bytes.trim_ascii_start().starts_with(b"{") {
        return Err(body::unsupported(MediaType::Form));
    }
    let form: LoginForm = serde_urlencoded::from_bytes(bytes)
        .map_err(|error| Problem::new(ErrorCode::InvalidForm, format!("The form is not valid: {error}")))?;
    refuse_other_grant(form.grant_type.as_deref())?;
    let api_key = only_key(form.api_key, form.client_secret)?;
    let misnamed_key = if api_key.is_none() { misnamed_key(bytes) } else { None };
    Ok(LoginFields { client_id: form.client_id, api_key, scope: form.scope, misnamed_key })
}

fn misnamed_key(bytes: &[u8]) -> Option<String> {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(bytes).ok()?;
    pairs.into_iter().map(|(name, _)| name).find(|name| is_misnamed_key(name))
}
