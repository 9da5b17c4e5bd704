//! The login: an API key becomes a token.

use super::{
    connection::{ANSWER_TIMEOUT, Connection},
    error::RemoteError,
    url::ServiceUrl,
};
use crate::{cli::failure::Failure, settings::without_mark};
use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use std::{fs, path::Path};

/// The environment variable with the API key.
pub const KEY_VARIABLE: &str = "CACHEFRONT_API_KEY";

/// The body of a login.
pub struct LoginRequest {
    /// The API key.
    pub api_key: SecretString,
    /// The name of the client, which the service does not need.
    pub client_id: Option<String>,
}

/// The part of the answer to a login that is needed.
#[derive(Deserialize)]
pub struct LoginResponse {
    /// The token.
    pub access_token: String,
    /// Validity of the token in seconds.
    pub expires_in: u64,
}

impl LoginRequest {
    /// Sends the login over this connection.
    pub async fn run(&self, target: &ServiceUrl, connection: &mut Connection) -> Result<LoginResponse, RemoteError> {
        let body = json!({ "api_key": self.api_key.expose_secret(), "client_id": self.client_id });
        let request = target.request("/login", None, Bytes::from(body.to_string()))?;
        let answer = connection.send(request, ANSWER_TIMEOUT).await?;
        if answer.status != 200 {
            return Err(RemoteError::LoginRefused(answer.problem()));
        }
        serde_json::from_slice(&answer.body).map_err(|_| RemoteError::NoToken)
    }
}

/// Reads a secret from a file, without the end of its line; `origin` is the argument or variable that names the file.
pub fn read_secret(origin: &str, path: &Path) -> Result<String, Failure> {
    // The message does not have the path, which may be the secret itself.
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("{origin} names no file that can be read: {error}")))?;
    let text = without_mark(&text).trim();
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Err(Failure::usage(format!(
            "{}: the file must have one key or token and nothing else",
            path.display()
        )));
    }
    Ok(text.to_owned())
}
