//! The arguments that say which service a client command is sent to, and with which API key.

use crate::cli::{
    failure::Failure,
    remote::{
        login::{KEY_VARIABLE, LoginRequest, read_secret},
        trust::TrustArgs,
        url::ServiceUrl,
        variable::variable,
    },
};
use clap::Args;
use std::path::{Path, PathBuf};

const URL_VARIABLE: &str = "CACHEFRONT_URL";
const KEY_FILE_VARIABLE: &str = "CACHEFRONT_API_KEY_FILE";
const CLIENT_VARIABLE: &str = "CACHEFRONT_CLIENT_ID";
/// The URL of a service on this machine with the default port.
const DEFAULT_URL: &str = "https://127.0.0.1:9090";

/// The service, the trust in its certificate, and the identity of the client.
#[derive(Args)]
#[command(next_help_heading = "Service")]
pub struct ServiceArgs {
    /// Use the service at this URL; without it, at the one in `CACHEFRONT_URL`, else at `https://127.0.0.1:9090`
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Log in with the API key in this file; without it, with `CACHEFRONT_API_KEY`, else with the file that
    /// `CACHEFRONT_API_KEY_FILE` names
    #[arg(long, value_name = "FILE")]
    api_key_file: Option<PathBuf>,
    /// Send this client name in the login; without it, `CACHEFRONT_CLIENT_ID`; the service does not need it
    #[arg(long, value_name = "NAME")]
    client_id: Option<String>,
    #[command(flatten)]
    trust: TrustArgs,
}

impl ServiceArgs {
    /// Returns the URL, and reads the trusted certificates.
    pub fn target(&self) -> Result<ServiceUrl, Failure> {
        let url = self.url.clone().or_else(|| variable(URL_VARIABLE));
        ServiceUrl::new(url.as_deref().unwrap_or(DEFAULT_URL), &self.trust)
    }

    /// Returns the login, with the API key from a file or from the environment.
    pub fn login(&self) -> Result<LoginRequest, Failure> {
        let client_id = self.client_id.clone().or_else(|| variable(CLIENT_VARIABLE));
        Ok(LoginRequest { api_key: self.api_key()?.into(), client_id })
    }

    fn api_key(&self) -> Result<String, Failure> {
        if let Some(path) = &self.api_key_file {
            return read_secret("--api-key-file", path);
        }
        if let Some(key) = variable(KEY_VARIABLE) {
            return Ok(key);
        }
        let path = variable(KEY_FILE_VARIABLE).ok_or_else(|| {
            Failure::usage(format!("there is no API key: set {KEY_VARIABLE}, or name a file with --api-key-file"))
        })?;
        read_secret(KEY_FILE_VARIABLE, Path::new(&path))
    }
}
