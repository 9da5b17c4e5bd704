//! The request of a login: its credentials, and the scopes that it asks for.

use super::{
    basic::BasicCredentials,
    fields::{Credentials, LoginFields},
    form, json,
};
use crate::{
    http::{
        Problem,
        body::{self, MediaType},
    },
    types::Scopes,
};

/// A login that has a key.
pub struct ParsedLogin {
    /// The credentials that the request may mean.
    pub candidates: Vec<Credentials>,
    /// The known ones of the scopes that are asked for; `None` for all that the client has.
    pub scopes: Option<Scopes>,
}

impl ParsedLogin {
    /// Parses a login with these credentials of HTTP Basic.
    pub fn parse(basic: Option<&str>, media_type: MediaType, body: &[u8]) -> Result<Self, Problem> {
        let fields = match media_type {
            MediaType::Json => json::parse(body)?,
            MediaType::Form => form::parse(body)?,
            MediaType::Other if basic.is_some() && body.is_empty() => LoginFields::default(),
            MediaType::Other | MediaType::Encoded => return Err(body::unsupported(media_type)),
        };
        let scopes = fields.scope.as_deref().filter(|scope| !scope.trim_ascii().is_empty()).map(Scopes::known_in);
        let candidates = match basic {
            Some(basic) => BasicCredentials::parse(basic)?.candidates(fields)?,
            None => {
                vec![only_candidate(fields, if media_type == MediaType::Form { "client_secret" } else { "api_key" })?]
            }
        };
        Ok(Self { candidates, scopes })
    }
}

/// Returns the credentials in a body, in which the key should be the field `key_name`.
fn only_candidate(fields: LoginFields, key_name: &str) -> Result<Credentials, Problem> {
    let LoginFields { client_id, api_key, misnamed_key, .. } = fields;
    match (api_key, misnamed_key) {
        (Some(api_key), _) if api_key.is_empty() => Err(Problem::no_api_key(format!("`{key_name}` is empty"))),
        (Some(api_key), _) => Ok(Credentials { client_id, api_key }),
        (None, Some(name)) => {
            Err(Problem::no_api_key(format!("`{key_name}` is missing; did you mean it by `{name}`?")))
        }
        (None, None) => Err(Problem::no_api_key(format!("`{key_name}` is missing"))),
    }
}
