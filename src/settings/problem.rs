//! Problems of the settings, as sentences for operators.

use super::{
    certificates::{PemFileError, PemSource, read_identity},
    file_lines::FileLines,
    service_config::service_identity,
    watched_files::WatchedFiles,
};
use std::{fmt, path::Path};

/// One problem and its remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsProblem {
    /// The place of the problem: `[section] OPTION`, a line of the file, or an environment variable. It is empty where
    /// the whole file is the problem.
    pub location: String,
    /// A sentence, or a predicate whose subject is the location.
    pub message: String,
}

/// The verbs with which the messages begin whose subject is the location.
const VERBS: [&str; 8] = ["is", "has", "holds", "names", "needs", "need", "grants", "begins"];

impl SettingsProblem {
    /// A mistake in a file of certificates or of a key.
    pub fn of_certificate(error: PemFileError) -> Self {
        let PemFileError { section, option, file, problem } = error;
        Self { location: format!("[{section}] {option}"), message: format!("{file} {problem}") }
    }

    /// Returns true if the location is the subject of the message.
    fn is_predicate(&self) -> bool {
        self.message.split(' ').next().is_some_and(|word| VERBS.contains(&word))
    }

    /// Returns true if the file as a whole cannot be read.
    pub fn is_of_whole_file(&self) -> bool {
        self.location.is_empty()
    }
}

impl fmt::Display for SettingsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.location.as_str() {
            "" => f.write_str(&self.message),
            location if self.is_predicate() => write!(f, "{location} {}", self.message),
            location => write!(f, "{location}: {}", self.message),
        }
    }
}

/// All problems of the settings.
#[derive(Debug)]
pub struct SettingsProblems {
    /// The file that was read.
    pub file: String,
    /// Invariant: not empty.
    pub problems: Vec<SettingsProblem>,
    /// Certificate and key of the service, which only the server reads; `None` where they are not known.
    pub tls_files: Option<Box<(PemSource, PemSource)>>,
    /// The files that were read.
    pub files: WatchedFiles,
    /// The lines of sections and options.
    pub lines: Box<FileLines>,
}

impl SettingsProblems {
    /// Adds the mistakes in the server's own certificate and key; not every command needs these files.
    #[must_use]
    pub fn with_certificate_problems(mut self) -> Self {
        if let Some((certificate, key)) = self.tls_files.as_deref()
            && let Err(errors) = read_identity(&service_identity(certificate, key))
        {
            self.problems.extend(errors.into_iter().map(SettingsProblem::of_certificate));
        }
        self
    }

    /// Returns a problem after its line in the file; `elsewhere` takes the place of a line that is not known.
    fn located(&self, problem: &SettingsProblem, elsewhere: &str) -> String {
        match self.lines.find(&problem.location) {
            // The line would be named twice.
            Some(line) if problem.location.starts_with("line ") && !problem.is_predicate() => {
                format!("{}:{line}: {}", self.file, problem.message)
            }
            Some(line) => format!("{}:{line}: {problem}", self.file),
            None => format!("{elsewhere}{problem}"),
        }
    }

    /// Returns true if the only problem is that there is no such file.
    pub fn is_file_missing(&self) -> bool {
        matches!(self.problems.as_slice(), [only] if only.is_of_whole_file()) && !Path::new(&self.file).exists()
    }
}

impl fmt::Display for SettingsProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [only] if only.is_of_whole_file() => write!(f, "{} {only}", self.file),
            [only] => f.write_str(&self.located(only, &format!("{}: ", self.file))),
            many => {
                write!(f, "{} has {} problems:", self.file, many.len())?;
                many.iter().try_for_each(|problem| write!(f, "\n  {}", self.located(problem, "")))
            }
        }
    }
}

impl std::error::Error for SettingsProblems {}

/// Returns the candidate that is most similar to `given`; at most a third of its letters may differ.
pub fn did_you_mean<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_ascii_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&given, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().max(3) / 3)
        .min()
        .map(|(_, candidate)| candidate)
}
