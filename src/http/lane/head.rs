//! The head of a request, as far as the lane takes it.

use crate::http::{head::HEAD_BYTES_MAX, head_fields::HeadFields};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use httparse::{Header, Request, Status};
use std::mem::MaybeUninit;

/// Longest part of a head that waits for the rest of it in the lane, in bytes.
const PARTIAL_BYTES_MAX: usize = 4 * 1024;
/// Longest body that the lane takes, in bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// Largest number of fields that the lane takes.
pub const FIELDS_MAX: usize = 48;

/// Room for the fields of a head.
pub type FieldRoom<'b> = [MaybeUninit<Header<'b>>; FIELDS_MAX];

/// Returns room for the fields of a head.
pub const fn field_room<'b>() -> FieldRoom<'b> {
    [const { MaybeUninit::uninit() }; FIELDS_MAX]
}

/// The fields of a head that the lane takes.
pub struct LaneHead<'b> {
    fields: &'b [Header<'b>],
    /// The lengths of their names, a bit for each. Most of the fields that are looked for are in no request.
    name_lengths: u64,
    /// The length of the head in bytes.
    pub bytes: usize,
    /// The length of the body in bytes.
    pub body_bytes: usize,
}

/// The bytes at the beginning of a message.
pub enum Parsed<'b> {
    /// They are the beginning of a request that the lane may take.
    Partial,
    /// They are something else, which hyper takes.
    HandOver,
    /// They begin with a head. The number tells which of the given lines it has.
    Head(LaneHead<'b>, usize),
}

impl HeadFields for LaneHead<'_> {
    fn values<'h>(&'h self, name: &HeaderName) -> impl Iterator<Item = &'h [u8]> {
        let name = name.as_str();
        let fields = if self.name_lengths & length_bit(name) == 0 { &[] } else { self.fields };
        fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    }
}

impl LaneHead<'_> {
    /// Returns the fields in a map.
    pub fn to_map(&self) -> Option<HeaderMap> {
        let mut map = HeaderMap::with_capacity(self.fields.len());
        for field in self.fields {
            let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
            map.append(name, HeaderValue::from_bytes(field.value).ok()?);
        }
        Some(map)
    }
}

/// Reads the head of a request that begins with one of these lines.
pub fn parse<'b>(input: &'b [u8], lines: &[&str], room: &'b mut FieldRoom<'b>) -> Parsed<'b> {
    let Some(line) = lines.iter().position(|line| begins_with(input, line.as_bytes())) else { return Parsed::HandOver };
    if input.len() < lines[line].len() {
        return Parsed::Partial;
    }
    let mut request = Request::new(&mut []);
    match request.parse_with_uninit_headers(input, room) {
        Ok(Status::Complete(bytes)) if bytes <= HEAD_BYTES_MAX => {
            let fields: &'b [Header<'b>] = request.headers;
            let Some(body_bytes) = body_bytes(fields) else { return Parsed::HandOver };
            let name_lengths = fields.iter().fold(0, |lengths, field| lengths | length_bit(field.name));
            Parsed::Head(LaneHead { fields, name_lengths, bytes, body_bytes }, line)
        }
        Ok(Status::Partial) if input.len() <= PARTIAL_BYTES_MAX => Parsed::Partial,
        Ok(_) | Err(_) => Parsed::HandOver,
    }
}

/// Returns true if the bytes begin with the line, or the line with the bytes.
fn begins_with(input: &[u8], line: &[u8]) -> bool {
    let length = input.len().min(line.len());
    input[..length] == line[..length]
}

/// Returns the bit that stands for the length of a name.
fn length_bit(name: &str) -> u64 {
    1 << (name.len() % 64)
}

/// Returns the length of the body of a request that has nothing unusual in its head.
fn body_bytes(fields: &[Header<'_>]) -> Option<usize> {
    let (mut length, mut hosts, mut authorizations) = (None, 0, 0);
    for Header { name, value } in fields {
        // Most names are told apart by their length alone.
        match name.len() {
            4 if name.eq_ignore_ascii_case("host") => hosts += 1,
            6 if name.eq_ignore_ascii_case("expect") => return None,
            7 if name.eq_ignore_ascii_case("upgrade") => return None,
            10 if name.eq_ignore_ascii_case("connection") && !value.eq_ignore_ascii_case(b"keep-alive") => return None,
            13 if name.eq_ignore_ascii_case("authorization") => authorizations += 1,
            14 if name.eq_ignore_ascii_case("content-length") => {
                if length.is_some() {
                    return None;
                }
                length = Some(content_length(value)?);
            }
            17 if name.eq_ignore_ascii_case("transfer-encoding") => return None,
            _ => {}
        }
    }
    length.filter(|_| hosts == 1 && authorizations <= 1)
}

/// Returns the number in `Content-Length` if it is written in the plainest way, and small.
fn content_length(value: &[u8]) -> Option<usize> {
    let is_plain = (1..=5).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    let length = str::from_utf8(value).ok().filter(|_| is_plain)?.parse().ok()?;
    (length <= BODY_BYTES_MAX).then_some(length)
}
