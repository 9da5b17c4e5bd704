//! The identity of the load test: an API key for logging in, or a given token.

use crate::cli::{
    failure::Failure,
    remote::{
        error::RemoteError,
        login::{KEY_VARIABLE, LoginRequest, LoginResponse, read_secret},
        url::ServiceUrl,
        variable::variable,
    },
};
use arc_swap::ArcSwap;
use clap::Args;
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::time::sleep;

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

impl AccountArgs {
    /// Logs in, or takes the given token. Also returns the validity of a token that must be renewed.
    pub async fn open(&self, target: &ServiceUrl) -> Result<(Arc<Account>, Option<Duration>), Failure> {
        let (login, token) = match (&self.api_key_file, &self.token_file) {
            (Some(path), _) => (Some(read_secret("--api-key-file", path)?), None),
            (_, Some(path)) => (None, Some(read_secret("--token-file", path)?)),
            _ => (variable(KEY_VARIABLE), variable(TOKEN_VARIABLE)),
        };
        if let Some(api_key) = login {
            let login = LoginRequest { api_key: api_key.into(), client_id: self.client_id.clone() };
            let granted = log_in(&login, target).await.map_err(Failure::caused)?;
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
            wait = match log_in(login, target).await {
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

/// Logs in over a connection of its own.
async fn log_in(login: &LoginRequest, target: &ServiceUrl) -> Result<LoginResponse, RemoteError> {
    login.run(target, &mut target.connect().await?).await
}
