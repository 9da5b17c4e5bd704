//! The failures of connections to Redis servers.

use crate::store::protocol::{
    refusal::ServerRefusal,
    reply::ReplyError,
    server_text::{self, ServerText},
};
use redis::{ErrorKind, RedisError};

/// The reason why a connection to a node or a sentinel could not be opened, or broke. It repeats nothing that was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionFailure {
    /// The server does not speak RESP3.
    #[error(
        "it does not know HELLO 3, which Redis 6.0 and newer know; a proxy in front of Redis has to pass that command on"
    )]
    NoHello,
    /// The server refused the login or a command.
    #[error("it answered {refusal}: {detail}")]
    Refused {
        /// The reason that Redis gives.
        refusal: ServerRefusal,
        /// Redis's text, for the log.
        detail: ServerText,
    },
    /// The server sent bytes that are not Redis's protocol.
    #[error("its answer is not in Redis's protocol")]
    NotRedis,
    /// The connection was opened, and ended.
    #[error("the connection ended before the answer to HELLO or to a later command: {0}")]
    Cut(String),
    /// The connection could not be opened.
    #[error("{0}")]
    Unreachable(String),
}

impl ConnectionFailure {
    /// Returns true if the error shows that nothing can be expected of the server: nobody serves at its address, or it
    /// refuses the login. A server that is alive can cut a connection during its handshake, or have too many clients.
    pub fn shows_absence(&self) -> bool {
        !matches!(self, Self::Cut(_) | Self::Refused { refusal: ServerRefusal::Generic, .. })
    }
}

impl From<RedisError> for ConnectionFailure {
    fn from(error: RedisError) -> Self {
        if error.kind() == ErrorKind::RESP3NotSupported {
            return Self::NoHello;
        }
        if let Some(code) = error.code() {
            let detail = error.detail().unwrap_or_default();
            return if knows_no_hello(code, detail) { Self::NoHello } else { ReplyError::refused(code, detail).into() };
        }
        match error.kind() {
            ErrorKind::Parse | ErrorKind::UnexpectedReturnType => Self::NotRedis,
            ErrorKind::Io => {
                let text = server_text::printable(&error.to_string());
                let was_cut = error.is_connection_dropped() && !error.is_connection_refusal();
                if was_cut { Self::Cut(text) } else { Self::Unreachable(text) }
            }
            _ => Self::Unreachable(ServerText::new(&error.to_string()).to_string()),
        }
    }
}

impl From<ReplyError> for ConnectionFailure {
    fn from(error: ReplyError) -> Self {
        match error {
            ReplyError::Refused { refusal, detail } => Self::Refused { refusal, detail },
            ReplyError::Unexpected | ReplyError::TooLarge(_) => Self::NotRedis,
        }
    }
}

/// Returns true for the errors with which a server says that it does not know HELLO, or not the third version.
fn knows_no_hello(code: &str, detail: &str) -> bool {
    let detail = detail.to_ascii_lowercase();
    code == "NOPROTO"
        || detail
            .strip_prefix("unknown command")
            .is_some_and(|command| command.trim_start_matches([' ', '\'', '`', '"']).starts_with("hello"))
}
