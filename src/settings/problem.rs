//! What is wrong with the settings, in sentences.

use super::WatchedFiles;
use std::{fmt, fs::File, path::PathBuf};

/// One thing that is wrong, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsProblem {
    /// `[section] OPTION`, or whatever else names the place.
    pub place: String,
    pub message: String,
}

impl fmt::Display for SettingsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// All that is wrong, found in one go.
#[derive(Debug)]
pub struct SettingsProblems {
    /// The file that was read.
    pub file: String,
    /// Invariant: not empty.
    pub problems: Vec<SettingsProblem>,
    /// What else is read before serving, by option: certificate and key.
    pub tls_files: Vec<(&'static str, PathBuf)>,
    /// What was read to find this out.
    pub files: WatchedFiles,
}

impl SettingsProblems {
    /// Adds the files that the server could not read either. Not every command needs them.
    #[must_use]
    pub fn with_unreadable_files(mut self) -> Self {
        for (option, path) in &self.tls_files {
            if let Err(error) = File::open(path) {
                let message = format!("{}: cannot be read: {error}", path.display());
                self.problems.push(SettingsProblem { place: format!("[service] {option}"), message });
            }
        }
        self
    }
}

impl fmt::Display for SettingsProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [only] => write!(f, "{}: {only}", self.file),
            many => {
                write!(f, "{} has {} problems:", self.file, many.len())?;
                many.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
            }
        }
    }
}

impl std::error::Error for SettingsProblems {}

/// The candidate that `given` was probably meant to be: at most a third of its letters differ.
pub fn did_you_mean<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_ascii_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&given, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().max(3) / 3)
        .min()
        .map(|(_, candidate)| candidate)
}
