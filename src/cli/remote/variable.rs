//! Environment variables of the commands that are clients of a service.

use std::env;

/// Reads an environment variable; `None` if it is absent or empty.
pub fn variable(name: &str) -> Option<String> {
    env::var(name).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}
