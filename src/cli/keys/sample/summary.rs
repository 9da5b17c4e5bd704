//! Drawn keys, counted by pattern.

use crate::{
    cli::{
        keys::ttl::format_ttl,
        table::{Column, Side, escaped, table},
    },
    store::InspectedKey,
    types::pattern,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fmt::Write, time::Duration};

/// The patterns of all drawn keys.
pub struct Summary {
    /// The most frequent pattern comes first.
    patterns: Vec<(String, PatternGroup)>,
    keys: usize,
}

/// The keys of one pattern.
#[derive(Default)]
struct PatternGroup {
    keys: usize,
    kinds: BTreeMap<String, usize>,
    /// Sizes of the values that are strings.
    bytes: Vec<u64>,
    /// Remaining times of the keys that expire.
    ttls: Vec<Duration>,
    /// Number of keys that never expire.
    for_ever: usize,
}

impl Summary {
    /// Counts the drawn keys; with a `prefix`, only those that begin with it.
    pub fn new<'a>(drawn: impl Iterator<Item = &'a (Vec<u8>, InspectedKey)>, prefix: Option<&str>) -> Self {
        let mut groups: BTreeMap<String, PatternGroup> = BTreeMap::new();
        let mut keys = 0;
        for (key, stored) in drawn {
            let key = String::from_utf8_lossy(key);
            if prefix.is_none_or(|prefix| key.starts_with(prefix)) {
                keys += 1;
                groups.entry(pattern(&key)).or_default().add(stored);
            }
        }
        let mut patterns: Vec<_> = groups.into_iter().collect();
        for (_, group) in &mut patterns {
            group.sort();
        }
        patterns.sort_by_key(|(_, group)| std::cmp::Reverse(group.keys));
        Self { patterns, keys }
    }

    /// Formats the `top` most frequent patterns; `complete` says that every shard has answered.
    pub fn text(&self, top: usize, complete: bool) -> String {
        if self.keys == 0 {
            return if complete { "No keys.\n".to_owned() } else { String::new() };
        }
        let columns = [
            Column("PATTERN", Side::Left),
            Column("KEYS", Side::Right),
            Column("SHARE", Side::Right),
            Column("KINDS", Side::Left),
            Column("SIZE", Side::Right),
            Column("MAX SIZE", Side::Right),
            Column("TTL", Side::Right),
            Column("MAX TTL", Side::Right),
            Column("NO EXPIRY", Side::Right),
        ];
        let rows: Vec<_> = self.patterns.iter().take(top).map(|(pattern, group)| self.row(pattern, group)).collect();
        let mut text = table(&columns, &rows);
        let rest = self.patterns.get(top..).unwrap_or_default();
        if !rest.is_empty() {
            let keys: usize = rest.iter().map(|(_, group)| group.keys).sum();
            let _ = writeln!(text, "and {} patterns more, with {keys} keys", rest.len());
        }
        text
    }

    fn row(&self, pattern: &str, group: &PatternGroup) -> Vec<String> {
        let kinds: Vec<String> = match group.kinds.len() {
            1 => group.kinds.keys().cloned().collect(),
            _ => group.kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect(),
        };
        vec![
            escaped(pattern),
            group.keys.to_string(),
            format!("{} %", (group.keys * 100 + self.keys / 2) / self.keys),
            kinds.join(", "),
            format_size(median(&group.bytes)),
            format_size(group.bytes.last()),
            format_time(median(&group.ttls)),
            format_time(group.ttls.last()),
            group.for_ever.to_string(),
        ]
    }

    /// Returns the `top` most frequent patterns as JSON.
    pub fn documents(&self, top: usize) -> Vec<Value> {
        self.patterns.iter().take(top).map(|(pattern, group)| group.document(pattern)).collect()
    }
}

fn format_size(bytes: Option<&u64>) -> String {
    bytes.map_or_else(|| "-".to_owned(), ToString::to_string)
}

fn format_time(ttl: Option<&Duration>) -> String {
    ttl.map_or_else(|| "-".to_owned(), |ttl| format_ttl(*ttl))
}

fn millis(ttl: Option<&Duration>) -> Option<u64> {
    ttl.map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX))
}

impl PatternGroup {
    fn add(&mut self, stored: &InspectedKey) {
        self.keys += 1;
        *self.kinds.entry(stored.kind.name().to_owned()).or_default() += 1;
        self.bytes.extend(stored.bytes);
        self.ttls.extend(stored.ttl);
        self.for_ever += usize::from(stored.ttl.is_none());
    }

    fn sort(&mut self) {
        self.bytes.sort_unstable();
        self.ttls.sort_unstable();
    }

    fn document(&self, pattern: &str) -> Value {
        json!({
            "pattern": pattern,
            "keys": self.keys,
            "kinds": self.kinds,
            "bytes_median": median(&self.bytes),
            "bytes_max": self.bytes.last(),
            "ttl_ms_median": millis(median(&self.ttls)),
            "ttl_ms_max": millis(self.ttls.last()),
            "for_ever": self.for_ever,
        })
    }
}

/// Returns the median of sorted values.
fn median<T>(values: &[T]) -> Option<&T> {
    values.get(values.len() / 2)
}
