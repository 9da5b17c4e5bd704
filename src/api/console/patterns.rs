//! What kinds of keys are asked for most: some commands are looked at, and their keys folded into patterns.
//!
//! A request only draws lots; one of 64 puts its key into a short queue, without waiting for anybody. Folding, hashing
//! and counting are done every two seconds by the console's task.

use super::facts::{PatternView, Patterns, rounded};
use crate::{
    settings::KeyPatterns,
    types::{Key, Namespace, PatternPart, pattern_parts},
};
use std::{
    cell::Cell,
    collections::HashMap,
    fmt::Write,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::sync::mpsc;

const ONE_OF: u32 = 64;
/// Keys that wait to be counted; what comes on top is not counted.
const QUEUE_MAX: usize = 512;
/// Patterns that are counted at once.
const COUNTED_MAX: usize = 128;
const SHOWN_MAX: usize = 12;
const PATTERN_CHARS_MAX: usize = 80;
/// What is left of a count after a step: half of it after a minute.
const FADE: f64 = 0.977;

/// What was drawn.
pub struct Sampler {
    kind: KeyPatterns,
    queue: mpsc::Sender<Box<str>>,
    counted: Mutex<Counted>,
}

struct Counted {
    queue: mpsc::Receiver<Box<str>>,
    /// Made anew at each start, so that nobody can look hashes up in a list of words.
    hasher: RandomState,
    counts: HashMap<String, f64>,
}

impl Sampler {
    pub fn new(kind: KeyPatterns) -> Self {
        let (queue, receiver) = mpsc::channel(QUEUE_MAX);
        let counted = Counted { queue: receiver, hasher: RandomState::new(), counts: HashMap::new() };
        Self { kind, queue, counted: Mutex::new(counted) }
    }

    /// To be called for each command.
    pub fn note(&self, key: &Key<'_>, namespace: Option<&Namespace>) {
        if self.kind != KeyPatterns::Off && is_drawn() {
            // Where the queue is full, others were as good.
            let _queued = self.queue.try_send(key.within(namespace).as_str().into());
        }
    }

    /// Counts what was drawn since the last time.
    pub fn count(&self) {
        self.counted().take_in(self.kind);
    }

    /// Lets what was counted fade.
    pub fn fade(&self) {
        let mut counted = self.counted();
        counted.counts.values_mut().for_each(|count| *count *= FADE);
        counted.counts.retain(|_, count| *count >= 0.05);
    }

    /// `None` where nothing is sampled.
    pub fn facts(&self) -> Option<Patterns> {
        if self.kind == KeyPatterns::Off {
            return None;
        }
        let counted = self.counted();
        let total: f64 = counted.counts.values().sum();
        let mut all: Vec<_> = counted.counts.iter().collect();
        all.sort_by(|(one, more), (other, less)| less.total_cmp(more).then_with(|| one.cmp(other)));
        let facts = |(pattern, count): (&String, &f64)| PatternView {
            pattern: pattern.clone(),
            share: rounded(count / total.max(f64::MIN_POSITIVE)),
        };
        let top = all.into_iter().take(SHOWN_MAX).map(facts).collect();
        Some(Patterns { hashed: self.kind == KeyPatterns::Hashed, sampled_one_of: ONE_OF, top })
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// True once in [`ONE_OF`] times, at random: what callers do at regular intervals must not decide.
fn is_drawn() -> bool {
    thread_local!(static LOTS: Cell<u32> = const { Cell::new(0x9E37_79B9) });
    LOTS.with(|lots| {
        // Marsaglia's xorshift; it never comes to 0.
        let mut lot = lots.get();
        lot ^= lot << 13;
        lot ^= lot >> 17;
        lot ^= lot << 5;
        lots.set(lot);
        lot % ONE_OF == 0
    })
}

impl Counted {
    fn take_in(&mut self, kind: KeyPatterns) {
        while let Ok(key) = self.queue.try_recv() {
            let pattern = self.pattern(&key, kind);
            self.add(pattern);
        }
    }

    /// Where there is no room, the rarest one makes place and hands its count on, so that what is frequent is never
    /// missed (Metwally, Agrawal and El Abbadi, 2005: Space-Saving).
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
                // The usual marks show how a key is built; of others it is only shown that there are some.
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
    use std::borrow::Cow;

    fn sampled(kind: KeyPatterns, keys: impl Iterator<Item = String>) -> Sampler {
        let sampler = Sampler::new(kind);
        for key in keys {
            sampler.note(&Key::new(Cow::Owned(key)).expect("a key"), Namespace::new("shop").as_ref());
            sampler.count();
        }
        sampler
    }

    #[test]
    fn frequent_patterns_come_first_though_there_are_endlessly_many_others() {
        let word = |number: u32| char::from_u32(u32::from('a') + number % 26).expect("a letter");
        let rare = |number| format!("{}{}{}", word(number), word(number / 26), word(number / 676));
        let keys = (0..40_000).map(|number| if number % 4 == 0 { format!("user:{number}") } else { rare(number) });
        let sampler = sampled(KeyPatterns::Shown, keys);
        let facts = sampler.facts().expect("some");
        assert_eq!((facts.top[0].pattern.as_str(), facts.top.len()), ("shop:user:<n>", SHOWN_MAX));
        assert!((0.15..0.35).contains(&facts.top[0].share), "{:?}", facts.top);
        assert!(sampler.counted().counts.len() <= COUNTED_MAX);
        for _ in 0..2_000 {
            sampler.fade();
        }
        assert!(sampler.facts().expect("still").top.is_empty());
    }

    #[test]
    fn hashed_patterns_show_how_keys_are_built_and_not_what_they_say() {
        let sampler = sampled(KeyPatterns::Hashed, (0..4_000).map(|number| format!("user:{number}:secret <b>ü")));
        let facts = sampler.facts().expect("some");
        let [PatternView { pattern, share }] = &facts.top[..] else { panic!("{facts:?}") };
        assert!((share - 1.0).abs() < 1e-9);
        assert!(pattern.contains(":<n>:") && pattern.contains('~'), "{pattern}");
        assert!(["shop", "user", "secret", "ü", "<b>"].iter().all(|word| !pattern.contains(word)), "{pattern}");
        assert!(sampled(KeyPatterns::Off, (0..1000).map(|n| n.to_string())).facts().is_none());
    }

    #[test]
    fn a_long_key_makes_a_short_pattern() {
        for kind in [KeyPatterns::Shown, KeyPatterns::Hashed] {
            let facts = sampled(kind, (0..2_000).map(|_| "ab:".repeat(150))).facts().expect("some");
            assert!(facts.top[0].pattern.chars().count() <= PATTERN_CHARS_MAX + 10, "{facts:?}");
        }
    }
}
