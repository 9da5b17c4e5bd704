//! The parser of `setup.config`. It follows Python's `RawConfigParser`: values are verbatim, and the case of option names
//! does not count.

use super::{environment, problem::SettingsProblem, raw_option::RawOption, text_file};
use std::{collections::HashMap, path::Path};

/// The section whose options are defaults for all others, as in Python.
pub const DEFAULTS: &str = "DEFAULT";

/// The content of the file in its order.
#[derive(Clone, Debug, Default)]
pub struct IniDocument {
    /// The titles of all sections but [`DEFAULTS`], also of sections without options. No title is repeated.
    pub titles: Vec<String>,
    /// The line of each title.
    pub title_lines: Vec<usize>,
    /// The options of all sections.
    pub options: Vec<RawOption>,
    /// The text ends its last line. Another one may be the beginning of a file that is being written.
    pub ends_its_last_line: bool,
}

impl IniDocument {
    /// Reads a file; a file that cannot be read is a problem and yields an empty document.
    pub fn read(path: &Path, problems: &mut Vec<SettingsProblem>) -> Self {
        let message = match std::fs::read(path).map(String::from_utf8) {
            Ok(Ok(text)) => return Self::parse(&text, problems),
            Ok(Err(_)) => "is not UTF-8 text".to_owned(),
            Err(error) => format!("cannot be read: {error}"),
        };
        problems.push(SettingsProblem { location: String::new(), message });
        Self::default()
    }

    /// Parses a text; each line that cannot be parsed is a problem.
    pub fn parse(text: &str, problems: &mut Vec<SettingsProblem>) -> Self {
        let mut parser = Parser {
            problems,
            document: Self::default(),
            number: 0,
            section: None,
            missing_section_reported: false,
            indent: 0,
            continues: false,
            first_lines: HashMap::new(),
        };
        for line in lines(text_file::without_mark(text)) {
            parser.number += 1;
            parser.parse_line(line);
        }
        let mut document = parser.document;
        document.ends_its_last_line = text.ends_with(['\n', '\r']);
        for option in &mut document.options {
            option.value.truncate(option.value.trim_end_matches(is_space).len());
        }
        document
    }
}

struct Parser<'a> {
    problems: &'a mut Vec<SettingsProblem>,
    document: IniDocument,
    /// Number of the current line, from 1.
    number: usize,
    /// Title of the section that the current line belongs to.
    section: Option<String>,
    /// A line before the first section was refused. One problem stands for all such lines.
    missing_section_reported: bool,
    /// Indentation of the last line that was a section or an option.
    indent: usize,
    /// The last option may continue in lines with a deeper indentation.
    continues: bool,
    /// The line in which each section (without an option) and each option first occurs.
    first_lines: HashMap<(String, Option<String>), usize>,
}

impl Parser<'_> {
    fn parse_line(&mut self, line: &str) {
        let content = line.trim_matches(is_space);
        if content.starts_with(['#', ';']) {
            return;
        }
        if content.is_empty() {
            return self.continue_value("");
        }
        let indent = line.chars().take_while(|character| is_space(*character)).count();
        if self.continues && indent > self.indent {
            return self.continue_value(content);
        }
        self.indent = indent;
        match (title(content), self.section.clone()) {
            (Some(title), _) => self.start_section(title),
            (None, Some(section)) => self.add_option(section, content),
            (None, None) if self.missing_section_reported => {}
            (None, None) => {
                self.missing_section_reported = true;
                self.error(unclosed_title(content).unwrap_or_else(|| "is before the first [section]".to_owned()));
            }
        }
    }

    /// Adds a line to the last value, if that may continue.
    fn continue_value(&mut self, content: &str) {
        if let Some(option) = self.document.options.last_mut().filter(|_| self.continues) {
            option.value.push('\n');
            option.value.push_str(content);
        }
    }

    fn start_section(&mut self, title: &str) {
        self.continues = false;
        self.section = Some(title.to_owned());
        if title == DEFAULTS {
            return;
        }
        if let Some(first) = self.earlier_line(title, None) {
            self.error(format!("[{title}] is in line {first} already: put its options together there"));
        } else {
            self.document.titles.push(title.to_owned());
            self.document.title_lines.push(self.number);
        }
    }

    fn add_option(&mut self, section: String, content: &str) {
        let Some((option, value)) = content.split_once(['=', ':']) else {
            return self.error(unclosed_title(content).unwrap_or_else(|| {
                "is neither [section] nor option=value, and comments start with # or ;".to_owned()
            }));
        };
        let option = option.trim_end_matches(is_space);
        if option.is_empty() {
            return self.error("has no option before the \"=\" or \":\"");
        }
        if let Some(first) = self.earlier_line(&section, Some(option)) {
            self.error(format!("[{section}] {option} is set in line {first} already: keep one of them"));
        }
        let value = value.trim_matches(is_space).to_owned();
        self.document.options.push(RawOption {
            section,
            option: option.to_owned(),
            value,
            line: Some(self.number),
            variable: None,
        });
        self.continues = true;
    }

    /// Returns the earlier line that has the same section or option; else records the current line.
    fn earlier_line(&mut self, section: &str, option: Option<&str>) -> Option<usize> {
        let name = (section.to_owned(), option.map(str::to_lowercase));
        let first = *self.first_lines.entry(name).or_insert(self.number);
        (first != self.number).then_some(first)
    }

    fn error(&mut self, message: impl Into<String>) {
        self.problems.push(SettingsProblem { location: format!("line {}", self.number), message: message.into() });
    }
}

