//! One request of a client command: with the saved token, or after a login.

use super::{service_args::ServiceArgs, token_file::TokenFile};
use crate::{
    cli::{
        failure::{EX_UNAVAILABLE, Failure},
        remote::{
            connection::{Connection, HttpAnswer},
            error::RemoteError,
            url::ServiceUrl,
        },
    },
    types::error_chain,
};
use bytes::Bytes;
use std::time::Duration;

/// Exit status of a command that the service refused.
pub const EX_REFUSED: u8 = 2;
/// Time for an answer, which may have megabytes.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
const UNAUTHORIZED: u16 = 401;

/// Sends this body to `/cache` and returns the answer.
pub fn send(service: &ServiceArgs, body: &Bytes) -> Result<HttpAnswer, Failure> {
    let (target, login) = (service.target()?, service.login()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::general)?;
    runtime.block_on(async {
        let file = TokenFile::new(target.as_str(), &login);
        let mut connection = target.connect().await?;
        if let Some(token) = file.load() {
            let answer = post(&target, &mut connection, &token, body).await?;
            if answer.status != UNAUTHORIZED {
                return Ok(answer);
            }
            // The keys of tokens changed, or the client was removed: the command was not run.
            ensure_open(&target, &mut connection).await?;
        }
        let granted = login.run(&target, &mut connection).await?;
        file.save(&granted);
        ensure_open(&target, &mut connection).await?;
        post(&target, &mut connection, &granted.access_token, body).await
    })
}

/// Opens another connection if the service closed this one.
async fn ensure_open(target: &ServiceUrl, connection: &mut Connection) -> Result<(), RemoteError> {
    if !connection.is_ready().await {
        *connection = target.connect().await?;
    }
    Ok(())
}

async fn post(
    target: &ServiceUrl,
    connection: &mut Connection,
    token: &str,
    body: &Bytes,
) -> Result<HttpAnswer, Failure> {
    let request = target.request("/cache", Some(token), body.clone())?;
    connection.send(request, ANSWER_TIMEOUT).await.map_err(|error| {
        let Failure { message, status } = Failure::from(error);
        Failure { message: format!("{message}; if the command changes something, it can have taken effect"), status }
    })
}

impl From<RemoteError> for Failure {
    fn from(error: RemoteError) -> Self {
        let status = match &error {
            RemoteError::Connect { .. } | RemoteError::ConnectionLost | RemoteError::TimedOut(_) => EX_UNAVAILABLE,
            RemoteError::InvalidRequest(_) | RemoteError::LoginRefused(_) | RemoteError::NoToken => EX_REFUSED,
        };
        Self { message: error_chain(&error), status }
    }
}
