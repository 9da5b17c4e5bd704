//! Raw texts → typed values. Each wrong value is recorded as a problem and replaced, so that reading goes on.

use super::{
    certificates::{PemSource, read_authorities},
    layers::RawConfig,
    options::{self, Section},
    problem::SettingsProblem,
    watched_files::WatchedFiles,
};
use crate::types::{Address, without_userinfo};
use std::{
    cell::RefCell,
    fmt::Display,
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
        let mut message = message.to_string();
        if self.raw(option).is_some_and(|text| text.contains('@')) {
            message = without_password(&message);
        }
        let problem = SettingsProblem { location, message };
        let mut problems = self.settings.problems.borrow_mut();
        // Two parts of the settings can read the same option.
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }

    /// Returns true if the file or the environment sets an option.
    pub fn is_set(&self, option: &str) -> bool {
        self.raw(option).is_some()
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

    /// Returns the text of an option, or its default. An empty text in place of a default is a problem; without a default, it
    /// counts as absent.
    pub fn text(&self, option: &str) -> Option<&'a str> {
        let spec = options::find(self.kind, option);
        debug_assert!(spec.is_some(), "{option} is not in the list of options");
        let default = spec?.default;
        if default.is_some() {
            self.refuse_empty(option);
        }
        self.raw(option).filter(|text| !text.is_empty()).or(default)
    }

    /// Records a problem if an option is set to an empty text: nobody would see which value applies in its place.
    pub fn refuse_empty(&self, option: &str) {
        if self.raw(option) == Some("") {
            let default = options::find(self.kind, option).and_then(|spec| spec.default);
            let remedy = match (self.settings.raw.variable(self.title, option), default) {
                // Without the variable, the value of the file applies.
                (Some(_), _) => "give it a value, or unset the variable".to_owned(),
                (None, Some(default)) => format!("write a value, or remove the option for its default, {default}"),
                (None, None) => "write a value, or remove the option".to_owned(),
            };
            self.error(option, format!("is empty: {remedy}"));
        }
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
                self.error(option, format!("{text:?} is neither true nor false"));
                false
            }
        }
    }

    /// Returns an IP address.
    pub fn ip(&self, option: &str) -> IpAddr {
        let text = self.text(option).unwrap_or_default();
        text.parse().unwrap_or_else(|_| {
            self.error(option, format!("{text:?} is not an IP address, such as 0.0.0.0, 127.0.0.1 or ::"));
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
        self.error(option, format!("{text:?} is none of: {}", words.join(", ")));
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

    /// Returns the place of a PEM text: the path that an option has, relative to the working directory or, where nothing
    /// is there, to the settings file's folder; or the option itself.
    pub fn pem_source(&self, option: &str) -> Option<PemSource> {
        self.refuse_empty(option);
        let text = self.text(option)?;
        Some(if PemSource::is_pem(text) {
            PemSource::Text(text.into())
        } else {
            PemSource::File(self.resolve(option, text))
        })
    }

    /// Returns the certificates of authorities in the file that an option names, in PEM.
    pub fn authorities(&self, option: &str, warnings: &mut Vec<String>) -> Option<Vec<u8>> {
        let source = self.pem_source(option)?;
        match read_authorities(&source) {
            Ok(authorities) => {
                let warning = authorities.warning;
                warnings.extend(warning.map(|warning| format!("[{}] {option}: {source} {warning}", self.title)));
                Some(authorities.text.as_bytes().to_vec())
            }
            Err(problem) => {
                self.error(option, format!("{source} {problem}"));
                None
            }
        }
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
}

/// Returns a message about a URL in quotes without the URL's name and password. Where the quotes have only a part of the
/// URL, that part is left out.
fn without_password(message: &str) -> String {
    let Some((before, rest)) = message.split_once('"') else { return message.to_owned() };
    let Some((quoted, after)) = rest.rsplit_once('"') else { return message.to_owned() };
    let shown = if quoted.contains('@') { without_userinfo(quoted) } else { "…".into() };
    format!("{before}\"{shown}\"{after}")
}
