//! The keys of a load test. They begin with a prefix of their own, are written before the test and deleted after it.

use super::account::Account;
use crate::{
    cli::{
        remote::{
            connection::{ANSWER_TIMEOUT, Connection, HttpAnswer},
            error::RemoteError,
            url::ServiceUrl,
        },
        table::escaped,
    },
    types::error_chain,
};
use bytes::Bytes;
use serde::Deserialize;
use std::{
    fmt::Write,
    hash::{BuildHasher, RandomState},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// Maximum number of commands in one request.
const BATCH_MAX: usize = 100;
/// Maximum number of bytes of values in one request.
const BATCH_BYTES_MAX: usize = 1 << 20;
/// Time for writing all keys.
const FILL_TIMEOUT: Duration = Duration::from_secs(60);
/// Time for deleting all keys.
const CLEAN_TIMEOUT: Duration = Duration::from_secs(15);
/// Wait before a batch is repeated, unless the answer has a `Retry-After`.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Error codes after which a batch is repeated.
const RETRYABLE: [&str; 5] =
    ["rate_limited", "shard_unavailable", "overloaded", "write_unconfirmed", "deadline_passed"];

/// The reply to one command of a batch.
#[derive(Deserialize)]
struct CommandReply {
    status: String,
    #[serde(default)]
    code: String,
}

/// Numbered keys with equal values.
pub struct Keys {
    prefix: String,
    /// Number of keys.
    pub count: usize,
    value: String,
    /// Time after which the keys expire.
    pub expire: Duration,
}

/// The reason why not all keys could be written or deleted.
pub enum KeysError {
    /// The token does not permit the command.
    Forbidden,
    /// A request failed; the text says why.
    Failed(String),
}

impl From<RemoteError> for KeysError {
    fn from(error: RemoteError) -> Self {
        Self::Failed(error_chain(&error))
    }
}

impl Keys {
    /// Chooses a random prefix.
    pub fn new(count: usize, value_bytes: usize, expire: Duration) -> Self {
        let prefix = format!("bench:{:016x}:", RandomState::new().hash_one(()));
        Self { prefix, count, value: "cachefront".chars().cycle().take(value_bytes).collect(), expire }
    }

    /// Returns the common prefix of the keys.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Returns the command that reads a key.
    pub fn read(&self, number: usize) -> String {
        format!(r#"{{"command":"READ","key":"{}{number}"}}"#, self.prefix)
    }

    /// Returns the command that writes a key.
    pub fn write(&self, number: usize) -> String {
        let Self { prefix, value, expire, .. } = self;
        let expire = expire.as_secs();
        format!(r#"{{"command":"WRITE","key":"{prefix}{number}","value":"{value}","expire":{expire}}}"#)
    }

    fn delete(&self, number: usize) -> String {
        format!(r#"{{"command":"DELETE","key":"{}{number}"}}"#, self.prefix)
    }

    /// Writes all keys once.
    pub async fn fill(&self, target: &ServiceUrl, account: &Account) -> Result<(), KeysError> {
        let most = (BATCH_BYTES_MAX / self.value.len().max(1)).clamp(1, BATCH_MAX);
        self.run(target, account, most, FILL_TIMEOUT, |number| self.write(number)).await
    }

    /// Deletes all of them.
    pub async fn clean(&self, target: &ServiceUrl, account: &Account) -> Result<(), KeysError> {
        self.run(target, account, BATCH_MAX, CLEAN_TIMEOUT, |number| self.delete(number)).await
    }

    /// Runs a command for each key, in successive batches of at most `most` keys.
    async fn run(
        &self,
        target: &ServiceUrl,
        account: &Account,
        mut most: usize,
        limit: Duration,
        command: impl Fn(usize) -> String,
    ) -> Result<(), KeysError> {
        let end = Instant::now() + limit;
        let mut connection = target.connect().await?;
        let mut done = 0;
        while done < self.count {
            if Instant::now() >= end {
                return Err(KeysError::Failed(format!("{done} of {} keys in {} s", self.count, limit.as_secs())));
            }
            let next = (done + most).min(self.count);
            let answer = send(target, account, &mut connection, (done..next).map(&command)).await?;
            match failure(&answer) {
                None => done = next,
                Some(code) if code.ends_with("scope_missing") => return Err(KeysError::Forbidden),
                // Some commands may have succeeded; all of them may be repeated.
                Some(code) if RETRYABLE.iter().any(|retryable| code.ends_with(retryable)) => {
                    most = (most / 2).max(1);
                    sleep(answer.retry_after.unwrap_or(RETRY_DELAY)).await;
                }
                Some(code) => return Err(KeysError::Failed(code)),
            }
        }
        Ok(())
    }
}

/// Sends one batch.
async fn send(
    target: &ServiceUrl,
    account: &Account,
    connection: &mut Connection,
    commands: impl Iterator<Item = String>,
) -> Result<HttpAnswer, KeysError> {
    let mut body = String::from("[");
    for command in commands {
        let _ = write!(body, "{}{command}", if body.len() > 1 { "," } else { "" });
    }
    body.push(']');
    if !connection.is_ready().await {
        *connection = target.connect().await?;
    }
    let request = target.request("/cache", Some(&account.token()), Bytes::from(body))?;
    Ok(connection.send(request, ANSWER_TIMEOUT).await?)
}

/// Returns the error code of the batch, or that of its first failed command.
fn failure(answer: &HttpAnswer) -> Option<String> {
    if answer.status != 200 {
        return Some(answer.code());
    }
    match serde_json::from_slice::<Vec<CommandReply>>(&answer.body) {
        Ok(replies) => replies.into_iter().find(|reply| reply.status == "ERROR").map(|reply| escaped(&reply.code)),
        Err(_) => Some("an invalid answer: is this Cachefront?".to_owned()),
    }
}

/// Returns true if `part` occurs in `text`.
pub fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
