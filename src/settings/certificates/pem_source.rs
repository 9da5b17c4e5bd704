//! The place of a PEM text: a file, or the option itself.

use super::{
    pem::{BEGIN, PemText},
    problem::PemProblem,
};
use secrecy::{ExposeSecret, SecretString};
use std::{fmt, fs, path::PathBuf};
use zeroize::Zeroizing;

/// The place of a PEM text.
#[derive(Clone, Debug)]
pub enum PemSource {
    /// The path of a file.
    File(PathBuf),
    /// The text itself, as the environment can have it.
    Text(SecretString),
}

impl PemSource {
    /// Returns true if the text of an option is PEM, and not a path.
    pub fn is_pem(text: &str) -> bool {
        text.contains(BEGIN)
    }

    /// Reads the text.
    pub fn read(&self) -> Result<PemText, PemProblem> {
        let bytes = Zeroizing::new(match self {
            Self::File(path) => fs::read(path).map_err(PemProblem::Unreadable)?,
            Self::Text(text) => text.expose_secret().as_bytes().to_vec(),
        });
        PemText::parse(&bytes)
    }
}

impl Default for PemSource {
    fn default() -> Self {
        Self::File(PathBuf::new())
    }
}

/// Shows the path. A text is not shown, because it may be a private key; nor is a path that looks like a part of one.
impl fmt::Display for PemSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) if looks_like_path(&path.to_string_lossy()) => path.display().fmt(f),
            Self::File(_) => f.write_str("the file that the option names"),
            Self::Text(_) => f.write_str("the PEM text of the option"),
        }
    }
}

/// Returns true if a text looks like a path, and so not like the base64 of a key, which has no dot and begins with a letter.
fn looks_like_path(text: &str) -> bool {
    !text.contains('\n') && (text.contains('.') || text.starts_with('/'))
}
