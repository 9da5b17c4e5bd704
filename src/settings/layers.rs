//! The file with the environment on top of it: one table of raw texts.

use super::{
    SettingsProblem,
    entry::RawOption,
    environment, file,
    files::WatchedFiles,
    options::{self, Section},
    problem::did_you_mean,
};
use config::{Config, ConfigError, Map, Source, Value, ValueKind};
use std::{collections::BTreeMap, ffi::OsString, path::Path};

/// Raw texts by section and option (small letters), and the problems met on the way.
#[derive(Debug, Default)]
pub struct RawConfig {
    pub sections: BTreeMap<String, BTreeMap<String, String>>,
    /// Which variable an option came from, by section and option.
    pub variables: BTreeMap<(String, String), String>,
    pub problems: Vec<SettingsProblem>,
    pub files: WatchedFiles,
}

/// Reads both layers, and refuses what is in none of our lists.
pub fn collect(path: &Path, variables: impl IntoIterator<Item = (OsString, OsString)>) -> RawConfig {
    let mut found = RawConfig::default();
    found.files.note(path);
    let file::IniDocument { titles, mut entries } = file::read(path, &mut found.problems);
    spread_defaults(&mut entries, &titles, &mut found.problems);
    let mut overrides = environment::read(variables, &titles, &mut found.files, &mut found.problems);

    let (known_titles, unknown_titles): (Vec<&String>, Vec<&String>) =
        titles.iter().partition(|title| environment::kind_of(title).is_some());
    found.problems.extend(unknown_titles.into_iter().map(|title| unknown_section(title, format!("[{title}]"))));
    let known = |entry: &RawOption, problems: &mut Vec<SettingsProblem>| match unknown(entry) {
        None => true,
        Some(problem) => {
            // An unknown section is one problem, however many options it has.
            if !problems.contains(&problem) {
                problems.push(problem);
            }
            false
        }
    };
    entries.retain(|entry| known(entry, &mut found.problems));
    overrides.retain(|entry| known(entry, &mut found.problems));

    for entry in &overrides {
        let place = (entry.section.clone(), entry.option.to_ascii_lowercase());
        if let Some(name) = &entry.variable
            && let Some(other) = found.variables.insert(place, name.clone())
        {
            found.problems.push(SettingsProblem {
                place: name.clone(),
                message: format!("and {other} set the same option; keep one of them"),
            });
        }
    }
    match merge(entries, overrides) {
        Ok(sections) => found.sections = sections,
        Err(error) => found.problems.push(SettingsProblem { place: "settings".to_owned(), message: error.to_string() }),
    }
    // A section without options is there all the same, and may lack something.
    for title in known_titles {
        found.sections.entry(title.clone()).or_default();
    }
    found
}

/// Lets the later layer win, option by option.
fn merge(
    file: Vec<RawOption>,
    environment: Vec<RawOption>,
) -> Result<BTreeMap<String, BTreeMap<String, String>>, ConfigError> {
    Config::builder().add_source(RawLayer(file)).add_source(RawLayer(environment)).build()?.try_deserialize()
}

#[derive(Clone, Debug)]
struct RawLayer(Vec<RawOption>);

impl Source for RawLayer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let mut sections: Map<String, Value> = Map::new();
        for entry in &self.0 {
            let section =
                sections.entry(entry.section.clone()).or_insert_with(|| Value::new(None, ValueKind::Table(Map::new())));
            if let ValueKind::Table(options) = &mut section.kind {
                options.insert(entry.option.to_ascii_lowercase(), Value::new(None, entry.value.clone()));
            }
        }
        Ok(sections)
    }
}

/// Python's `[DEFAULT]`: its options count in every section that knows them and does not set them itself.
fn spread_defaults(entries: &mut Vec<RawOption>, titles: &[String], problems: &mut Vec<SettingsProblem>) {
    let (defaults, mut rest): (Vec<RawOption>, Vec<RawOption>) =
        entries.drain(..).partition(|entry| entry.section == file::DEFAULTS);
    for default in defaults {
        let same = |name: &str| name.eq_ignore_ascii_case(&default.option);
        if !options::OPTIONS.iter().any(|option| same(option.name)) {
            problems.push(SettingsProblem {
                place: format!("[{}] {}", default.section, default.option),
                message: "is an option of no section".to_owned(),
            });
        }
        let reached = titles.iter().filter(|title| {
            environment::kind_of(title).is_some_and(|kind| options::find(kind, &default.option).is_some())
        });
        for title in reached {
            if !rest.iter().any(|entry| entry.section == *title && same(&entry.option)) {
                rest.push(RawOption { section: title.clone(), ..default.clone() });
            }
        }
    }
    *entries = rest;
}

fn unknown(entry: &RawOption) -> Option<SettingsProblem> {
    let from = |place: String| match &entry.variable {
        Some(name) => name.clone(),
        None => place,
    };
    let Some(kind) = environment::kind_of(&entry.section) else {
        return Some(unknown_section(&entry.section, from(format!("[{}]", entry.section))));
    };
    if options::find(kind, &entry.option).is_some() {
        return None;
    }
    let names =
        options::OPTIONS.iter().filter(|option| option.section == kind && !option.ignored).map(|option| option.name);
    let hint = did_you_mean(&entry.option, names).map(|name| format!("; did you mean {name}?")).unwrap_or_default();
    Some(SettingsProblem {
        place: from(format!("[{}] {}", entry.section, entry.option)),
        message: format!("unknown option{hint}"),
    })
}

fn unknown_section(title: &str, place: String) -> SettingsProblem {
    let kind = |title: &'static str| title.split(':').next().unwrap_or(title);
    let given = title.split(':').next().unwrap_or_default();
    let meant = did_you_mean(given, Section::ALL.map(|section| kind(section.title())));
    let hint = match Section::ALL.into_iter().find(|section| meant == Some(kind(section.title()))) {
        Some(section) => format!("; did you mean [{}]?", section.title()),
        None => "; there are [redis], [service], [near_cache], [telemetry], [shard:NAME] and [client:NAME]".to_owned(),
    };
    SettingsProblem { place, message: format!("unknown section{hint}") }
}
