//! `LOG_LEVEL`: a level, or targets with their levels.

use super::error::{LOG_LEVELS, LogFilterError};
use tracing_subscriber::EnvFilter;

/// Returns the filter in the form that [`EnvFilter`] reads.
///
/// `EnvFilter` alone takes any word for a target whose messages are all logged, so that `warning` would silence
/// everything else. Here each part needs a level.
pub fn parse(text: &str) -> Result<String, LogFilterError> {
    let parts: Vec<&str> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
        return Err(LogFilterError::Empty);
    }
    for part in &parts {
        let level = part.rsplit('=').next().unwrap_or_default();
        if !LOG_LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level)) {
            return Err(LogFilterError::UnknownLevel { part: (*part).to_owned() });
        }
    }
    let filter = parts.join(",");
    match filter.parse::<EnvFilter>() {
        Ok(_) => Ok(filter),
        Err(source) => Err(LogFilterError::Syntax { filter, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        parse(text).expect_err(text).to_string()
    }

    #[test]
    fn levels_and_targets_with_levels_are_filters() {
        for text in ["error", "WARN", "info", "off", "info,cachefront::store=debug", "warn,[request{id=7}]=trace"] {
            assert_eq!(parse(text).ok().as_deref(), Some(text));
        }
        assert_eq!(parse(" info, cachefront=debug,").ok().as_deref(), Some("info,cachefront=debug"));
    }

    #[test]
    fn a_part_without_a_level_is_refused() {
        for (text, part) in [
            ("warning", "warning"),
            ("verbose", "verbose"),
            ("3", "3"),
            ("info,cachefront", "cachefront"),
            ("info,cachefront=loud", "cachefront=loud"),
            ("cachefront=", "cachefront="),
            ("[request]", "[request]"),
        ] {
            let expected = format!("\"{part}\" names no level that exists: write one of error, warn, info, debug");
            assert!(message(text).starts_with(&expected), "{text}: {}", message(text));
        }
        assert!(message(" , ").starts_with("names no level: write one of"));
        assert!(message("(=info").starts_with("\"(=info\" is not a log filter"));
    }
}
