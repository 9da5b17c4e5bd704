//! Raw texts of one section → typed values, noting what is wrong and going on.

use super::{
    SettingsProblem,
    files::WatchedFiles,
    layers::RawConfig,
    options::{self, Section},
};
use crate::types::Address;
use std::{
    cell::RefCell,
    fmt::Display,
    fs,
    net::IpAddr,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

/// Reads the options of one section.
pub struct SectionReader<'a> {
    found: &'a RawConfig,
    problems: &'a RefCell<Vec<SettingsProblem>>,
    files: &'a RefCell<WatchedFiles>,
    kind: Section,
    title: &'a str,
    /// Folder of the settings file.
    folder: &'a Path,
}

impl<'a> SectionReader<'a> {
    pub fn new(
        found: &'a RawConfig,
        problems: &'a RefCell<Vec<SettingsProblem>>,
        files: &'a RefCell<WatchedFiles>,
        kind: Section,
        title: &'a str,
        folder: &'a Path,
    ) -> Self {
        Self { found, problems, files, kind, title, folder }
    }

    /// Notes that something is wrong with an option.
    pub fn error(&self, option: &str, message: impl Display) {
        let place = match self.found.variables.get(&(self.title.to_owned(), option.to_ascii_lowercase())) {
            Some(variable) => variable.clone(),
            None => format!("[{}] {option}", self.title),
        };
        self.problems.borrow_mut().push(SettingsProblem { place, message: message.to_string() });
    }

    /// True if the file or the environment sets it.
    pub fn is_set(&self, option: &str) -> bool {
        self.raw(option).is_some()
    }

    /// Refuses an option that is set to nothing, where a default in its place could be a surprise.
    pub fn refuse_empty(&self, option: &str, right: &str) {
        if self.raw(option) == Some("") {
            self.error(option, format!("is empty: {right}, or remove the option"));
        }
    }

    fn raw(&self, option: &str) -> Option<&'a str> {
        let value = self.found.sections.get(self.title)?.get(&option.to_ascii_lowercase())?;
        Some(value.as_str())
    }

    /// The text of an option, or its default. Empty counts as absent.
    pub fn text(&self, option: &str) -> Option<&'a str> {
        let listed = options::find(self.kind, option);
        debug_assert!(listed.is_some(), "{option} is not in the list of options");
        self.raw(option).filter(|value| !value.is_empty()).or_else(|| listed?.default)
    }

    /// A whole number within `range`; out of it is a problem and the lower end stands in.
    pub fn number(&self, option: &str, range: RangeInclusive<i64>) -> i64 {
        let text = self.text(option).unwrap_or_default();
        match text.parse() {
            Ok(number) if range.contains(&number) => number,
            _ => {
                self.error(
                    option,
                    format!("\"{text}\" is not a whole number from {} to {}", range.start(), range.end()),
                );
                *range.start()
            }
        }
    }

    /// As [`Reader::number`] for what counts or measures.
    pub fn size(&self, option: &str, range: RangeInclusive<i64>) -> usize {
        usize::try_from(self.number(option, range)).unwrap_or_default()
    }

    pub fn duration(&self, option: &str, range: RangeInclusive<i64>) -> std::time::Duration {
        let number = self.number(option, range).unsigned_abs();
        if option.to_ascii_lowercase().ends_with("_ms") {
            std::time::Duration::from_millis(number)
        } else {
            std::time::Duration::from_secs(number)
        }
    }

    pub fn port(&self, option: &str, lowest: i64) -> u16 {
        u16::try_from(self.number(option, lowest..=65_535)).unwrap_or_default()
    }

    pub fn flag(&self, option: &str) -> bool {
        let text = self.text(option).unwrap_or_default();
        match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => true,
            "false" | "no" | "off" | "0" => false,
            _ => {
                self.error(option, format!("\"{text}\" is neither true nor false"));
                false
            }
        }
    }

    pub fn ip(&self, option: &str) -> IpAddr {
        let text = self.text(option).unwrap_or_default();
        text.parse().unwrap_or_else(|_| {
            self.error(option, format!("\"{text}\" is not an IP address, such as 0.0.0.0, 127.0.0.1 or ::"));
            IpAddr::from([127, 0, 0, 1])
        })
    }

    /// One of a few words.
    pub fn choice<T: Copy>(&self, option: &str, choices: &[(&str, T)]) -> T {
        let text = self.text(option).unwrap_or_default();
        let chosen = choices.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
        chosen.map_or_else(
            || {
                let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
                self.error(option, format!("\"{text}\" is none of: {}", words.join(", ")));
                choices[0].1
            },
            |(_, value)| *value,
        )
    }

    pub fn addresses(&self, option: &str) -> Vec<Address> {
        let parse = |text: &str| text.parse().map_err(|error: String| self.error(option, error)).ok();
        self.list(option).into_iter().filter_map(parse).collect()
    }

    /// The parts between commas, without the blanks around them and without empty ones.
    pub fn list(&self, option: &str) -> Vec<&'a str> {
        let parts = self.text(option).unwrap_or_default().split(',');
        parts.map(str::trim).filter(|part| !part.is_empty()).collect()
    }

    /// A path: from the working directory, or, where nothing is there, from the folder of the settings file.
    pub fn path(&self, option: &str) -> Option<PathBuf> {
        Some(self.locate(option, self.text(option)?))
    }

    /// As [`Reader::path`] for a text that is one of several in an option.
    pub fn locate(&self, option: &str, text: &str) -> PathBuf {
        let (given, beside) = (PathBuf::from(text), self.folder.join(text));
        let mut files = self.files.borrow_mut();
        // Both, because the other one may come to be, or go.
        files.note(&given);
        files.note(&beside);
        let path = if !given.exists() && beside.exists() { beside } else { given };
        files.note_named(self.title, option, &path);
        path
    }

    /// The bytes of the file that an option names.
    pub fn file(&self, option: &str) -> Option<Vec<u8>> {
        let path = self.path(option)?;
        fs::read(&path).map_err(|error| self.error(option, format!("cannot read {}: {error}", path.display()))).ok()
    }
}
