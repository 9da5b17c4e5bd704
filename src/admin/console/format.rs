//! Numbers and times as people read them.

use std::time::Duration;
use time::OffsetDateTime;

/// The text for an unknown value.
pub const NOTHING: &str = "–";

/// Formats a count: `7`, `16,384`.
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
pub fn count(count: usize) -> String {
    if count < 10 { count.to_string() } else { figure(count as f64) }
}

/// Formats a number: `3,210`, and below ten with one decimal place: `0.4`.
pub fn figure(number: f64) -> String {
    if number <= 0.0 {
        return "0".to_owned();
    }
    if number < 0.05 {
        return "<0.1".to_owned();
    }
    if number < 9.95 {
        return format!("{number:.1}");
    }
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats microseconds: `420 µs`, `1.8 ms`, `2.5 s`.
pub fn micros(micros: f64) -> String {
    match micros {
        us if us < 999.5 => format!("{us:.0} µs"),
        us if us < 9_950.0 => format!("{:.1} ms", us / 1e3),
        us if us < 999_500.0 => format!("{:.0} ms", us / 1e3),
        us => format!("{:.1} s", us / 1e6),
    }
}

/// Formats microseconds that may be unknown.
pub fn micros_or_nothing(us: Option<f64>) -> String {
    us.map_or_else(|| NOTHING.to_owned(), micros)
}

/// Formats a part of 1: `25.1 %`.
pub fn percent(part: f64) -> String {
    format!("{:.1} %", part * 100.0)
}

/// Formats bytes: `512 B`, `2.0 KiB`.
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
pub fn bytes(bytes: u64) -> String {
    let number = bytes as f64;
    match number {
        small if small < 1024.0 => format!("{bytes} B"),
        kib if kib < 1024.0 * 1024.0 => format!("{:.1} KiB", kib / 1024.0),
        mib if mib < 1024.0 * 1024.0 * 1024.0 => format!("{:.1} MiB", mib / 1024.0 / 1024.0),
        gib => format!("{:.1} GiB", gib / 1024.0 / 1024.0 / 1024.0),
    }
}

/// Formats a duration: `12 s`, `3 min`, `2 h 5 min`, `4 d 1 h`.
pub fn span(span: Duration) -> String {
    let secs = span.as_secs();
    match secs {
        0..60 => format!("{secs} s"),
        60..3_600 => format!("{} min", secs / 60),
        3_600..86_400 => format!("{} h {} min", secs / 3_600, secs / 60 % 60),
        _ => format!("{} d {} h", secs / 86_400, secs / 3_600 % 24),
    }
}

/// Formats milliseconds since 1970 as the time of day in UTC: `12:34:56`.
pub fn clock(ms: u64) -> String {
    let (hour, minute, second) = utc(ms).to_hms();
    format!("{hour:02}:{minute:02}:{second:02}")
}

/// Formats milliseconds since 1970 as date and time in UTC (RFC 3339).
pub fn timestamp(ms: u64) -> String {
    let date = utc(ms).date();
    format!("{:04}-{:02}-{:02}T{}Z", date.year(), u8::from(date.month()), date.day(), clock(ms))
}

/// Converts milliseconds since 1970; a moment beyond the year 9999 becomes the start of 1970.
fn utc(ms: u64) -> OffsetDateTime {
    let secs = i64::try_from(ms / 1000).unwrap_or_default();
    OffsetDateTime::from_unix_timestamp(secs).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_formatted_for_people() {
        assert_eq!(
            [0.0, 0.01, 0.42, 9.96, 3210.4, 1_234_567.0].map(figure),
            ["0", "<0.1", "0.4", "10", "3,210", "1,234,567"]
        );
        assert_eq!([87.4, 1_840.0, 25_300.0, 2_500_000.0].map(micros), ["87 µs", "1.8 ms", "25 ms", "2.5 s"]);
        assert_eq!([512, 2_048, 3_500_000].map(bytes), ["512 B", "2.0 KiB", "3.3 MiB"]);
        let spans = [59, 61, 7_500, 349_200].map(|secs| span(Duration::from_secs(secs)));
        assert_eq!(spans, ["59 s", "1 min", "2 h 5 min", "4 d 1 h"]);
        assert_eq!(percent(0.2512), "25.1 %");
        // The expected values are those of `date -u`.
        assert_eq!(timestamp(0), "1970-01-01T00:00:00Z");
        assert_eq!(timestamp(1_709_210_096_000), "2024-02-29T12:34:56Z");
        assert_eq!(timestamp(1_798_761_599_999), "2026-12-31T23:59:59Z");
    }
}
