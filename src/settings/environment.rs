//! Options from the environment: `CACHEFRONT__SECTION__OPTION`, and for secrets `…_FILE` with the path of a file.

use super::{
    error::VariableError,
    options::{self, Section},
    problem::SettingsProblem,
    raw_option::RawOption,
    text_file,
    watched_files::WatchedFiles,
};
use crate::types::error_chain;
use std::{ffi::OsString, path::Path};

const PREFIX: &str = "CACHEFRONT__";

/// The options that environment variables set, in the order of the variables' names.
#[derive(Clone, Debug)]
pub struct EnvironmentOptions {
    /// One option for each variable.
    pub options: Vec<RawOption>,
}

impl EnvironmentOptions {
    /// Reads the variables with our prefix; `sections` are the titles in the file.
    pub fn read(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        sections: &[String],
        files: &mut WatchedFiles,
        problems: &mut Vec<SettingsProblem>,
    ) -> Self {
        let mut ours: Vec<_> =
            variables.into_iter().filter(|(name, _)| name.as_encoded_bytes().starts_with(PREFIX.as_bytes())).collect();
        ours.sort();
        let mut options = Vec::new();
        for (name, value) in ours {
            // A name that is not text names no option; its message shows the readable part.
            let name = name.to_string_lossy().into_owned();
            let value = value.into_string().map_err(|_| VariableError::NotUtf8);
            match value.and_then(|value| option(&name, value, sections, files)) {
                Ok(option) => options.push(option),
                Err(error) => problems.push(SettingsProblem { location: name, message: error_chain(&error) }),
            }
        }
        Self { options }
    }
}

/// Parses the name of a variable; reads the file that a `…_FILE` variable names.
fn option(
    name: &str,
    value: String,
    sections: &[String],
    files: &mut WatchedFiles,
) -> Result<RawOption, VariableError> {
    let parts: Vec<&str> = name.trim_start_matches(PREFIX).split("__").collect();
    let (section, option) = match parts.as_slice() {
        [section, option] => ((*section).to_lowercase(), *option),
        [kind, name, option] => (named_section(kind, name, sections), *option),
        _ => return Err(VariableError::UnknownName),
    };
    let variable = Some(name.to_owned());
    let Some(secret) = secret_of_file_variable(&section, option) else {
        return Ok(RawOption { section, option: option.to_owned(), value, line: None, variable });
    };
    files.watch(Path::new(&value));
    match text_file::read(Path::new(&value)) {
        Ok(text) => {
            let value = text.trim_end_matches(['\r', '\n']).to_owned();
            Ok(RawOption { section, option: secret, value, line: None, variable })
        }
        Err(cause) => {
            let direct = name.strip_suffix("_FILE").unwrap_or(name).to_owned();
            Err(VariableError::ReadFile { direct, cause })
        }
    }
}

/// Returns the secret option whose file `option` names: `PASSWORD` for `PASSWORD_FILE`.
fn secret_of_file_variable(section: &str, option: &str) -> Option<String> {
    let kind = kind_of(section)?;
    let option = option.to_ascii_uppercase();
    let secret = option.strip_suffix("_FILE")?;
    let is_secret = options::find(kind, secret).is_some_and(|option| option.secret);
    (is_secret && options::find(kind, &option).is_none()).then(|| secret.to_owned())
}

/// Returns the title `shard:NAME` or `client:NAME` for the two parts in a variable's name.
///
/// A variable's name has neither lower case letters nor `-` and `.`. A section of the file that is equal but for those is
/// meant; without one, the section is new.
fn named_section(kind: &str, name: &str, sections: &[String]) -> String {
    let title = format!("{}:{}", kind.to_lowercase(), name.to_lowercase());
    sections.iter().find(|section| simplified(section) == simplified(&title)).cloned().unwrap_or(title)
}

fn simplified(title: &str) -> String {
    title.to_lowercase().replace(['-', '.'], "_")
}

/// Returns the kind of section that a title names.
pub fn kind_of(title: &str) -> Option<Section> {
    Section::ALL.into_iter().find(|section| match section.prefix() {
        Some(prefix) => title.strip_prefix(prefix).is_some_and(|name| !name.is_empty()),
        None => section.title() == title,
    })
}
