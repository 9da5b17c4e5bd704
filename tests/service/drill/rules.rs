//! The alert rules with shortened durations, and with the memory limit of the manifests.

use std::{fmt::Write, fs, path::Path};

/// Memory limit of the manifests. The processes of the drill have no container that would limit them.
const MEMORY_MAX_BYTES: &str = "1073741824";

/// Returns the rules with every duration divided by sixty, and the names of the alerts.
pub fn shortened() -> (String, Vec<String>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/monitoring/alerts.yaml");
    let text = fs::read_to_string(path).expect("the alerts");
    let names = text.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).map(str::to_owned).collect();
    (shorten(&text).replace("/ cachefront_memory_limit_bytes", &format!("/ {MEMORY_MAX_BYTES}")), names)
}

/// Durations stand behind `for: ` and in the brackets of windows.
fn shorten(text: &str) -> String {
    let mut short = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = ["for: ", "["].iter().filter_map(|mark| Some(rest.find(mark)? + mark.len())).min() {
        short.push_str(&rest[..at]);
        rest = &rest[at..];
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let minutes = match (rest[..digits].parse::<u32>(), rest[digits..].chars().next()) {
            (Ok(number), Some('m')) => number,
            (Ok(number), Some('h')) => number * 60,
            _ => continue,
        };
        let _ = write!(short, "{minutes}s");
        rest = &rest[digits + 1..];
    }
    short + rest
}

#[test]
fn minutes_become_seconds_and_nothing_else_changes() {
    let long = "expr: rate(a{b=~\"[0-9]m\"}[5m]) > 14 * 86400\nfor: 1h\nfor: 2m\nsummary: more than 10 s for: ever";
    let short = "expr: rate(a{b=~\"[0-9]m\"}[5s]) > 14 * 86400\nfor: 60s\nfor: 2s\nsummary: more than 10 s for: ever";
    assert_eq!(shorten(long), short);
    let (text, names) = shortened();
    assert!(text.contains("} / 1073741824 > 0.8"), "{text}");
    assert!(names.len() > 15 && !text.contains("m]") && !text.contains("h]"), "{text}");
}
