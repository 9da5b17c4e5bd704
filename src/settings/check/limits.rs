//! Limits that several options share.

use crate::settings::section_reader::SectionReader;

/// Longest time of most options: one day.
pub const SECS_MAX: i64 = 86_400;
/// Largest size of most options.
pub const BYTES_MAX: i64 = 512 * 1024 * 1024;

/// Records a problem with `option` if the name in the section's title is invalid.
pub fn check_name(section: &SectionReader<'_>, name: &str, option: &str) {
    let valid = name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    if !valid {
        section.error(option, format!("\"{name}\" is not a name: up to 64 letters, digits, \".\", \"_\" or \"-\""));
    }
}
