//! The patterns of the keys that are asked for most.
//!
//! Handlers sample keys at random into a queue. The console's task folds them into patterns, hashes the words, and
//! counts them.

use super::snapshot::{PatternView, Patterns, rounded};
use crate::{
    http::{SAMPLED_ONE_OF, SampledKeys},
    settings::KeyPatterns,
    types::{PatternPart, pattern_parts},
};
use std::{
    collections::HashMap,
    fmt::Write,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Maximum number of patterns that are counted at a time.
const COUNTED_MAX: usize = 128;
/// Maximum number of patterns that the console shows.
const SHOWN_MAX: usize = 12;
/// Maximum number of characters of a pattern that the console shows.
const PATTERN_CHARS_MAX: usize = 80;
/// The part of a count that remains after a step: half of it after a minute.
const FADE: f64 = 0.977;
/// A pattern with a lower count is removed.
const COUNT_MIN: f64 = 0.05;

/// Counts the patterns of sampled keys.
pub struct PatternCounter {
    kind: KeyPatterns,
    counts: Mutex<PatternCounts>,
}

struct PatternCounts {
    keys: SampledKeys,
    /// A new hasher at each start, so that nobody can look hashes up in a list of words.
    hasher: RandomState,
    counts: HashMap<String, f64>,
}

impl PatternCounter {
    /// Creates a counter that reads `keys`.
    pub fn new(kind: KeyPatterns, keys: SampledKeys) -> Self {
        Self { kind, counts: Mutex::new(PatternCounts { keys, hasher: RandomState::new(), counts: HashMap::new() }) }
    }

    /// Counts the keys that were sampled since the last time.
    pub fn count(&self) {
        self.counts().drain_queue(self.kind);
    }

    /// Reduces all counts by a step.
    pub fn fade(&self) {
        let mut counts = self.counts();
        counts.counts.values_mut().for_each(|count| *count *= FADE);
        counts.counts.retain(|_, count| *count >= COUNT_MIN);
    }

    /// Returns the most frequent patterns, or `None` where nothing is sampled.
    pub fn top(&self) -> Option<Patterns> {
        if self.kind == KeyPatterns::Off {
            return None;
        }
        let counts = self.counts();
        let total: f64 = counts.counts.values().sum();
        let mut all: Vec<_> = counts.counts.iter().collect();
        all.sort_by(|(one, more), (other, less)| less.total_cmp(more).then_with(|| one.cmp(other)));
        let top = all.into_iter().take(SHOWN_MAX).map(|(pattern, count)| PatternView {
            pattern: pattern.clone(),
            share: rounded(count / total.max(f64::MIN_POSITIVE)),
        });
        let hashed = self.kind == KeyPatterns::Hashed;
        Some(Patterns { hashed, sampled_one_of: SAMPLED_ONE_OF, top: top.collect() })
    }

    fn counts(&self) -> MutexGuard<'_, PatternCounts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PatternCounts {
    fn drain_queue(&mut self, kind: KeyPatterns) {
        while let Ok(key) = self.keys.try_recv() {
            let pattern = self.pattern(&key, kind);
            self.add(pattern);
        }
    }

    /// Counts a pattern. Where there is no room, the rarest one is removed and hands on its count, so that a frequent
    /// pattern is never missed (Metwally, Agrawal and El Abbadi, 2005: Space-Saving).
    fn add(&mut self, pattern: String) {
        if let Some(count) = self.counts.get_mut(&pattern) {
            *count += 1.0;
            return;
        }
        let mut inherited = 0.0;
        if self.counts.len() >= COUNTED_MAX
            && let Some((rarest, count)) = self.counts.iter().min_by(|(_, one), (_, other)| one.total_cmp(other))
        {
            inherited = *count;
            let rarest = rarest.clone();
            self.counts.remove(&rarest);
        }
        self.counts.insert(pattern, inherited + 1.0);
    }

    fn pattern(&self, key: &str, kind: KeyPatterns) -> String {
        let mut pattern = String::new();
        let mut chars = 0;
        pattern_parts(key, |part| {
            if chars >= PATTERN_CHARS_MAX {
                return;
            }
            let before = pattern.len();
            match part {
                PatternPart::Placeholder(text) => pattern.push_str(text),
                PatternPart::Word(text) | PatternPart::Between(text) if kind == KeyPatterns::Shown => {
                    pattern.extend(text.chars().take(PATTERN_CHARS_MAX - chars));
                }
                PatternPart::Word(text) => {
                    let _ = write!(pattern, "{:06x}", self.hasher.hash_one(text) >> 40);
                }
                // The usual separators are shown; all other characters become one mark.
                PatternPart::Between(text) if text.len() == 1 && "{}:/._-".contains(text) => pattern.push_str(text),
                PatternPart::Between(_) => pattern.push('~'),
            }
            chars += pattern[before..].chars().count();
            if chars >= PATTERN_CHARS_MAX {
                pattern.push('…');
            }
        });
        pattern
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    fn counted(kind: KeyPatterns, keys: impl Iterator<Item = String>) -> PatternCounter {
        let (queue, receiver) = mpsc::channel(1);
        let counter = PatternCounter::new(kind, receiver);
        for key in keys {
            queue.try_send(format!("shop:{key}").into()).expect("the queue has room");
            counter.count();
        }
        counter
    }

    #[test]
    fn frequent_patterns_come_first_among_endlessly_many_others() {
        let word = |number: u32| char::from_u32(u32::from('a') + number % 26).expect("a letter");
        let keys = (0..700).map(|number| match number % 4 {
            0 => format!("user:{number}"),
            _ => format!("{}{}{}", word(number), word(number / 26), word(number / 676)),
        });
        let counter = counted(KeyPatterns::Shown, keys);
        let patterns = counter.top().expect("patterns");
        assert_eq!((patterns.top[0].pattern.as_str(), patterns.top.len()), ("shop:user:<n>", SHOWN_MAX));
        assert!((0.15..0.35).contains(&patterns.top[0].share), "{:?}", patterns.top);
        assert!(counter.counts().counts.len() <= COUNTED_MAX);
        for _ in 0..2_000 {
            counter.fade();
        }
        assert!(counter.top().expect("patterns").top.is_empty());
    }

    #[test]
    fn hashed_patterns_show_the_structure_of_keys_but_not_their_words() {
        let counter = counted(KeyPatterns::Hashed, (0..60).map(|number| format!("user:{number}:secret <b>ü")));
        let patterns = counter.top().expect("patterns");
        let [PatternView { pattern, share }] = &patterns.top[..] else { panic!("{patterns:?}") };
        assert!((share - 1.0).abs() < 1e-9);
        assert!(pattern.contains(":<n>:") && pattern.contains('~'), "{pattern}");
        assert!(["shop", "user", "secret", "ü", "<b>"].iter().all(|word| !pattern.contains(word)), "{pattern}");
        assert!(counted(KeyPatterns::Off, std::iter::empty()).top().is_none());
    }

    #[test]
    fn a_long_key_makes_a_short_pattern() {
        for kind in [KeyPatterns::Shown, KeyPatterns::Hashed] {
            let patterns = counted(kind, std::iter::once("ab:".repeat(150))).top().expect("patterns");
            assert!(patterns.top[0].pattern.chars().count() <= PATTERN_CHARS_MAX + 10, "{patterns:?}");
        }
    }
}
