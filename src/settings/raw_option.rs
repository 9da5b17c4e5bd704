//! Options before they are checked, and the tables that the `config` crate merges.

use config::{Map, Value, ValueKind};

/// One option as the file or the environment sets it.
#[derive(Clone, Debug)]
pub struct RawOption {
    /// Title of the section.
    pub section: String,
    /// Name of the option, in any case.
    pub option: String,
    /// The verbatim text.
    pub value: String,
    /// The line of the file; `None` for an environment variable.
    pub line: Option<usize>,
    /// The environment variable that sets the option; `None` for the file.
    pub variable: Option<String>,
}

impl RawOption {
    /// Returns the place that messages about the option name.
    pub fn location(&self) -> String {
        self.variable.clone().unwrap_or_else(|| format!("[{}] {}", self.section, self.option))
    }
}

/// Builds a table of options, with names in lower case, for each section.
pub fn tables<'a>(options: impl IntoIterator<Item = &'a RawOption>) -> Map<String, Value> {
    let mut sections: Map<String, Value> = Map::new();
    for RawOption { section, option, value, variable, .. } in options {
        let section = sections.entry(section.clone()).or_insert_with(empty_table);
        if let ValueKind::Table(options) = &mut section.kind {
            options.insert(option.to_ascii_lowercase(), Value::new(variable.as_ref(), value.clone()));
        }
    }
    sections
}

/// Returns a section without options.
pub fn empty_table() -> Value {
    Value::new(None, ValueKind::Table(Map::new()))
}
