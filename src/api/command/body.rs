//! The body of `POST /cache`, read only as far as needed to tell one command from a batch.

use super::messages::{malformed, not_an_object};
use crate::{
    api::body_text::body_text,
    http::{ErrorCode, Problem},
};
use serde::{
    Deserializer,
    de::{Error, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use std::fmt;

/// Maximum number of commands in one batch.
const BATCH_COMMANDS_MAX: usize = 1000;

/// The commands of a body, not parsed yet.
pub enum CommandBody<'a> {
    /// One command.
    Single(&'a str),
    /// An array of commands.
    Batch(Vec<&'a RawValue>),
}

/// Parses a body as far as needed to tell one command from a batch.
pub fn parse_body(bytes: &[u8]) -> Result<CommandBody<'_>, Problem> {
    let text = body_text(bytes)?;
    match text.trim_ascii_start().bytes().next() {
        Some(b'{') => Ok(CommandBody::Single(text)),
        Some(b'[') => parse_batch(text).map(CommandBody::Batch),
        None => Err(Problem::new(
            ErrorCode::InvalidJson,
            "The body is empty; send a command such as {\"command\":\"READ\",\"key\":\"k\"}",
        )),
        // Neither an object nor an array: the parser tells whether it is JSON at all.
        Some(_) => Err(match serde_json::from_str::<&RawValue>(text) {
            Err(error) => malformed(&error),
            Ok(_) => not_an_object(text),
        }),
    }
}

/// Finds the items of a batch. The parser stops at the first item that is too many, so that the rest costs nothing.
fn parse_batch(text: &str) -> Result<Vec<&RawValue>, Problem> {
    let mut too_many = false;
    let mut parser = serde_json::Deserializer::from_str(text);
    let items = parser.deserialize_seq(ItemVisitor { too_many: &mut too_many });
    let items = items.and_then(|items| parser.end().map(|()| items));
    items.map_err(|error| if too_many { too_large() } else { malformed(&error) })
}

fn too_large() -> Problem {
    let message = format!("The batch has more than {BATCH_COMMANDS_MAX} commands: send several batches");
    Problem::new(ErrorCode::BatchTooLarge, message)
}

/// Collects the items of an array, up to the limit.
struct ItemVisitor<'t> {
    /// Set if the array has more items than a batch may have.
    too_many: &'t mut bool,
}

impl<'de> Visitor<'de> for ItemVisitor<'_> {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of commands")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = array.next_element()? {
            if items.len() == BATCH_COMMANDS_MAX {
                *self.too_many = true;
                return Err(A::Error::custom("too many items"));
            }
            items.push(item);
        }
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> ErrorCode {
        parse_body(text.as_bytes()).map(|_| ()).expect_err("a refusal").code()
    }

    #[test]
    fn nothing_behind_the_first_item_too_many_is_parsed() {
        let full = vec!["1"; BATCH_COMMANDS_MAX].join(",");
        let text = format!(" [{full}] ");
        let body = parse_body(text.as_bytes());
        assert!(matches!(body, Ok(CommandBody::Batch(items)) if items.len() == BATCH_COMMANDS_MAX));
        // What follows is not JSON, and nobody notices.
        assert_eq!(refusal(&format!("[{full},1,this is no JSON")), ErrorCode::BatchTooLarge);
        for text in [format!("[{full},"), format!("[{full}] x"), format!("[{full}")] {
            assert_eq!(refusal(&text), ErrorCode::InvalidJson, "{}", &text[1990..]);
        }
    }
}
