//! The lines of the settings file in which sections and options are.

use std::collections::HashMap;

/// The lines in which sections and options are, by the location that messages name. Case does not count.
#[derive(Clone, Debug, Default)]
pub struct FileLines(HashMap<String, Option<usize>>);

impl FileLines {
    /// Records the line of a section, `[title]`, or of an option, `[title] OPTION`. The first line of a location counts.
    pub fn add(&mut self, location: &str, line: usize) {
        self.0.entry(location.to_lowercase()).or_insert(Some(line));
    }

    /// Records that the environment sets an option, so that its value has no line.
    pub fn set_elsewhere(&mut self, location: &str) {
        self.0.insert(location.to_lowercase(), None);
    }

    /// Returns the line of a location. The line of an option that is not in the file is that of its section.
    pub fn find(&self, location: &str) -> Option<usize> {
        if let Some(number) = location.strip_prefix("line ") {
            return number.parse().ok();
        }
        let location = location.to_lowercase();
        let section = location.split_inclusive(']').next().unwrap_or_default();
        self.0.get(&location).or_else(|| self.0.get(section)).copied().flatten()
    }
}
