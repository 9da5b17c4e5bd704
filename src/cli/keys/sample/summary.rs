//! Keys that were drawn, counted by pattern.

use crate::{
    cli::{
        keys::ttl::left,
        table::{Column, Side, shown, table},
    },
    store::InspectedKey,
    types::pattern,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fmt::Write, time::Duration};

/// All patterns, the most frequent first.
pub struct Summary {
    patterns: Vec<(String, PatternGroup)>,
    keys: usize,
}

/// Keys of one pattern.
#[derive(Default)]
struct PatternGroup {
    keys: usize,
    kinds: BTreeMap<String, usize>,
    /// Those of strings.
    bytes: Vec<u64>,
    /// Those of keys that expire.
    ttls: Vec<Duration>,
    for_ever: usize,
}

impl Summary {
    /// `prefix`: leaves out all keys that do not begin so.
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

    /// `whole`: every shard has answered.
    pub fn text(&self, top: usize, whole: bool) -> String {
        if self.keys == 0 {
            return if whole { "No keys.\n".to_owned() } else { String::new() };
        }
        let columns = [
            Column("PATTERN", Side::Left),
            Column("KEYS", Side::Right),
            Column("SHARE", Side::Right),
            Column("KINDS", Side::Left),
            Column("SIZE", Side::Right),
            Column("MOST", Side::Right),
            Column("LEFT", Side::Right),
            Column("MOST", Side::Right),
            Column("FOR EVER", Side::Right),
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
        let dash = || "-".to_owned();
        let kinds: Vec<String> = match group.kinds.len() {
            1 => group.kinds.keys().cloned().collect(),
            _ => group.kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect(),
        };
        let size = |bytes: Option<&u64>| bytes.map_or_else(dash, ToString::to_string);
        let time = |ttl: Option<&Duration>| ttl.map_or_else(dash, |ttl| left(*ttl));
        vec![
            shown(pattern),
            group.keys.to_string(),
            format!("{} %", (group.keys * 100 + self.keys / 2) / self.keys),
            kinds.join(", "),
            size(middle(&group.bytes)),
            size(group.bytes.last()),
            time(middle(&group.ttls)),
            time(group.ttls.last()),
            group.for_ever.to_string(),
        ]
    }

    pub fn documents(&self, top: usize) -> Vec<Value> {
        let ms = |ttl: Option<&Duration>| ttl.map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
        let document = |(pattern, group): &(String, PatternGroup)| {
            json!({
                "pattern": pattern,
                "keys": group.keys,
                "kinds": group.kinds,
                "bytes_median": middle(&group.bytes),
                "bytes_max": group.bytes.last(),
                "ttl_ms_median": ms(middle(&group.ttls)),
                "ttl_ms_max": ms(group.ttls.last()),
                "for_ever": group.for_ever,
            })
        };
        self.patterns.iter().take(top).map(document).collect()
    }
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
}

/// Of values in order.
fn middle<T>(values: &[T]) -> Option<&T> {
    values.get(values.len() / 2)
}
