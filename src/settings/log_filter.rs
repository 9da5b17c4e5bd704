//! `LOG_LEVEL`: a level, or targets with their levels.

use tracing_subscriber::EnvFilter;

const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

/// The filter as `EnvFilter` reads it, or what is wrong with it. `EnvFilter` alone takes any word for a target, of
/// which it would then log everything: `warning` would silence the rest.
pub fn parse(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    let wrong = |what: &str| {
        format!("{what}: write one of {}, or parts such as info,cachefront::store=debug", LEVELS.join(", "))
    };
    if parts.is_empty() {
        return Err(wrong("names no level"));
    }
    for part in &parts {
        let level = part.rsplit('=').next().unwrap_or_default();
        if !LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level)) {
            return Err(wrong(&format!("\"{part}\" names no level that there is")));
        }
    }
    let filter = parts.join(",");
    match filter.parse::<EnvFilter>() {
        Ok(_) => Ok(filter),
        Err(error) => Err(wrong(&format!("\"{filter}\" is not a log filter ({error})"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_targets_with_levels_are_filters() {
        for text in ["error", "WARN", "info", "off", "info,cachefront::store=debug", "warn,[request{id=7}]=trace"] {
            assert_eq!(parse(text).as_deref(), Ok(text));
        }
        assert_eq!(parse(" info, cachefront=debug,").as_deref(), Ok("info,cachefront=debug"));
    }

    #[test]
    fn what_names_no_level_is_refused() {
        for (text, part) in [
            ("warning", "warning"),
            ("verbose", "verbose"),
            ("3", "3"),
            ("info,cachefront", "cachefront"),
            ("info,cachefront=loud", "cachefront=loud"),
            ("cachefront=", "cachefront="),
            ("[request]", "[request]"),
        ] {
            let expected = format!("\"{part}\" names no level that there is: write one of error, warn, info, debug");
            assert!(parse(text).is_err_and(|message| message.starts_with(&expected)), "{text}: {:?}", parse(text));
        }
        assert!(parse(" , ").is_err_and(|message| message.starts_with("names no level: write one of")));
        assert!(parse("(=info").is_err_and(|message| message.starts_with("\"(=info\" is not a log filter")));
    }
}
