//! Who the load test is for the service: an API key that tokens are got with, or a token that is there.

use super::target::{HttpAnswer, ServiceUrl};
use crate::cli::Failure;
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
/// Wait before a login that failed is tried again.
const AGAIN: Duration = Duration::from_secs(5);

#[derive(Args)]
pub struct AccountArgs {
    /// File with the API key to log in with; without it, the environment variable `CACHEFRONT_API_KEY`
    #[arg(long, value_name = "FILE", conflicts_with = "token_file")]
    api_key_file: Option<PathBuf>,
    /// Name of the client whose key it is; the service does not need it
    #[arg(long, value_name = "NAME")]
    client_id: Option<String>,
    /// File with a token, instead of logging in; without it, the environment variable `CACHEFRONT_TOKEN`
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// The token of the moment.
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
    /// Logs in, or takes the token that is there. Returns how long the token lives, where it is to be renewed.
    pub async fn open(&self, target: &ServiceUrl) -> Result<(Arc<Account>, Option<Duration>), Failure> {
        let (login, token) = match (&self.api_key_file, &self.token_file) {
            (Some(path), _) => (Some(read(path)?), None),
            (_, Some(path)) => (None, Some(read(path)?)),
            _ => (variable(KEY_VARIABLE), variable(TOKEN_VARIABLE)),
        };
        if let Some(api_key) = login {
            let login = LoginRequest { api_key: api_key.into(), client_id: self.client_id.clone() };
            let granted = login.run(target).await.map_err(Failure::general)?;
            let account = Account { token: ArcSwap::from_pointee(granted.access_token), login: Some(login) };
            return Ok((Arc::new(account), Some(Duration::from_secs(granted.expires_in))));
        }
        let token = token.ok_or_else(|| {
            Failure::usage(format!(
                "it needs an API key (--api-key-file, {KEY_VARIABLE}) or a token (--token-file, {TOKEN_VARIABLE})"
            ))
        })?;
        Ok((Arc::new(Account { token: ArcSwap::from_pointee(token), login: None }), None))
    }
}

impl Account {
    pub fn token(&self) -> Arc<String> {
        self.token.load_full()
    }

    /// Gets new tokens before the old ones expire, for ever.
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
                // If it goes on failing, requests will say so.
                Err(_) => AGAIN,
            };
        }
    }
}

impl LoginRequest {
    async fn run(&self, target: &ServiceUrl) -> Result<LoginResponse, String> {
        let body = json!({ "api_key": self.api_key.expose_secret(), "client_id": self.client_id });
        let request = target.request("/login", None, Bytes::from(body.to_string()))?;
        let mut connection = target.connect().await.map_err(|error| format!("cannot connect: {error}"))?;
        let answer = connection.ask(request).await.map_err(|error| format!("/login: {error}"))?;
        let refused = |answer: &HttpAnswer| format!("/login answered {}", answer.code());
        if answer.status != 200 {
            return Err(refused(&answer));
        }
        serde_json::from_slice(&answer.body)
            .map_err(|_| "/login answered without a token: is this Cachefront?".to_owned())
    }
}

/// A secret in a file, without the end of its line.
fn read(path: &PathBuf) -> Result<String, Failure> {
    let text = fs::read_to_string(path).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
    let text = text.trim();
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Err(Failure::usage(format!("{}: it has to hold a key or token and nothing else", path.display())));
    }
    Ok(text.to_owned())
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}
