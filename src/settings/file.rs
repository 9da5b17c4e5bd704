//! `setup.config` as Python's `RawConfigParser` reads it: values are verbatim, option names have no case.

use super::{Problem, entry::Entry};
use ini::{Ini, ParseOption};
use std::{collections::HashSet, path::Path};

/// The section whose options are defaults for all others, as in Python.
pub const DEFAULTS: &str = "DEFAULT";

/// All entries in the order of the file.
pub fn read(path: &Path, problems: &mut Vec<Problem>) -> Vec<Entry> {
    let text = match std::fs::read(path).map(String::from_utf8) {
        Ok(Ok(text)) => text,
        Ok(Err(_)) => return refuse(problems, "file", "is not UTF-8 text".to_owned()),
        Err(error) => return refuse(problems, "file", format!("cannot be read: {error}")),
    };
    parse(&text, problems)
}

fn parse(text: &str, problems: &mut Vec<Problem>) -> Vec<Entry> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if !lines_are_sound(text, problems) {
        return Vec::new();
    }
    let verbatim = ParseOption {
        enabled_quote: false,
        enabled_escape: false,
        enabled_indented_mutiline_value: true,
        ..ParseOption::default()
    };
    let ini = match Ini::load_from_str_opt(text, verbatim) {
        Ok(ini) => ini,
        Err(error) => {
            return refuse(problems, &format!("line {}", error.line), format!("is not understood: {}", error.msg));
        }
    };
    let mut entries = Vec::new();
    let (mut sections, mut options) = (HashSet::new(), HashSet::new());
    for (section, properties) in &ini {
        let Some(section) = section else {
            for (option, _) in properties {
                refuse(problems, option, "stands before the first [section]".to_owned());
            }
            continue;
        };
        if !sections.insert(section.to_owned()) {
            refuse(problems, &format!("[{section}]"), "stands twice in the file".to_owned());
        }
        for (option, value) in properties {
            let place = format!("[{section}] {option}");
            if options.insert((section.to_owned(), option.to_ascii_lowercase())) {
                entries.push(Entry {
                    section: section.to_owned(),
                    option: option.to_owned(),
                    value: value.trim().to_owned(),
                    variable: None,
                });
            } else {
                refuse(problems, &place, "stands twice in the section".to_owned());
            }
        }
    }
    entries
}

/// Finds the lines that are nothing: the parser itself would take such a line for the beginning of the next one.
fn lines_are_sound(text: &str, problems: &mut Vec<Problem>) -> bool {
    let before = problems.len();
    for (number, line) in text.lines().enumerate() {
        let blank_or_continued = line.trim().is_empty() || line.starts_with([' ', '\t']);
        let sound = blank_or_continued
            || line.starts_with(['#', ';'])
            || (line.starts_with('[') && line.contains(']'))
            || line.contains(['=', ':']);
        if !sound {
            refuse(
                problems,
                &format!("line {}", number + 1),
                "is neither [section] nor option=value, and comments start with # or ;".to_owned(),
            );
        }
    }
    problems.len() == before
}

fn refuse(problems: &mut Vec<Problem>, place: &str, message: String) -> Vec<Entry> {
    problems.push(Problem { place: place.to_owned(), message });
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(text: &str) -> Vec<(String, String, String)> {
        let mut problems = Vec::new();
        let entries = parse(text, &mut problems);
        assert_eq!(problems, []);
        entries.into_iter().map(|entry| (entry.section, entry.option, entry.value)).collect()
    }

    fn values(text: &str) -> Vec<String> {
        entries(text).into_iter().map(|(.., value)| value).collect()
    }

    #[test]
    fn values_are_verbatim() {
        let text = "[redis]\npassword=a%b;c#d\\n\"e\" 'f'\nhost = spaced \nusername: colon\n";
        assert_eq!(values(text), ["a%b;c#d\\n\"e\" 'f'", "spaced", "colon"]);
        assert_eq!(values("[redis]\npassword=\"quoted\"\nhost='x'\n"), ["\"quoted\"", "'x'"]);
        assert_eq!(values("[redis]\npassword=\n"), [""]);
        assert_eq!(values("[redis]\npassword=x ; no comment\n"), ["x ; no comment"]);
        assert_eq!(values("[redis]\r\npassword=x\r\nhost=y\r\n"), ["x", "y"]);
    }

    #[test]
    fn comments_and_continuations_are_as_in_python() {
        assert_eq!(values("# one\n; two\n[redis]\n# three\nhost=a\n; four\n"), ["a"]);
        assert_eq!(values("[redis]\nreplicas=a:1,\n  b:2\nport=1\n"), ["a:1,\nb:2", "1"]);
    }

    #[test]
    fn doubles_and_nonsense_are_refused() {
        for (text, place) in [
            ("[a]\nx=1\n[a]\ny=1\n", "[a]"),
            ("[a]\nx=1\nX=2\n", "[a] X"),
            ("x=1\n", "x"),
            ("[a]\nno value\n", "line 2"),
        ] {
            let mut problems = Vec::new();
            parse(text, &mut problems);
            assert!(problems.iter().any(|problem| problem.place.starts_with(place)), "{text:?} gave {problems:?}");
        }
    }
}
