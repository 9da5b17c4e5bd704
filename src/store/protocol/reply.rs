//! The replies to the commands for operations.

use super::{
    operation::{Answer, OperationKind},
    refusal::{self, ServerRefusal},
    script_reply::{parse_bucket, parse_sum},
    server_text::ServerText,
};
use redis::{ServerError, Value};
use std::time::Duration;

/// The code of the error that takes the place of a string that is too large to be kept. No server sends it.
const TOO_LARGE_CODE: &str = "REPLYTOOLARGE";

/// Returns the error that takes the place of a string of this length.
pub fn too_large(bytes: usize) -> Value {
    let error = redis::parse_redis_value(format!("-{TOO_LARGE_CODE} {bytes} bytes\r\n").as_bytes());
    error.expect("an error of one line can be parsed")
}

/// The reason why a reply is no answer to its command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// The node refused the command.
    #[error("the node answered {refusal}: {detail}")]
    Refused {
        /// The reason that Redis gives.
        refusal: ServerRefusal,
        /// Redis's text, for the log.
        detail: ServerText,
    },
    /// The reply is a string that is too large to be kept.
    #[error("the node sent a string of {0}, which is too large")]
    TooLarge(String),
    /// The reply has a type that the command never returns.
    #[error("the node sent a reply that the command never has")]
    Unexpected,
}

impl From<&ServerError> for ReplyError {
    fn from(error: &ServerError) -> Self {
        let detail = error.details().unwrap_or_default();
        if error.code() == TOO_LARGE_CODE {
            return Self::TooLarge(detail.to_owned());
        }
        Self::refused(error.code(), detail)
    }
}

impl ReplyError {
    /// Returns the error that a node answered with: the first word, and the rest.
    pub fn refused(code: &str, detail: &str) -> Self {
        let text =
            if refusal::is_code(code) { ServerText::new(detail) } else { ServerText::new(&format!("{code} {detail}")) };
        Self::Refused { refusal: ServerRefusal::parse(code, detail), detail: text }
    }
}

/// Reads the reply to an operation's command; `replicas` is the number of replicas that have the change, if that was
/// waited for.
pub fn parse_answer(kind: &OperationKind<'_>, reply: Value, replicas: u32) -> Result<Answer, ReplyError> {
    match (kind, reply) {
        (OperationKind::Get(_) | OperationKind::TimeLeft(_) | OperationKind::GetAndTouch(_), reply) => {
            parse_read(kind, reply).map(Answer::Got)
        }
        (OperationKind::Set { .. }, Value::Okay) => Ok(Answer::Stored { replicas }),
        (OperationKind::Set { if_absent: true, .. }, Value::Nil) => Ok(Answer::Exists),
        (OperationKind::Delete, Value::Int(deleted)) => Ok(Answer::Deleted(deleted > 0)),
        (OperationKind::Touch(_), Value::Int(touched)) => Ok(Answer::Touched(touched > 0)),
        (OperationKind::Increment(_), Value::Array(parts)) => parse_sum(&parts).ok_or(ReplyError::Unexpected),
        (OperationKind::TakeTokens(_), Value::Array(parts)) => parse_bucket(&parts).ok_or(ReplyError::Unexpected),
        (_, reply) => Err(not_expected(&reply)),
    }
}

/// Reads the reply to the command of a read; `None` is the answer for a key that does not exist.
pub fn parse_read(kind: &OperationKind<'_>, reply: Value) -> Result<Option<Vec<u8>>, ReplyError> {
    match (kind, reply) {
        (OperationKind::TimeLeft(_), Value::Int(-2)) => Ok(None),
        (OperationKind::TimeLeft(_), Value::Int(left)) => Ok(Some(left.to_string().into_bytes())),
        (OperationKind::TimeLeft(_), reply) => Err(not_expected(&reply)),
        (_, reply) => parse_get(reply),
    }
}

/// Reads the reply to GET; `None` is the answer for a key that does not exist.
pub fn parse_get(reply: Value) -> Result<Option<Vec<u8>>, ReplyError> {
    match reply {
        Value::BulkString(bytes) => Ok(Some(bytes)),
        Value::Nil => Ok(None),
        reply => Err(not_expected(&reply)),
    }
}

