//! The file with the environment on top of it: one table of raw texts.

use super::{
    Problem,
    entry::Entry,
    environment, file,
    files::Files,
    options::{self, Section},
    problem::did_you_mean,
};
use config::{Config, ConfigError, Map, Source, Value, ValueKind};
use std::{collections::BTreeMap, ffi::OsString, path::Path};

/// Raw texts by section and option (small letters), and the problems met on the way.
#[derive(Debug, Default)]
pub struct Found {
    pub sections: BTreeMap<String, BTreeMap<String, String>>,
    /// Which variable an option came from, by section and option.
    pub variables: BTreeMap<(String, String), String>,
    pub problems: Vec<Problem>,
    pub files: Files,
}

/// Reads both layers, and refuses what is in none of our lists.
pub fn collect(path: &Path, variables: impl IntoIterator<Item = (OsString, OsString)>) -> Found {
    let mut found = Found::default();
    found.files.note(path);
    let file::Document { titles, mut entries } = file::read(path, &mut found.problems);
    spread_defaults(&mut entries, &titles, &mut found.problems);
    let mut overrides = environment::read(variables, &titles, &mut found.files, &mut found.problems);

    let (known_titles, unknown_titles): (Vec<&String>, Vec<&String>) =
        titles.iter().partition(|title| environment::kind_of(title).is_some());
    found.problems.extend(unknown_titles.into_iter().map(|title| unknown_section(title, format!("[{title}]"))));
    let known = |entry: &Entry, problems: &mut Vec<Problem>| match unknown(entry) {
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
            found.problems.push(Problem {
                place: name.clone(),
                message: format!("and {other} set the same option; keep one of them"),
            });
        }
    }
    match merge(entries, overrides) {
        Ok(sections) => found.sections = sections,
        Err(error) => found.problems.push(Problem { place: "settings".to_owned(), message: error.to_string() }),
    }
    // A section without options is there all the same, and may lack something.
    for title in known_titles {
        found.sections.entry(title.clone()).or_default();
    }
    found
}

/// Lets the later layer win, option by option.
fn merge(file: Vec<Entry>, environment: Vec<Entry>) -> Result<BTreeMap<String, BTreeMap<String, String>>, ConfigError> {
    Config::builder().add_source(Layer(file)).add_source(Layer(environment)).build()?.try_deserialize()
}

#[derive(Clone, Debug)]
struct Layer(Vec<Entry>);

impl Source for Layer {
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
fn spread_defaults(entries: &mut Vec<Entry>, titles: &[String], problems: &mut Vec<Problem>) {
    let (defaults, mut rest): (Vec<Entry>, Vec<Entry>) =
        entries.drain(..).partition(|entry| entry.section == file::DEFAULTS);
    for default in defaults {
        let same = |name: &str| name.eq_ignore_ascii_case(&default.option);
        if !options::OPTIONS.iter().any(|option| same(option.name)) {
            problems.push(Problem {
                place: format!("[{}] {}", default.section, default.option),
                message: "is an option of no section".to_owned(),
            });
        }
        let reached = titles.iter().filter(|title| {
            environment::kind_of(title).is_some_and(|kind| options::find(kind, &default.option).is_some())
        });
        for title in reached {
            if !rest.iter().any(|entry| entry.section == *title && same(&entry.option)) {
                rest.push(Entry { section: title.clone(), ..default.clone() });
            }
        }
    }
    *entries = rest;
}

fn unknown(entry: &Entry) -> Option<Problem> {
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
    Some(Problem {
        place: from(format!("[{}] {}", entry.section, entry.option)),
        message: format!("unknown option{hint}"),
    })
}

fn unknown_section(title: &str, place: String) -> Problem {
    let kind = |title: &'static str| title.split(':').next().unwrap_or(title);
    let given = title.split(':').next().unwrap_or_default();
    let meant = did_you_mean(given, Section::ALL.map(|section| kind(section.title())));
    let hint = match Section::ALL.into_iter().find(|section| meant == Some(kind(section.title()))) {
        Some(section) => format!("; did you mean [{}]?", section.title()),
        None => "; there are [redis], [service], [near_cache], [telemetry], [shard:NAME] and [client:NAME]".to_owned(),
    };
    Problem { place, message: format!("unknown section{hint}") }
}
