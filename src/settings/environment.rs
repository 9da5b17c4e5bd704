//! Options from the environment: `CACHEFRONT__SECTION__OPTION`, and for secrets `…_FILE` with the path of a file.

use super::{
    SettingsProblem,
    entry::RawOption,
    files::WatchedFiles,
    options::{self, Section},
};
use std::{
    ffi::{OsStr, OsString},
    path::Path,
};

const PREFIX: &str = "CACHEFRONT__";

/// Reads the variables that are ours; `sections` are the titles that the file has.
pub fn read(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    sections: &[String],
    files: &mut WatchedFiles,
    problems: &mut Vec<SettingsProblem>,
) -> Vec<RawOption> {
    let is_ours = |name: &OsStr| name.as_encoded_bytes().starts_with(PREFIX.as_bytes());
    let mut ours: Vec<_> = variables.into_iter().filter(|(name, _)| is_ours(name)).collect();
    ours.sort();
    ours.into_iter()
        .filter_map(|(name, value)| {
            // A name that is no text is shown as well as it can be, and then is none of ours.
            let name = name.to_string_lossy().into_owned();
            let value = value.into_string().map_err(|_| "is not UTF-8 text".to_owned());
            let entry = value.and_then(|value| entry(&name, value, sections, files));
            entry.map_err(|message| problems.push(SettingsProblem { place: name, message })).ok()
        })
        .collect()
}

fn entry(name: &str, value: String, sections: &[String], files: &mut WatchedFiles) -> Result<RawOption, String> {
    let parts: Vec<&str> = name.trim_start_matches(PREFIX).split("__").collect();
    let (section, option) = match parts.as_slice() {
        [section, option] => ((*section).to_lowercase(), *option),
        [kind, name, option] => (named_section(kind, name, sections), *option),
        _ => return Err("is none of ours; write CACHEFRONT__SECTION__OPTION".to_owned()),
    };
    let kind = kind_of(&section);
    if let (Some(kind), Some(base)) = (kind, option.to_ascii_uppercase().strip_suffix("_FILE"))
        && options::find(kind, option).is_none()
        && options::find(kind, base).is_some_and(|option| option.secret)
    {
        files.note(Path::new(&value));
        let text = std::fs::read_to_string(&value).map_err(|error| format!("cannot read \"{value}\": {error}"))?;
        let value = text.trim_end_matches(['\r', '\n']).to_owned();
        return Ok(RawOption { section, option: base.to_owned(), value, variable: Some(name.to_owned()) });
    }
    Ok(RawOption { section, option: option.to_owned(), value, variable: Some(name.to_owned()) })
}

/// `[shard:NAME]` or `[client:NAME]` for the two parts in a variable's name. A variable can't hold small letters'
/// case nor `-` and `.`, so a section of the file that reads the same but for those is meant; else it is new.
fn named_section(kind: &str, name: &str, sections: &[String]) -> String {
    let title = format!("{}:{}", kind.to_lowercase(), name.to_lowercase());
    let plain = |text: &str| text.to_lowercase().replace(['-', '.'], "_");
    sections.iter().find(|section| plain(section) == plain(&title)).cloned().unwrap_or(title)
}

/// The kind of section that a title names.
pub fn kind_of(title: &str) -> Option<Section> {
    Section::ALL.into_iter().find(|section| match section.prefix() {
        Some(prefix) => title.strip_prefix(prefix).is_some_and(|name| !name.is_empty()),
        None => section.title() == title,
    })
}
