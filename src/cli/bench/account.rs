//! The identity of the load test: an API key for logging in, or a given token.

use super::{error::BenchError, target::ServiceUrl};
use crate::{cli::failure::Failure, settings::without_mark};
use arc_swap::ArcSwap;
use bytes::Bytes;
use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use std::{env, fs, path::PathBuf, sync::Arc, time::Duration};
use tokio::time::sleep;

const KEY_VARIABLE: &str = "CACHEFRONT_API_KEY";
const TOKEN_VARIABLE: &str = "CACHEFRONT_TOKEN";
/// Wait before a failed login is repeated.
const RETRY_DELAY: Duration = Duration::from_secs(5);

/// The arguments that choose the identity.
#[derive(Args)]
pub struct AccountArgs {
    /// Log in with the API key in this file; without it, with the environment variable `CACHEFRONT_API_KEY`
    #[arg(long, value_name = "FILE", conflicts_with = "token_file")]
    api_key_file: Option<PathBuf>,
    /// Send this client name in the login; the service does not need it
    #[arg(long, value_name = "NAME")]
    client_id: Option<String>,
    /// Use the token in this file instead of logging in; without it, the environment variable `CACHEFRONT_TOKEN`
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// The current token and the means to renew it.
pub struct Account {
    token: ArcSwap<String>,
    login: Option<LoginRequest>,
}

struct LoginRequest {
    api_key: SecretString,
    client_id: Option<String>,
}

#[derive(Deserialize)]
struct LoginResponse {
    access_token: String,
    expires_in: u64,
}

impl AccountArgs {
    /// Logs in, or takes the given token. Also returns the validity of a token that must be renewed.
    pub async fn open(&self, target: &ServiceUrl) -> Result<(Arc<Account>, Option<Duration>), Failure> {
        let (login, token) = match (&self.api_key_file, &self.token_file) {
            (Some(path), _) => (Some(read("--api-key-file", path)?), None),
            (_, Some(path)) => (None, Some(read("--token-file", path)?)),
            _ => (variable(KEY_VARIABLE), variable(TOKEN_VARIABLE)),
        };
        if let Some(api_key) = login {
            let login = LoginRequest { api_key: api_key.into(), client_id: self.client_id.clone() };
            let granted = login.run(target).await.map_err(Failure::caused)?;
            let account = Account { token: ArcSwap::from_pointee(granted.access_token), login: Some(login) };
            return Ok((Arc::new(account), Some(Duration::from_secs(granted.expires_in))));
        }
        let token = token.ok_or_else(|| {
            Failure::usage(format!(
                "the load test needs an API key (--api-key-file, {KEY_VARIABLE}) or a token (--token-file, {TOKEN_VARIABLE})"
            ))
        })?;
        Ok((Arc::new(Account { token: ArcSwap::from_pointee(token), login: None }), None))
    }
}

impl Account {
    /// Returns the current token.
    pub fn token(&self) -> Arc<String> {
        self.token.load_full()
    }

    /// Renews the token before it expires, for ever.
    pub async fn renew(&self, target: &ServiceUrl, life: Option<Duration>) {
        let (Some(login), Some(life)) = (&self.login, life) else { return std::future::pending().await };
        let mut wait = life.mul_f64(0.8);
        loop {
            sleep(wait.max(Duration::from_secs(1))).await;
            wait = match login.run(target).await {
                Ok(granted) => {
                    self.token.store(Arc::new(granted.access_token));
                    Duration::from_secs(granted.expires_in).mul_f64(0.8)
                }
                // If logins keep failing, the requests fail, too, and are counted.
                Err(_) => RETRY_DELAY,
            };
        }
    }
}

impl LoginRequest {
    /// Sends the login.
    async fn run(&self, target: &ServiceUrl) -> Result<LoginResponse, BenchError> {
        let body = json!({ "api_key": self.api_key.expose_secret(), "client_id": self.client_id });
        let request = target.request("/login", None, Bytes::from(body.to_string()))?;
        let mut connection = target.connect().await?;
        let answer = connection.send(request).await?;
        if answer.status != 200 {
            return Err(BenchError::LoginRefused(answer.code()));
        }
        serde_json::from_slice(&answer.body).map_err(|_| BenchError::NoToken)
    }
}

/// Reads a secret from a file, without the end of its line.
fn read(argument: &str, path: &PathBuf) -> Result<String, Failure> {
    // The message does not have the path, which may be the secret itself.
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("{argument} names no file that can be read: {error}")))?;
    let text = without_mark(&text).trim();
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Err(Failure::usage(format!(
            "{}: the file must have one key or token and nothing else",
            path.display()
        )));
    }
    Ok(text.to_owned())
}

/// Reads a secret from an environment variable.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}
