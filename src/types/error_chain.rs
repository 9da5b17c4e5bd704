//! Errors in one line.

use std::{error::Error, fmt::Write};

/// Returns the message of an error and of all its causes, separated by colons. A cause is left out where the message
/// before it ends with the same text.
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.ends_with(&message) {
            let _ = write!(text, ": {message}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[derive(Debug, thiserror::Error)]
    enum TestError {
        #[error("the file cannot be read")]
        WithoutCause(#[source] io::Error),
        #[error("the file cannot be read: {0}")]
        WithCause(#[source] io::Error),
        #[error(transparent)]
        Transparent(Box<TestError>),
    }

    #[test]
    fn each_cause_is_named_once() {
        for error in [TestError::WithoutCause, TestError::WithCause] {
            let error = TestError::Transparent(Box::new(error(io::Error::other("it is gone"))));
            assert_eq!(error_chain(&error), "the file cannot be read: it is gone");
        }
    }
}
