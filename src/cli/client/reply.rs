//! The service's reply to a command, and the exit status that it stands for.

use super::session::EX_REFUSED;
use crate::cli::{failure::Failure, remote::connection::HttpAnswer, table::escaped};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Exit status of a command that found no key, or a condition that does not hold.
const EX_MISS: u8 = 1;

/// The fields of a reply.
#[derive(Deserialize)]
pub struct ServiceReply<'a> {
    /// The outcome, such as `SUCCESS` or `NOT_FOUND`.
    #[serde(borrow)]
    pub status: Cow<'a, str>,
    /// The code of an error.
    #[serde(borrow)]
    code: Option<Cow<'a, str>>,
    /// The sentence for a person.
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
    /// The value as it was sent, which may be `null`.
    #[serde(borrow, default, deserialize_with = "present")]
    pub value: Option<&'a RawValue>,
    /// The encoding of a value that is not JSON.
    #[serde(borrow)]
    pub encoding: Option<Cow<'a, str>>,
    /// The seconds to live, or `null` for a key that never expires.
    #[serde(borrow, default, deserialize_with = "present")]
    pub ttl: Option<&'a RawValue>,
    /// The number of replicas that have a written value.
    replicas: Option<u32>,
}

/// Keeps a field that is there also if it is `null`.
fn present<'de, D: Deserializer<'de>>(field: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(field).map(Some)
}

impl<'a> ServiceReply<'a> {
    /// Parses the reply to one command. The failure is that of an answer that is not Cachefront's.
    pub fn parse(answer: &'a HttpAnswer) -> Result<Self, Failure> {
        serde_json::from_slice(&answer.body).map_err(|_| not_a_reply(answer))
    }

    /// Returns the failure that the reply stands for; `None` for a success. `key` is the key of the command, if it is known.
    pub fn failure(&self, answer: &HttpAnswer, key: Option<&str>) -> Option<Failure> {
        let said = self.message.as_deref().map(escaped);
        let subject = key.map_or_else(|| "the key".to_owned(), escaped);
        let (message, status) = match &*self.status {
            "SUCCESS" => return None,
            "NOT_FOUND" if key.is_some() => (format!("{subject} not found"), EX_MISS),
            "NOT_FOUND" => (said.unwrap_or_else(|| format!("{subject} was not found")), EX_MISS),
            "CONFLICT" => (format!("{subject} exists already"), EX_MISS),
            "LIMITED" => {
                let number = self.value.map_or("as it was", RawValue::get);
                (format!("{subject} stays {number}: the result would pass the minimum or the maximum"), EX_MISS)
            }
            "UNCONFIRMED" => {
                let count = self.replicas.unwrap_or_default();
                (format!("{subject} is written to its master, but only {count} replicas confirmed it"), EX_REFUSED)
            }
            other => {
                let said = said.unwrap_or_else(|| format!("the service answered {}", escaped(other)));
                let code = self.code.as_deref().map_or_else(String::new, |code| format!(" {}", escaped(code)));
                let later = answer.retry_after.map(|wait| format!("; retry in {} s", wait.as_secs()));
                let later = later.unwrap_or_default();
                (format!("{} ({}{code}){later}", said.trim_end_matches('.'), answer.status), EX_REFUSED)
            }
        };
        Some(Failure { message, status })
    }
}

/// Returns the failure that an answer to any body stands for: that of its reply, or of the replies to a batch.
pub fn failure_of_any(answer: &HttpAnswer) -> Option<Failure> {
    if !answer.body.trim_ascii_start().starts_with(b"[") {
        let reply = ServiceReply::parse(answer);
        return reply.map_or_else(Some, |reply| reply.failure(answer, None));
    }
    let replies: Vec<ServiceReply<'_>> = match serde_json::from_slice(&answer.body) {
        Ok(replies) => replies,
        Err(_) => return Some(not_a_reply(answer)),
    };
    let failures: Vec<Failure> = replies.iter().filter_map(|reply| reply.failure(answer, None)).collect();
    let status = failures.iter().map(|failure| failure.status).max()?;
    let message = format!("{} of {} commands did not succeed", failures.len(), replies.len());
    Some(Failure { message, status })
}

fn not_a_reply(answer: &HttpAnswer) -> Failure {
    let message = format!("the service answered {} without a reply: is this Cachefront?", answer.status);
    Failure { message, status: EX_REFUSED }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns message and exit status of the failure that a reply to a command of key `k` stands for.
    fn failure(status: u16, body: &'static str) -> Option<(String, u8)> {
        let answer = HttpAnswer { status, retry_after: None, body: body.into() };
        let reply = ServiceReply::parse(&answer);
        let failure = reply.map_or_else(Some, |reply| reply.failure(&answer, Some("k")));
        failure.map(|failure| (failure.message, failure.status))
    }

    #[test]
    fn each_status_of_a_reply_has_its_sentence_and_exit_status() {
        for (status, body, message, exit) in [
            (200, r#"{"status":"NOT_FOUND","message":"k Key not found"}"#, "k not found", 1),
            (
                200,
                r#"{"status":"LIMITED","value":5}"#,
                "k stays 5: the result would pass the minimum or the maximum",
                1,
            ),
            (
                200,
                r#"{"status":"UNCONFIRMED","value":"v","replicas":1}"#,
                "k is written to its master, but only 1 replicas confirmed it",
                2,
            ),
            (
                403,
                r#"{"status":"ERROR","code":"scope_missing","message":"No\u001b[2J."}"#,
                "No\\u{1b}[2J (403 scope_missing)",
                2,
            ),
            (200, r#"{"status":"CONFLICT","message":"k Key exists"}"#, "k exists already", 1),
            (200, r#"{"status":"PENDING"}"#, "the service answered PENDING (200)", 2),
            (502, "<html>", "the service answered 502 without a reply: is this Cachefront?", 2),
        ] {
            assert_eq!(failure(status, body), Some((message.to_owned(), exit)), "{body}");
        }
        assert_eq!(failure(200, r#"{"status":"SUCCESS","value":null}"#), None);
    }

    #[test]
    fn the_worst_reply_of_a_batch_decides() {
        let batch = |body: &'static str| {
            let answer = HttpAnswer { status: 200, retry_after: None, body: body.into() };
            failure_of_any(&answer).map(|failure| (failure.message, failure.status))
        };
        assert_eq!(batch(r#"[{"status":"SUCCESS"}]"#), None);
        let (message, status) =
            batch(r#"[{"status":"NOT_FOUND"},{"status":"ERROR"},{"status":"SUCCESS"}]"#).expect("a failure");
        assert_eq!((message.as_str(), status), ("2 of 3 commands did not succeed", 2));
    }
}
