//! The layers that options come from, merged by the `config` crate: Python's `[DEFAULT]`, the other sections of the
//! file, and the environment on top. The crate also keeps the origin of each value.

use super::{
    environment::{self, EnvironmentOptions},
    file_lines::FileLines,
    ini::{self, IniDocument},
    options::{self, Section},
    problem::{SettingsProblem, did_you_mean},
    raw_option::{RawOption, empty_table, tables},
    watched_files::WatchedFiles,
};
use config::{Config, ConfigError, Map, Source, Value, ValueKind};
use std::{collections::BTreeMap, ffi::OsString, path::Path};

/// The raw texts of all options that are set, and the problems found on the way.
#[derive(Debug, Default)]
pub struct RawConfig {
    /// Values by section and option; names of options are in lower case.
    sections: BTreeMap<String, Map<String, Value>>,
    /// The problems that reading found.
    pub problems: Vec<SettingsProblem>,
    /// The files that were read.
    pub files: WatchedFiles,
    /// The lines of sections and options.
    pub lines: FileLines,
    /// The settings file ends its last line.
    pub file_ends_its_last_line: bool,
}

impl RawConfig {
    /// Reads the file at `path` and the environment, merges them, and refuses unknown sections and options.
    pub fn load(path: &Path, variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut raw = Self::default();
        raw.files.watch(path);
        let mut file = IniDocument::read(path, &mut raw.problems);
        raw.file_ends_its_last_line = file.ends_its_last_line;
        for (title, line) in file.titles.iter().zip(&file.title_lines) {
            raw.lines.add(&format!("[{title}]"), *line);
        }
        raw.add_lines(&file.options);
        let defaults = Defaults::take_from(&mut file, &mut raw.problems);
        raw.add_lines(&defaults.0);
        let mut environment = EnvironmentOptions::read(variables, &file.titles, &mut raw.files, &mut raw.problems);
        for option in &environment.options {
            raw.lines.set_elsewhere(&format!("[{}] {}", option.section, option.option));
        }
        raw.refuse_unknown(&mut file, &mut environment);
        raw.refuse_duplicate_variables(&environment);
        match merge(defaults, file, environment) {
            Ok(sections) => raw.sections = sections,
            Err(error) => {
                let problem = SettingsProblem { location: "settings".to_owned(), message: error.to_string() };
                raw.problems.push(problem);
            }
        }
        raw
    }

    /// Records the lines of options.
    fn add_lines(&mut self, options: &[RawOption]) {
        for option in options {
            if let Some(line) = option.line {
                self.lines.add(&option.location(), line);
            }
        }
    }

    /// Returns true if there is no known section.
    pub fn is_empty(&self) -> bool {
        self.sections.is_empty()
    }

    /// Returns the titles of all known sections that exist.
    pub fn titles(&self) -> impl Iterator<Item = &str> {
        self.sections.keys().map(String::as_str)
    }

