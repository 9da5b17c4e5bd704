//! `setup.config` as Python's `RawConfigParser` reads it: values are verbatim, option names have no case.

use super::{SettingsProblem, entry::RawOption};
use std::{collections::HashMap, path::Path};

/// The section whose options are defaults for all others, as in Python.
pub const DEFAULTS: &str = "DEFAULT";

/// What stands in the file, in its order.
#[derive(Debug, Default)]
pub struct IniDocument {
    /// Titles of all sections but [`DEFAULTS`], also of those without options; each stands here once.
    pub titles: Vec<String>,
    pub entries: Vec<RawOption>,
}

/// Reads as much as can be read; what can't be is among the `problems`.
pub fn read(path: &Path, problems: &mut Vec<SettingsProblem>) -> IniDocument {
    let message = match std::fs::read(path).map(String::from_utf8) {
        Ok(Ok(text)) => return parse(&text, problems),
        Ok(Err(_)) => "is not UTF-8 text".to_owned(),
        Err(error) => format!("cannot be read: {error}"),
    };
    problems.push(SettingsProblem { place: "file".to_owned(), message });
    IniDocument::default()
}

pub fn parse(text: &str, problems: &mut Vec<SettingsProblem>) -> IniDocument {
    let mut parser = Parser {
        problems,
        document: IniDocument::default(),
        number: 0,
        section: None,
        headless: false,
        indent: 0,
        continues: false,
        lines_of: HashMap::new(),
    };
    for line in lines(text.strip_prefix('\u{feff}').unwrap_or(text)) {
        parser.number += 1;
        parser.line(line);
    }
    let mut document = parser.document;
    for entry in &mut document.entries {
        entry.value.truncate(entry.value.trim_end_matches(is_space).len());
    }
    document
}

struct Parser<'a> {
    problems: &'a mut Vec<SettingsProblem>,
    document: IniDocument,
    /// Of the current line, from 1.
    number: usize,
    /// Title of the section that the current line belongs to.
    section: Option<String>,
    /// A line before the first section was refused; one problem stands for all of them.
    headless: bool,
    /// Characters before the last line that was a section or an option.
    indent: usize,
    /// The last entry may go on in deeper lines.
    continues: bool,
    /// Where each section and option was first set; sections have no option here.
    lines_of: HashMap<(String, Option<String>), usize>,
}

impl Parser<'_> {
    fn line(&mut self, line: &str) {
        let content = line.trim_matches(is_space);
        if content.starts_with(['#', ';']) {
            return;
        }
        if content.is_empty() {
            return self.go_on("");
        }
        let indent = line.chars().take_while(|character| is_space(*character)).count();
        if self.continues && indent > self.indent {
            return self.go_on(content);
        }
        self.indent = indent;
        match (title(content), self.section.clone()) {
            (Some(title), _) => self.open(title),
            (None, Some(section)) => self.option(section, content),
            (None, None) if self.headless => {}
            (None, None) => {
                self.headless = true;
                self.refuse("stands before the first [section]");
            }
        }
    }

    /// Adds a line to the last value, if it can go on.
    fn go_on(&mut self, content: &str) {
        if let Some(entry) = self.document.entries.last_mut().filter(|_| self.continues) {
            entry.value.push('\n');
            entry.value.push_str(content);
        }
    }

    fn open(&mut self, title: &str) {
        self.continues = false;
        self.section = Some(title.to_owned());
        if title == DEFAULTS {
            return;
        }
        match self.seen(title, None) {
            Some(first) => {
                self.refuse(format!("[{title}] stands in line {first} already: put its options together there"));
            }
            None => self.document.titles.push(title.to_owned()),
        }
    }

    fn option(&mut self, section: String, content: &str) {
        let Some((option, value)) = content.split_once(['=', ':']) else {
            return self.refuse("is neither [section] nor option=value, and comments start with # or ;");
        };
        let option = option.trim_end_matches(is_space);
        if option.is_empty() {
            return self.refuse("has no option before the \"=\" or \":\"");
        }
        if let Some(first) = self.seen(&section, Some(option)) {
            self.refuse(format!("[{section}] {option} is set in line {first} already: keep one of them"));
        }
        let value = value.trim_matches(is_space).to_owned();
        self.document.entries.push(RawOption { section, option: option.to_owned(), value, variable: None });
        self.continues = true;
    }

    /// The line in which this was set before, if it was.
    fn seen(&mut self, section: &str, option: Option<&str>) -> Option<usize> {
        let place = (section.to_owned(), option.map(str::to_lowercase));
        let first = *self.lines_of.entry(place).or_insert(self.number);
        (first != self.number).then_some(first)
    }

    fn refuse(&mut self, message: impl Into<String>) {
        self.problems.push(SettingsProblem { place: format!("line {}", self.number), message: message.into() });
    }
}

/// What stands between the first bracket and the last one; text after that is ignored, as Python does.
fn title(content: &str) -> Option<&str> {
    let inside = content.strip_prefix('[')?;
    inside.rfind(']').filter(|end| *end > 0).map(|end| &inside[..end])
}

/// Ends of lines are `\n`, `\r\n` and `\r`, as in Python's text files.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

/// What Python's `str.strip` takes away: it counts the four separators of ASCII, Unicode does not.
fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\x1c'..='\x1f').contains(&character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<String> {
        let mut problems = Vec::new();
        let document = parse(text, &mut problems);
        assert_eq!(problems, []);
        document.entries.into_iter().map(|entry| entry.value).collect()
    }

    #[test]
    fn values_are_verbatim() {
        let text = "[redis]\npassword=a%b;c#d\\n\"e\" 'f'\nhost = spaced \nusername: colon\n";
        assert_eq!(values(text), ["a%b;c#d\\n\"e\" 'f'", "spaced", "colon"]);
        assert_eq!(values("[redis]\npassword=\"quoted\"\nhost='x'\n"), ["\"quoted\"", "'x'"]);
        assert_eq!(values("[redis]\npassword=\n"), [""]);
        assert_eq!(values("[redis]\npassword=x ; no comment\n"), ["x ; no comment"]);
        assert_eq!(values("\u{feff}[redis]\r\npassword=x\r\nhost=y\r\n"), ["x", "y"]);
        assert_eq!(values("[redis]\npassword=ends with \\\nhost=y"), ["ends with \\", "y"]);
    }

    #[test]
    fn comments_and_continuations_are_as_in_python() {
        assert_eq!(values("# one\n; two\n[redis]\n# three\nhost=a\n; four\n"), ["a"]);
        assert_eq!(values("[redis]\nreplicas=a:1,\n  b:2\nport=1\n"), ["a:1,\nb:2", "1"]);
        assert_eq!(values("[redis]\nreplicas=a:1,\n  ; not yet\n  b:2\n  host=x\n"), ["a:1,\nb:2\nhost=x"]);
        assert_eq!(values("  [redis]\n  host=a\n  port=1\n\n"), ["a", "1"]);
    }

    #[test]
    fn all_that_is_wrong_is_told_with_its_line() {
        let text = "x=1\ny=2\n[a] ; text\nno value\nx=1\n\n[b]\n=y\n[a]\nX=2\n";
        let mut problems = Vec::new();
        let document = parse(text, &mut problems);
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            [
                "line 1: stands before the first [section]",
                "line 4: is neither [section] nor option=value, and comments start with # or ;",
                "line 8: has no option before the \"=\" or \":\"",
                "line 9: [a] stands in line 3 already: put its options together there",
                "line 10: [a] X is set in line 5 already: keep one of them",
            ]
        );
        assert_eq!(document.titles, ["a", "b"]);
    }
}