/// Reads the reply to PTTL for a key that was or was not `found` just before. Returns [`Duration::MAX`] for a key that
/// does not expire or does not exist, and `None` if the key has changed in between.
pub fn parse_time_left(found: bool, reply: &Value) -> Option<Duration> {
    match reply {
        Value::Int(-1) if found => Some(Duration::MAX),
        Value::Int(-2) if !found => Some(Duration::MAX),
        Value::Int(ms) if found => u64::try_from(*ms).ok().map(Duration::from_millis),
        _ => None,
    }
}

/// The error of a node that refuses to answer [`ask_for_role`](super::command::ask_for_role).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleRefusal {
    /// The node is a replica.
    Replica,
    /// The user may not use the command, or the server does not know it.
    NotAllowed(ServerText),
    /// Any other reason.
    Other(ReplyError),
}

/// Reads the reply to [`ask_for_role`](super::command::ask_for_role), which only a master answers.
pub fn expect_master(reply: &Value) -> Result<(), RoleRefusal> {
    match reply {
        Value::Int(_) => Ok(()),
        reply => Err(match not_expected(reply) {
            ReplyError::Refused { refusal: ServerRefusal::Generic, detail } if detail.as_str().contains("replica") => {
                RoleRefusal::Replica
            }
            ReplyError::Refused { refusal: ServerRefusal::NoPermission | ServerRefusal::Generic, detail } => {
                RoleRefusal::NotAllowed(detail)
            }
            other => RoleRefusal::Other(other),
        }),
    }
}

/// Reads the reply to a command that returns nothing but success.
pub fn expect_ok(reply: &Value) -> Result<(), ReplyError> {
    match reply {
        Value::Okay => Ok(()),
        reply => Err(not_expected(reply)),
    }
}

/// Returns true if the node refused the command because it is loading its data.
pub fn is_loading(reply: &Value) -> bool {
    matches!(not_expected(reply), ReplyError::Refused { refusal: ServerRefusal::Loading, .. })
}

fn not_expected(reply: &Value) -> ReplyError {
    if let Value::ServerError(error) = reply { ReplyError::from(error) } else { ReplyError::Unexpected }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        store::{consistency::Freshness, protocol::operation::Lifetime},
        types::Ttl,
    };
    use std::borrow::Cow;

    #[test]
    fn a_reply_is_read_by_the_command_that_it_belongs_to() {
        let set = OperationKind::Set {
            bytes: Cow::Borrowed(b"v"),
            lifetime: Lifetime::New(Ttl::Never),
            if_absent: false,
            replicas: 0,
        };
        assert_eq!(parse_answer(&set, Value::Okay, 2), Ok(Answer::Stored { replicas: 2 }));
        assert_eq!(parse_answer(&OperationKind::Delete, Value::Int(0), 0), Ok(Answer::Deleted(false)));
        let get = OperationKind::Get(Freshness::ReadYourWrites);
        assert_eq!(parse_answer(&get, Value::Nil, 0), Ok(Answer::Got(None)));
        for (kind, reply) in [(&set, Value::Int(1)), (&OperationKind::Delete, Value::Okay), (&get, Value::Okay)] {
            assert_eq!(parse_answer(kind, reply, 0), Err(ReplyError::Unexpected));
        }
    }

    #[test]
    fn only_a_master_answers_for_its_role() {
        assert_eq!(expect_master(&Value::Int(0)), Ok(()));
        let refused = |text: &str| {
            let error = redis::parse_redis_value(format!("-{text}\r\n").as_bytes()).expect("a reply");
            expect_master(&error).expect_err("a refusal")
        };
        let replica = "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0";
        assert_eq!(refused(replica), RoleRefusal::Replica);
        for text in ["NOPERM this user has no permissions to run the 'wait' command", "ERR unknown command 'WAIT'"] {
            assert!(matches!(refused(text), RoleRefusal::NotAllowed(_)), "{text}");
        }
        assert!(matches!(refused("LOADING Redis is loading the dataset in memory"), RoleRefusal::Other(_)));
    }

    #[test]
    fn the_time_left_is_unknown_if_the_key_came_or_went_in_between() {
        assert_eq!(parse_time_left(true, &Value::Int(1500)), Some(Duration::from_millis(1500)));
        assert_eq!(parse_time_left(true, &Value::Int(-1)), Some(Duration::MAX));
        assert_eq!(parse_time_left(false, &Value::Int(-2)), Some(Duration::MAX));
        for (found, reply) in
            [(true, Value::Int(-2)), (false, Value::Int(-1)), (false, Value::Int(5)), (true, Value::Nil)]
        {
            assert_eq!(parse_time_left(found, &reply), None);
        }
    }
}
