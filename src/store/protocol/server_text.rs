//! The texts that a Redis server sends with its errors, made fit for logs and messages.
//!
//! A server repeats what it was sent: `unknown command 'HELLO', with args beginning with: '3' 'AUTH' …`. So arguments, which
//! are keys, values and passwords, never get further than this module.

use crate::types::check_host;
use std::{fmt, net::Ipv6Addr};

/// Maximum number of characters of a text.
const CHARS_MAX: usize = 160;

/// Beginnings of the part of an error that repeats the arguments of the command, in lower case.
const ARGUMENTS: [&str; 2] = [", with args", " args: "];

/// The words of the commands that this service sends, and other words that Redis quotes. Any other quoted text can be an
/// argument.
const QUOTABLE: &str = "asking auth caching client cluster dbsize discard eval exec get getrange \
    get-master-addr-by-name hello info master maxmemory multi no nodes pexpire ping psubscribe psync pttl randomkey \
    readonly readwrite replicas scan select sentinel set setinfo slots strlen subscribe tracking type unlink wait yes";

/// The text of an error of a Redis server, without the arguments of the command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerText(String);

impl ServerText {
    /// Takes the text of an error without its code, and cuts it before the first argument.
    pub fn new(text: &str) -> Self {
        let printable = printable(text);
        let mut rest = before_arguments(&printable);
        let mut safe = String::new();
        while let Some(start) = quote(rest) {
            let (before, quoted) = rest.split_at(start);
            let mark = &quoted[..1];
            safe.push_str(before);
            match quoted[1..].split_once(mark) {
                Some((word, after)) if is_quotable(word) => {
                    safe.extend([mark, word, mark]);
                    rest = after;
                }
                _ => {
                    safe.push('…');
                    rest = "";
                }
            }
        }
        safe.push_str(rest);
        Self(safe.trim_end().to_owned())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServerText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns the beginning of a text of another program, with a question mark in place of every character that is not
/// printable ASCII: it may be shown at a terminal.
pub fn printable(text: &str) -> String {
    text.trim().chars().take(CHARS_MAX).map(|character| if is_printable(character) { character } else { '?' }).collect()
}

fn is_printable(character: char) -> bool {
    character.is_ascii_graphic() || character == ' '
}

/// Returns true if a text can be the host of a node: a name or an IP address, and nothing that acts on a terminal.
pub fn is_host(text: &str) -> bool {
    check_host(text).is_ok() || text.parse::<Ipv6Addr>().is_ok()
}

fn before_arguments(text: &str) -> &str {
    let lower = text.to_ascii_lowercase();
    let end = ARGUMENTS.iter().filter_map(|beginning| lower.find(beginning)).min();
    end.map_or(text, |end| &text[..end])
}

/// Returns the position of the first quotation mark.
fn quote(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    (0..bytes.len())
        .find(|position| matches!(bytes[*position], b'\'' | b'`' | b'"') && !is_apostrophe(bytes, *position))
}

/// Returns true for an apostrophe within a word.
fn is_apostrophe(bytes: &[u8], position: usize) -> bool {
    let is_letter = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphabetic);
    bytes[position] == b'\'' && position > 0 && is_letter(bytes.get(position - 1)) && is_letter(bytes.get(position + 1))
}

/// Returns true for the name of a command, such as `GET` or `client|tracking`.
fn is_quotable(text: &str) -> bool {
    text.split('|').all(|word| QUOTABLE.split_ascii_whitespace().any(|known| known.eq_ignore_ascii_case(word)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn safe(text: &str) -> String {
        ServerText::new(text).as_str().to_owned()
    }

    #[test]
    fn arguments_are_cut_off() {
        for (text, kept) in [
            (
                "unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'default' 'pw' ",
                "unknown command 'HELLO'",
            ),
            ("unknown command `SET`, with args beginning with: `k`, `v`, ", "unknown command `SET`"),
            ("unknown command 'SET' 'k' 'v'", "unknown command 'SET' …"),
            ("invalid password 'pw'", "invalid password …"),
            (
                "Unknown subcommand or wrong number of arguments for 'pw'. Try CLIENT HELP.",
                "Unknown subcommand or wrong number of arguments for …",
            ),
            ("unterminated 'GET", "unterminated …"),
        ] {
            assert_eq!(safe(text), kept);
        }
    }

    #[test]
    fn the_usual_errors_of_redis_stay_whole() {
        for text in [
            "this user has no permissions to run the 'client|tracking' command",
            "User cachefront has no permissions to run the 'wait' command",
            "You can't write against a read only replica.",
            "Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            "command not allowed when used memory > 'maxmemory'.",
            "invalid username-password pair or user is disabled.",
            "WAIT cannot be used with replica instances.",
        ] {
            assert_eq!(safe(text), text);
        }
    }

    #[test]
    fn characters_that_act_on_a_terminal_are_replaced_and_the_length_is_limited() {
        assert_eq!(safe("a\u{1b}[31mb\u{202e}c\r\nd"), "a?[31mb?c??d");
        assert_eq!(safe(&"x".repeat(10_000)).len(), CHARS_MAX);
    }

    #[test]
    fn a_host_is_a_name_or_an_address() {
        for host in ["10.0.0.1", "2001:db8::1", "redis-0.redis_x.svc"] {
            assert!(is_host(host), "{host}");
        }
        for text in ["", "?", "a b", "a\u{1b}[31m", "a\nb", "ä", &"a".repeat(256)] {
            assert!(!is_host(text), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_quoted_argument_gets_through(argument in "[a-z]{12,20}", command in "(GET|SET|hello)", mark in "['`\"]") {
            for text in [
                format!("unknown command {mark}{command}{mark}, with args beginning with: {mark}{argument}{mark} "),
                format!("unknown command {mark}{command}{mark} {mark}{argument}{mark}"),
                format!("cannot use {mark}{argument}{mark}"),
            ] {
                prop_assert!(!safe(&text).contains(&argument), "{}", safe(&text));
            }
        }
    }
}
