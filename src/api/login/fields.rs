//! The fields of a login, in JSON or in a form.

use crate::{
    api::near_miss::PlainName,
    http::{ErrorCode, Problem},
};

/// The names of the fields of a login.
pub const KNOWN: [&str; 5] = ["api_key", "client_id", "client_secret", "scope", "grant_type"];

/// Other words for the API key, in the plain form of names.
const WORDS_FOR_KEY: [&str; 9] =
    ["key", "secret", "password", "token", "apitoken", "apisecret", "accesskey", "sharedsecret", "secretkey"];

/// The fields of a body.
#[derive(Default)]
pub struct LoginFields {
    /// The id of the client.
    pub client_id: Option<String>,
    /// The API key, as `api_key` or as `client_secret`.
    pub api_key: Option<String>,
    /// The scopes that are asked for, separated by spaces.
    pub scope: Option<String>,
    /// A field that is not known, and that is probably meant to be the API key.
    pub misnamed_key: Option<String>,
}

/// The credentials of a login.
pub struct Credentials {
    /// The id of the client.
    pub client_id: Option<String>,
    /// The API key.
    pub api_key: String,
}

/// Returns the API key, which has two names.
pub fn only_key(api_key: Option<String>, client_secret: Option<String>) -> Result<Option<String>, Problem> {
    if let (Some(one), Some(other)) = (&api_key, &client_secret)
        && one != other
    {
        return Err(Problem::field("`api_key` and `client_secret` differ: send one of them"));
    }
    Ok(api_key.or(client_secret))
}

/// Refuses another grant than that of client credentials, which is meant where the type is absent or empty.
pub fn refuse_other_grant(grant_type: Option<&str>) -> Result<(), Problem> {
    match grant_type {
        None | Some("" | "client_credentials") => Ok(()),
        Some(_) => Err(Problem::new(ErrorCode::UnsupportedGrantType, "`grant_type` must be client_credentials")),
    }
}

/// Returns true if a field is probably meant to be the API key.
pub fn is_misnamed_key(name: &str) -> bool {
    PlainName::of(name).is_some_and(|plain| {
        WORDS_FOR_KEY.contains(&plain.as_str()) || plain.close_to(&["api_key", "client_secret"]).is_some()
    })
}
