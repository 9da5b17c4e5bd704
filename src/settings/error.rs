//! Problems of single values; they become [`SettingsProblem`](super::problem::SettingsProblem)s with their location.

use std::io;
use thiserror::Error;

/// The reason why an environment variable sets no option.
#[derive(Debug, Error)]
pub enum VariableError {
    /// The value is not text.
    #[error("is not UTF-8 text")]
    NotUtf8,
    /// The name has too few or too many parts.
    #[error("names no option: write CACHEFRONT__SECTION__OPTION")]
    UnknownName,
    /// The file of a secret cannot be read. The message does not have the path: the value may be the secret itself.
    #[error(
        "names no file that can be read ({cause}): write the path of a file with the secret; {direct} takes the secret itself"
    )]
    ReadFile {
        /// The variable that sets the secret without a file.
        direct: String,
        /// The answer of the operating system.
        cause: io::Error,
    },
}

/// The reason why an entry of `ENCRYPTION_KEY` is not a key. No message has the text, which may be a mistyped key.
#[derive(Debug, Error)]
pub enum SealingKeyError {
    /// The text is not a key, and no file has this name.
    #[error("is neither a key nor the name of an existing file")]
    NotFound,
    /// The file cannot be read. The message leaves the cause out, because it could show the path.
    #[error("names a file that cannot be read")]
    ReadFile(#[source] io::Error),
    /// The file has another content.
    #[error("names a file that holds no key")]
    NoKeyInFile,
    /// The key is the same byte 32 times.
    #[error("is a placeholder, one byte 32 times")]
    Placeholder,
}

/// The reason why a text is not a log filter.
#[derive(Debug, Error)]
pub enum LogFilterError {
    /// The text is empty.
    #[error("names no level: {}", log_filter_hint())]
    Empty,
    /// A part of the text has no level, or one that does not exist.
    #[error("\"{part}\" names no level that exists: {}", log_filter_hint())]
    UnknownLevel {
        /// The part.
        part: String,
    },
    /// The text as a whole cannot be parsed.
    #[error("\"{filter}\" is not a log filter ({source}): {}", log_filter_hint())]
    Syntax {
        /// The text.
        filter: String,
        /// The complaint of the parser.
        source: tracing_subscriber::filter::ParseError,
    },
}

/// The levels of log messages.
pub const LOG_LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

fn log_filter_hint() -> String {
    format!("write one of {}, or parts such as info,cachefront::store=debug", LOG_LEVELS.join(", "))
}
