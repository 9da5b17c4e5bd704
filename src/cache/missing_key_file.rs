//! The file of the encryption key, where it does not exist: a warning at the start, and an error once it is needed.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// A file that `ENCRYPTION_KEY` names and that does not exist.
pub struct MissingKeyFile {
    path: String,
    /// The log has said that the file is needed.
    is_logged: AtomicBool,
}

impl MissingKeyFile {
    /// Remembers the name of the file.
    pub fn new(path: &str) -> Self {
        Self { path: path.to_owned(), is_logged: AtomicBool::new(false) }
    }

    /// Logs, the first time, that a request needs the file.
    pub fn log_once(&self) {
        if !self.is_logged.swap(true, Relaxed) {
            let path = &self.path;
            tracing::error!(
                path,
                "a request needs the encryption key, but ENCRYPTION_KEY names a file that does not exist, {path:?}: create the \
                 file, and a reload takes it"
            );
        }
    }
}