    /// Returns the text of an option; `None` where nothing sets it.
    pub fn text(&self, section: &str, option: &str) -> Option<&str> {
        match &self.value(section, option)?.kind {
            ValueKind::String(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the environment variable that sets an option; `None` for the file.
    pub fn variable(&self, section: &str, option: &str) -> Option<&str> {
        self.value(section, option)?.origin()
    }

    fn value(&self, section: &str, option: &str) -> Option<&Value> {
        self.sections.get(section)?.get(&option.to_ascii_lowercase())
    }

    /// Removes sections and options that do not exist, and records a problem for each.
    fn refuse_unknown(&mut self, file: &mut IniDocument, environment: &mut EnvironmentOptions) {
        file.titles.retain(|title| {
            let is_known = environment::kind_of(title).is_some();
            if !is_known {
                self.problems.push(unknown_section(title, format!("[{title}]")));
            }
            is_known
        });
        for layer in [&mut file.options, &mut environment.options] {
            layer.retain(|option| {
                let Some(problem) = unknown(option) else { return true };
                // An unknown section is one problem, however many options it has.
                if !self.problems.contains(&problem) {
                    self.problems.push(problem);
                }
                false
            });
        }
    }

    /// Two variables can name one option, because case does not count.
    fn refuse_duplicate_variables(&mut self, environment: &EnvironmentOptions) {
        let mut variables: BTreeMap<(&str, String), String> = BTreeMap::new();
        for option in &environment.options {
            let name = option.location();
            let key = (option.section.as_str(), option.option.to_ascii_lowercase());
            if let Some(other) = variables.insert(key, name.clone()) {
                let message = format!("and {other} set the same option; keep one of them");
                self.problems.push(SettingsProblem { location: name, message });
            }
        }
    }
}

/// Builds the configuration; a later source overrides an earlier one, option by option.
fn merge(
    defaults: Defaults,
    file: IniDocument,
    environment: EnvironmentOptions,
) -> Result<BTreeMap<String, Map<String, Value>>, ConfigError> {
    let config = Config::builder().add_source(defaults).add_source(file).add_source(environment).build()?;
    config.collect()?.into_iter().map(|(title, section)| Ok((title, section.into_table()?))).collect()
}

impl Source for IniDocument {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let mut sections = tables(&self.options);
        // A section without options exists all the same, and may lack something.
        for title in &self.titles {
            sections.entry(title.clone()).or_insert_with(empty_table);
        }
        Ok(sections)
    }
}

impl Source for EnvironmentOptions {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(tables(&self.options))
    }
}

/// The options of Python's `[DEFAULT]`, once for each section of the file that knows them.
#[derive(Clone, Debug)]
struct Defaults(Vec<RawOption>);

impl Defaults {
    /// Moves the options of `[DEFAULT]` out of the document.
    fn take_from(file: &mut IniDocument, problems: &mut Vec<SettingsProblem>) -> Self {
        let (defaults, others): (Vec<RawOption>, Vec<RawOption>) =
            file.options.drain(..).partition(|option| option.section == ini::DEFAULTS);
        file.options = others;
        let mut spread = Vec::new();
        for default in defaults {
            if !options::OPTIONS.iter().any(|option| option.name.eq_ignore_ascii_case(&default.option)) {
                let is_named = looks_like_name(&default.option);
                let location = if is_named { default.location() } else { format!("[{}]", ini::DEFAULTS) };
                problems.push(SettingsProblem { location, message: "no section has this option".to_owned() });
            }
            if options::STATED.iter().any(|option| option.eq_ignore_ascii_case(&default.option)) {
                let message = "has to be in each [client:NAME] section: a section that is cut must grant nothing";
                problems.push(SettingsProblem { location: default.location(), message: message.to_owned() });
                continue;
            }
            let reached = file.titles.iter().filter(|title| {
                environment::kind_of(title).is_some_and(|kind| options::find(kind, &default.option).is_some())
            });
            spread.extend(reached.map(|title| RawOption { section: title.clone(), ..default.clone() }));
        }
        Self(spread)
    }
}

impl Source for Defaults {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(tables(&self.0))
    }
}

/// Returns the problem with an option whose section or name does not exist.
fn unknown(option: &RawOption) -> Option<SettingsProblem> {
    let Some(kind) = environment::kind_of(&option.section) else {
        let location = option.variable.clone().unwrap_or_else(|| format!("[{}]", option.section));
        return Some(unknown_section(&option.section, location));
    };
    if options::find(kind, &option.option).is_some() {
        return None;
    }
    let names =
        options::OPTIONS.iter().filter(|option| option.section == kind && !option.ignored).map(|option| option.name);
    let hint = did_you_mean(&option.option, names).map(|name| format!("; did you mean {name}?")).unwrap_or_default();
    let is_named = option.variable.is_some() || !hint.is_empty() || looks_like_name(&option.option);
    let location = if is_named { option.location() } else { format!("[{}]", option.section) };
    let unknown = if is_named { "is an unknown option" } else { "has a line whose option is unknown, and not shown" };
    Some(SettingsProblem { location, message: format!("{unknown}{hint}") })
}

/// Returns true if a text could be the name of an option. Other texts may be a part of a secret, such as the last line of a
/// private key, which often has an `=`.
fn looks_like_name(text: &str) -> bool {
    let has_one_case = text.to_lowercase() == text || text.to_uppercase() == text;
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let is_word = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-. ".contains(&byte));
    text.len() <= 40 && digits <= 3 && is_word && has_one_case
}

fn unknown_section(title: &str, location: String) -> SettingsProblem {
    let meant = did_you_mean(first_word(title), Section::ALL.map(|section| first_word(section.title())));
    let hint = match Section::ALL.into_iter().find(|section| meant == Some(first_word(section.title()))) {
        Some(section) => format!("; did you mean [{}]?", section.title()),
        None => "; there are [redis], [service], [near_cache], [telemetry], [shard:NAME] and [client:NAME]".to_owned(),
    };
    SettingsProblem { location, message: format!("is an unknown section{hint}") }
}

/// Returns the part of a title before the colon.
fn first_word(title: &str) -> &str {
    title.split(':').next().unwrap_or(title)
}