/// Returns the text between the first bracket and the last one; Python ignores the text after that, too.
fn title(content: &str) -> Option<&str> {
    let inside = content.strip_prefix('[')?;
    inside.rfind(']').filter(|end| *end > 0).map(|end| &inside[..end])
}

/// Returns the problem of a line that begins with a bracket and has no closing one. The message has the text of the line
/// only where that is the title of a section: any other text may be a part of a secret.
fn unclosed_title(content: &str) -> Option<String> {
    let title = content.strip_prefix('[').filter(|rest| !rest.contains(']'))?;
    Some(match environment::kind_of(title) {
        Some(_) => format!("`{content}` has no closing `]`"),
        None => "begins with `[` and has no closing `]`".to_owned(),
    })
}

/// Splits a text at `\n`, `\r\n` and `\r`, as Python splits text files.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

/// Returns true for the characters that Python's `str.strip` removes: Unicode's white space and ASCII's four separators.
fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\x1c'..='\x1f').contains(&character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<String> {
        let mut problems = Vec::new();
        let document = IniDocument::parse(text, &mut problems);
        assert_eq!(problems, []);
        document.options.into_iter().map(|option| option.value).collect()
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
    fn comments_and_continuations_follow_python() {
        assert_eq!(values("# one\n; two\n[redis]\n# three\nhost=a\n; four\n"), ["a"]);
        assert_eq!(values("[redis]\nreplicas=a:1,\n  b:2\nport=1\n"), ["a:1,\nb:2", "1"]);
        assert_eq!(values("[redis]\nreplicas=a:1,\n  ; not yet\n  b:2\n  host=x\n"), ["a:1,\nb:2\nhost=x"]);
        assert_eq!(values("  [redis]\n  host=a\n  port=1\n\n"), ["a", "1"]);
    }

    #[test]
    fn a_section_without_its_closing_bracket_is_named() {
        for (text, expected) in [
            ("[service\nPORT=1\nHOST=x\n", "line 1: `[service` has no closing `]`"),
            ("[redis]\n[near_cache\n", "line 2: `[near_cache` has no closing `]`"),
            ("[redis]\n[hunter2\n", "line 2 begins with `[` and has no closing `]`"),
        ] {
            let mut problems = Vec::new();
            IniDocument::parse(text, &mut problems);
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            assert_eq!(problems, [expected]);
        }
    }

    #[test]
    fn each_problem_names_its_line() {
        let text = "x=1\ny=2\n[a] ; text\nno value\nx=1\n\n[b]\n=y\n[a]\nX=2\n";
        let mut problems = Vec::new();
        let document = IniDocument::parse(text, &mut problems);
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            [
                "line 1 is before the first [section]",
                "line 4 is neither [section] nor option=value, and comments start with # or ;",
                "line 8 has no option before the \"=\" or \":\"",
                "line 9: [a] is in line 3 already: put its options together there",
                "line 10: [a] X is set in line 5 already: keep one of them",
            ]
        );
        assert_eq!(document.titles, ["a", "b"]);
    }
}
