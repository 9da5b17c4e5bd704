//! The text of a JSON body.

use crate::http::{ErrorCode, Problem};

/// The mark that some programs write before a UTF-8 text. It is no part of the text.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Returns the text of a body that must be UTF-8, without its byte order mark.
pub fn body_text(bytes: &[u8]) -> Result<&str, Problem> {
    let content = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    std::str::from_utf8(content).map_err(|error| {
        let position = bytes.len() - content.len() + error.valid_up_to();
        Problem::new(ErrorCode::InvalidUtf8, format!("The body is not UTF-8: byte {position} is wrong"))
    })
}
