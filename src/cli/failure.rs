//! The failure of a command, with its exit status.

use crate::{settings::SettingsProblems, types::error_chain};
use std::{error::Error, fmt::Display};

/// Exit status of sysexits.h for wrong usage of a command.
pub const EX_USAGE: u8 = 64;
/// Exit status of sysexits.h for a service that cannot be reached.
pub const EX_UNAVAILABLE: u8 = 69;
/// Exit status of sysexits.h for a configuration error.
const EX_CONFIG: u8 = 78;

/// A failed command: its message and the exit status.
#[derive(Debug)]
pub struct Failure {
    /// The message, without the name of the program.
    pub message: String,
    /// The exit status.
    pub status: u8,
}

impl Failure {
    /// A failure with exit status 1.
    pub fn general(message: impl Display) -> Self {
        Self { message: message.to_string(), status: 1 }
    }

    /// A failure with exit status 1 whose message is that of the error and all its causes.
    pub fn caused(error: impl Error) -> Self {
        Self::general(error_chain(&error))
    }

    /// A failure for wrong usage of the command.
    pub fn usage(message: impl Display) -> Self {
        Self { message: message.to_string(), status: EX_USAGE }
    }

    /// A failure for settings that the server cannot be built with.
    pub fn invalid_settings(error: impl Error) -> Self {
        Self::settings(error_chain(&error))
    }

    /// A failure for settings that cannot be loaded; `option` is the argument that names their file.
    pub fn unloadable_settings(problems: &SettingsProblems, option: &str) -> Self {
        let hint =
            if problems.is_file_missing() { format!("; name another file with {option}") } else { String::new() };
        Self::settings(format!("{problems}{hint}"))
    }

    /// A failure for invalid settings.
    pub fn settings(message: impl Display) -> Self {
        Self { message: message.to_string(), status: EX_CONFIG }
    }
}
