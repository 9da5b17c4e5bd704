//! The items of the protocol RESP3: a value, or the head of an aggregate whose items follow.

use redis::{PushKind, Value, VerbatimFormat};
use std::io;

/// Items for which room is made before they arrive.
const CAPACITY_MAX: usize = 1024;
/// Length of the longest string that has to be in the buffer as a whole.
const SHORT_BYTES_MAX: usize = 8 * 1024;
/// Length of the longest string that a node can send.
const STRING_BYTES_MAX: usize = 1 << 40;

/// The first item in a buffer.
pub enum Item {
    /// A complete value.
    Value(Value),
    /// The head of an aggregate.
    Aggregate(Aggregate),
    /// The head of a string that is not in the buffer as a whole.
    LongString {
        /// The type of the string.
        kind: u8,
        /// The length in bytes.
        length: usize,
    },
}

/// A reply that consists of other replies.
pub struct Aggregate {
    kind: u8,
    /// The number of items.
    count: usize,
    items: Vec<Value>,
}

impl Aggregate {
    fn new(kind: u8, count: usize) -> Self {
        Self { kind, count, items: Vec::with_capacity(count.min(CAPACITY_MAX)) }
    }

    /// Adds an item. Returns true if the aggregate is complete.
    pub fn add(&mut self, item: Value) -> bool {
        self.items.push(item);
        self.items.len() == self.count
    }

    /// Returns the value of all items; `None` for an attribute.
    pub fn into_value(self) -> Option<Value> {
        let mut items = self.items;
        Some(match self.kind {
            b'~' => Value::Set(items),
            b'%' => {
                let mut items = items.into_iter();
                let pairs = std::iter::from_fn(|| Some((items.next()?, items.next()?)));
                Value::Map(pairs.collect())
            }
            b'|' => return None,
            b'>' => {
                let kind = if items.is_empty() { Value::Nil } else { items.remove(0) };
                Value::Push { kind: push_kind(kind), data: items }
            }
            _ => Value::Array(items),
        })
    }
}

/// Parses the first item. Returns it and the bytes that it takes; `None` if more bytes are needed.
pub fn parse_item(bytes: &[u8]) -> io::Result<Option<(Item, usize)>> {
    let Some(line_end) = find_line_end(bytes) else { return Ok(None) };
    let (kind, text, used) = (bytes[0], &bytes[1..line_end.max(1)], line_end + 2);
    let value = match kind {
        b'$' | b'!' | b'=' => match parse_number(text)? {
            length if length < 0 => Value::Nil,
            length => return parse_string(kind, to_length(length)?, &bytes[used..], used),
        },
        b':' => Value::Int(parse_number(text)?),
        b'+' if text == b"OK" => Value::Okay,
        b'+' => Value::SimpleString(String::from_utf8_lossy(text).into_owned()),
        b'-' => error(text),
        b'_' => Value::Nil,
        b'*' | b'~' | b'%' | b'|' | b'>' => {
            let count = parse_number(text)?;
            let count = if matches!(kind, b'%' | b'|') { count.saturating_mul(2) } else { count };
            match count {
                ..0 => Value::Nil,
                0 if kind == b'|' => return Err(invalid("an attribute is empty")),
                0 => Aggregate::new(kind, 0).into_value().unwrap_or(Value::Nil),
                count => return Ok(Some((Item::Aggregate(Aggregate::new(kind, to_length(count)?)), used))),
            }
        }
        // The types that no command of this service has in its reply.
        b',' | b'#' | b'(' => redis::parse_redis_value(&bytes[..used]).map_err(|_| invalid("a reply is malformed"))?,
        _ => return Err(invalid("a reply has an unknown type")),
    };
    Ok(Some((Item::Value(value), used)))
}

/// Returns the position of the first `\r\n`.
fn find_line_end(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + bytes[from..].iter().position(|byte| *byte == b'\r')?;
        match bytes.get(at + 1) {
            Some(b'\n') => return Some(at),
            Some(_) => from = at + 1,
            None => return None,
        }
    }
}

/// Parses a string whose head takes `used` bytes; `rest` is what follows the head.
fn parse_string(kind: u8, length: usize, rest: &[u8], used: usize) -> io::Result<Option<(Item, usize)>> {
    match rest.get(..length + 2) {
        Some(found) if found.ends_with(b"\r\n") => {
            let value = string(kind, found[..length].to_vec());
            Ok(Some((Item::Value(value), used + length + 2)))
        }
        Some(_) => Err(invalid("a string does not end where it should")),
        None if length <= SHORT_BYTES_MAX => Ok(None),
        None => Ok(Some((Item::LongString { kind, length }, used))),
    }
}

/// Returns the value of a string of this type.
pub fn string(kind: u8, bytes: Vec<u8>) -> Value {
    match kind {
        b'!' => error(&bytes),
        b'=' => {
            let text = String::from_utf8_lossy(bytes.get(4..).unwrap_or_default()).into_owned();
            Value::VerbatimString { format: VerbatimFormat::Text, text }
        }
        _ => Value::BulkString(bytes),
    }
}

/// Returns the error of a node. Its text may repeat a part of a command that is cut within a character.
fn error(text: &[u8]) -> Value {
    let text = String::from_utf8_lossy(text).replace(['\r', '\n'], " ");
    let parsed = redis::parse_redis_value(format!("-{text}\r\n").as_bytes());
    parsed.expect("an error of one line in UTF-8 can be parsed")
}

fn push_kind(kind: Value) -> PushKind {
    match kind {
        Value::BulkString(name) if name == b"invalidate" => PushKind::Invalidate,
        Value::BulkString(name) => PushKind::Other(String::from_utf8_lossy(&name).into_owned()),
        Value::SimpleString(name) => PushKind::Other(name),
        _ => PushKind::Other(String::new()),
    }
}

fn parse_number(text: &[u8]) -> io::Result<i64> {
    let (digits, is_negative) = match text {
        [b'-', digits @ ..] => (digits, true),
        [b'+', digits @ ..] | digits => (digits, false),
    };
    if digits.is_empty() {
        return Err(invalid("a number is missing"));
    }
    let mut number = 0_i64;
    for digit in digits {
        let value = i64::from(digit.wrapping_sub(b'0'));
        if value > 9 {
            return Err(invalid("a number is malformed"));
        }
        let next = number.checked_mul(10).and_then(|number| number.checked_sub(value));
        number = next.ok_or_else(|| invalid("a number is too large"))?;
    }
    // Counted downwards, because the smallest number has no positive counterpart.
    if is_negative { Ok(number) } else { number.checked_neg().ok_or_else(|| invalid("a number is too large")) }
}

fn to_length(number: i64) -> io::Result<usize> {
    usize::try_from(number)
        .ok()
        .filter(|length| *length <= STRING_BYTES_MAX)
        .ok_or_else(|| invalid("a length is too large"))
}

/// Returns the error of bytes that are no reply.
pub fn invalid(problem: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}
