//! Failures of the file that keeps the state of a sweep.

use std::{io, path::PathBuf};
use thiserror::Error;

/// The reason why the state of a sweep cannot be used or kept.
#[derive(Debug, Error)]
pub enum StateFileError {
    /// The file cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The path of the file.
        path: PathBuf,
        /// The answer of the operating system.
        source: io::Error,
    },
    /// The file is not one that a sweep wrote.
    #[error("{} is not the state of a sweep; remove it or name another file with --state", path.display())]
    Syntax {
        /// The path of the file.
        path: PathBuf,
        /// The complaint of the parser.
        source: serde_json::Error,
    },
    /// The file belongs to a sweep with another plan.
    #[error(
        "{} is the state of another sweep, with other shards, weights, database, pattern or --delete; \
         remove it or name another file with --state",
        path.display()
    )]
    OtherPlan {
        /// The path of the file.
        path: PathBuf,
    },
    /// The file cannot be written.
    #[error("{} cannot be written", path.display())]
    Write {
        /// The path of the file.
        path: PathBuf,
        /// The answer of the operating system.
        source: io::Error,
    },
}
