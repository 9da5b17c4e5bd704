//! Raw texts → typed values. Each wrong value is recorded as a problem and replaced, so that reading goes on.

use super::{
    layers::RawConfig,
    options::{self, Section},
    problem::SettingsProblem,
    watched_files::WatchedFiles,
};
use crate::types::Address;
use std::{
    cell::RefCell,
    fmt::Display,
    fs,
    net::IpAddr,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::Duration,
};

/// Raw settings that are being checked, with the problems found so far.
pub struct SettingsReader<'a> {
    raw: &'a RawConfig,
    problems: RefCell<Vec<SettingsProblem>>,
    files: RefCell<WatchedFiles>,
    /// Folder of the settings file.
    folder: &'a Path,
}

/// Reads the options of one section.
#[derive(Clone, Copy)]
pub struct SectionReader<'a> {
    settings: &'a SettingsReader<'a>,
    kind: Section,
    title: &'a str,
}

impl<'a> SettingsReader<'a> {
    /// Starts with the problems of `raw`; relative paths may lie in `folder`.
    pub fn new(raw: &'a RawConfig, folder: &'a Path) -> Self {
        let (problems, files) = (RefCell::new(raw.problems.clone()), RefCell::new(raw.files.clone()));
        Self { raw, problems, files, folder }
    }

    /// Returns all problems, and all files that were read or looked for.
    pub fn finish(self) -> (Vec<SettingsProblem>, WatchedFiles) {
        (self.problems.into_inner(), self.files.into_inner())
    }

    /// Returns a reader for a section that occurs once and may be absent.
    pub fn section(&'a self, kind: Section) -> SectionReader<'a> {
        SectionReader { settings: self, kind, title: kind.title() }
    }

    /// Returns the name and a reader for each section `[KIND:NAME]`.
    pub fn named_sections(&'a self, kind: Section) -> Vec<(&'a str, SectionReader<'a>)> {
        let prefix = kind.prefix().unwrap_or_default();
        let named = self.raw.titles().filter_map(|title| Some((title.strip_prefix(prefix)?, title)));
        named.map(|(name, title)| (name, SectionReader { settings: self, kind, title })).collect()
    }
}

impl<'a> SectionReader<'a> {
    /// Returns the title of the section.
    pub fn title(&self) -> &'a str {
        self.title
    }

    /// Records a problem with an option.
    pub fn error(&self, option: &str, message: impl Display) {
        let location = match self.settings.raw.variable(self.title, option) {
            Some(variable) => variable.to_owned(),
            None => format!("[{}] {option}", self.title),
        };
        self.settings.problems.borrow_mut().push(SettingsProblem { location, message: message.to_string() });
    }

    /// Returns true if the file or the environment sets an option.
    pub fn is_set(&self, option: &str) -> bool {
        self.raw(option).is_some()
    }

    /// Records a problem if an option is set to an empty text, where its default could be a surprise.
    pub fn refuse_empty(&self, option: &str, remedy: &str) {
        if self.raw(option) == Some("") {
            self.error(option, format!("is empty: {remedy}, or remove the option"));
        }
    }

    /// Returns the text of an option that has to be stated; an absent or empty one is a problem.
    pub fn stated(&self, option: &str, remedy: &str) -> Option<&'a str> {
        match self.raw(option) {
            None => self.error(option, format!("is missing: {remedy}")),
            Some("") => self.error(option, format!("is empty: {remedy}")),
            Some(text) => return Some(text),
        }
        None
    }

    fn raw(&self, option: &str) -> Option<&'a str> {
        self.settings.raw.text(self.title, option)
    }

    /// Returns the text of an option, or its default. An empty text counts as absent.
    pub fn text(&self, option: &str) -> Option<&'a str> {
        let spec = options::find(self.kind, option);
        debug_assert!(spec.is_some(), "{option} is not in the list of options");
        self.raw(option).filter(|value| !value.is_empty()).or_else(|| spec?.default)
    }

    /// Returns a whole number within `range`; another text is a problem and yields the lower end.
    pub fn number(&self, option: &str, range: RangeInclusive<i64>) -> i64 {
        let text = self.text(option).unwrap_or_default();
        match text.parse() {
            Ok(number) if range.contains(&number) => number,
            _ => {
                let (low, high) = (*range.start(), *range.end());
                let range =
                    if low == i64::MIN { format!("of at most {high}") } else { format!("from {low} to {high}") };
                self.error(option, format!("{text:?} is not a whole number {range}"));
                low
            }
        }
    }

    /// Returns a count or a size.
    pub fn size(&self, option: &str, range: RangeInclusive<i64>) -> usize {
        usize::try_from(self.number(option, range)).unwrap_or_default()
    }

    /// Returns a time; the unit is milliseconds if the name of the option ends in `_ms`, else seconds.
    pub fn duration(&self, option: &str, range: RangeInclusive<i64>) -> Duration {
        let number = self.number(option, range).unsigned_abs();
        if option.to_ascii_lowercase().ends_with("_ms") {
            Duration::from_millis(number)
        } else {
            Duration::from_secs(number)
        }
    }

    /// Returns a port from `lowest` up.
    pub fn port(&self, option: &str, lowest: i64) -> u16 {
        u16::try_from(self.number(option, lowest..=65_535)).unwrap_or_default()
    }

    /// Returns true or false.
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

    /// Returns an IP address.
    pub fn ip(&self, option: &str) -> IpAddr {
        let text = self.text(option).unwrap_or_default();
        text.parse().unwrap_or_else(|_| {
            self.error(option, format!("\"{text}\" is not an IP address, such as 0.0.0.0, 127.0.0.1 or ::"));
            IpAddr::from([127, 0, 0, 1])
        })
    }

    /// Returns the value of one of a few words.
    pub fn choice<T: Copy>(&self, option: &str, choices: &[(&str, T)]) -> T {
        let text = self.text(option).unwrap_or_default();
        if let Some((_, value)) = choices.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)) {
            return *value;
        }
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        self.error(option, format!("\"{text}\" is none of: {}", words.join(", ")));
        choices[0].1
    }

    /// Returns a list of addresses.
    pub fn addresses(&self, option: &str) -> Vec<Address> {
        let mut addresses = Vec::new();
        for text in self.list(option) {
            match text.parse() {
                Ok(address) => addresses.push(address),
                Err(error) => self.error(option, error),
            }
        }
        addresses
    }

    /// Returns the parts between commas, without the blanks around them and without empty parts.
    pub fn list(&self, option: &str) -> Vec<&'a str> {
        let parts = self.text(option).unwrap_or_default().split(',');
        parts.map(str::trim).filter(|part| !part.is_empty()).collect()
    }

    /// Returns a path, relative to the working directory or, where nothing is there, to the settings file's folder.
    pub fn path(&self, option: &str) -> Option<PathBuf> {
        Some(self.resolve(option, self.text(option)?))
    }

    /// Resolves a path that is one of several in an option.
    pub fn resolve(&self, option: &str, text: &str) -> PathBuf {
        let (given, beside) = (PathBuf::from(text), self.settings.folder.join(text));
        let mut files = self.settings.files.borrow_mut();
        // Both are watched, because either may appear or disappear.
        files.watch(&given);
        files.watch(&beside);
        let path = if !given.exists() && beside.exists() { beside } else { given };
        files.watch_for_option(self.title, option, &path);
        path
    }

    /// Returns the bytes of the file that an option names.
    pub fn file(&self, option: &str) -> Option<Vec<u8>> {
        let path = self.path(option)?;
        fs::read(&path).map_err(|error| self.error(option, format!("cannot read {}: {error}", path.display()))).ok()
    }
}
