//! The keys of a load test: they begin with a prefix of their own, are there before it starts, and go when it is over.

use super::{
    account::Account,
    target::{Connection, HttpAnswer, ServiceUrl},
};
use crate::cli::table::escaped;
use bytes::Bytes;
use serde::Deserialize;
use std::{
    fmt::Write,
    hash::{BuildHasher, RandomState},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// Commands in one request, and bytes of values in it, at most.
const BATCH_MAX: usize = 100;
const BATCH_BYTES_MAX: usize = 1 << 20;
/// How long putting them there, or removing them, may take.
const FILL_TIMEOUT: Duration = Duration::from_secs(60);
const CLEAN_TIMEOUT: Duration = Duration::from_secs(15);
/// Waits before a batch is tried again, where the service says nothing else.
const AGAIN: Duration = Duration::from_secs(1);

/// Codes of what may work in a moment.
const PASSING: [&str; 5] = ["rate_limited", "shard_unavailable", "overloaded", "write_unconfirmed", "deadline_passed"];

/// The reply to one command of a batch.
#[derive(Deserialize)]
struct CommandReply {
    status: String,
    #[serde(default)]
    code: String,
}

pub struct Keys {
    prefix: String,
    pub count: usize,
    value: String,
    /// They expire by themselves after so long.
    pub expire: Duration,
}

/// Why it was given up.
pub enum Stuck {
    /// The token does not allow it.
    Forbidden,
    Failed(String),
}

impl Keys {
    pub fn new(count: usize, value_bytes: usize, expire: Duration) -> Self {
        let prefix = format!("bench:{:016x}:", RandomState::new().hash_one(()));
        Self { prefix, count, value: "cachefront".chars().cycle().take(value_bytes).collect(), expire }
    }

    /// How all of them begin.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    pub fn read(&self, number: usize) -> String {
        format!(r#"{{"command":"READ","key":"{}{number}"}}"#, self.prefix)
    }

    pub fn write(&self, number: usize) -> String {
        let Self { prefix, value, expire, .. } = self;
        let expire = expire.as_secs();
        format!(r#"{{"command":"WRITE","key":"{prefix}{number}","value":"{value}","expire":{expire}}}"#)
    }

    fn delete(&self, number: usize) -> String {
        format!(r#"{{"command":"DELETE","key":"{}{number}"}}"#, self.prefix)
    }

    /// Writes all of them once.
    pub async fn fill(&self, target: &ServiceUrl, account: &Account) -> Result<(), Stuck> {
        let most = (BATCH_BYTES_MAX / self.value.len().max(1)).clamp(1, BATCH_MAX);
        self.run(target, account, most, FILL_TIMEOUT, |number| self.write(number)).await
    }

    /// Deletes all of them.
    pub async fn clean(&self, target: &ServiceUrl, account: &Account) -> Result<(), Stuck> {
        self.run(target, account, BATCH_MAX, CLEAN_TIMEOUT, |number| self.delete(number)).await
    }

    /// Runs a command on each, in batches, one after the other.
    async fn run(
        &self,
        target: &ServiceUrl,
        account: &Account,
        mut most: usize,
        within: Duration,
        command: impl Fn(usize) -> String,
    ) -> Result<(), Stuck> {
        let end = Instant::now() + within;
        let mut connection = target.connect().await.map_err(Stuck::Failed)?;
        let mut done = 0;
        while done < self.count {
            if Instant::now() >= end {
                return Err(Stuck::Failed(format!("{done} of {} keys in {} s", self.count, within.as_secs())));
            }
            let next = (done + most).min(self.count);
            let answer = ask(target, account, &mut connection, (done..next).map(&command)).await?;
            match failure(&answer) {
                None => done = next,
                Some(code) if code.ends_with("scope_missing") => return Err(Stuck::Forbidden),
                // Some of them may have been done, and all may be done again.
                Some(code) if PASSING.iter().any(|passing| code.ends_with(passing)) => {
                    most = (most / 2).max(1);
                    sleep(answer.retry_after.unwrap_or(AGAIN)).await;
                }
                Some(code) => return Err(Stuck::Failed(code)),
            }
        }
        Ok(())
    }
}

async fn ask(
    target: &ServiceUrl,
    account: &Account,
    connection: &mut Connection,
    commands: impl Iterator<Item = String>,
) -> Result<HttpAnswer, Stuck> {
    let mut body = String::from("[");
    for command in commands {
        let _ = write!(body, "{}{command}", if body.len() > 1 { "," } else { "" });
    }
    body.push(']');
    if !connection.is_ready().await {
        *connection = target.connect().await.map_err(Stuck::Failed)?;
    }
    let request = target.request("/cache", Some(&account.token()), Bytes::from(body)).map_err(Stuck::Failed)?;
    connection.ask(request).await.map_err(|error| Stuck::Failed(error.to_owned()))
}

/// Why not all commands were done: the code of the first that was not.
fn failure(answer: &HttpAnswer) -> Option<String> {
    if answer.status != 200 {
        return Some(answer.code());
    }
    match serde_json::from_slice::<Vec<CommandReply>>(&answer.body) {
        Ok(replies) => replies.into_iter().find(|reply| reply.status == "ERROR").map(|reply| escaped(&reply.code)),
        Err(_) => Some("an answer that is none: is this Cachefront?".to_owned()),
    }
}

/// True if the bytes are somewhere in there.
pub fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
