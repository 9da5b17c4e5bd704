//! Text files as people write them.

use std::{fs, io, path::Path};

/// The mark that some editors write at the beginning of a UTF-8 file. It is no part of the text.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Reads a UTF-8 file, without its byte order mark.
pub fn read(path: &Path) -> io::Result<String> {
    fs::read_to_string(path).map(|text| without_mark(&text).to_owned())
}

/// Returns a text without the byte order mark at its beginning.
pub fn without_mark(text: &str) -> &str {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}
