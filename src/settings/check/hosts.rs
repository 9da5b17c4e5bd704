//! The names of the admin port.

use crate::settings::section_reader::SectionReader;

/// Reads `ADMIN_HOSTS`.
pub fn listed(service: &SectionReader<'_>) -> Vec<String> {
    let mut names = Vec::new();
    for text in service.list("ADMIN_HOSTS") {
        if text == "*" || is_name(text) {
            names.push(text.to_owned());
        } else {
            let remedy = "write it without scheme, port and path, such as cache.example.com, or * for all names";
            service.error("ADMIN_HOSTS", format!("\"{text}\" is not a host name: {remedy}"));
        }
    }
    names
}

fn is_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}
