//! The sampling of keys for the console: handlers push some keys into a short queue, and the console reads them.

use crate::{
    settings::KeyPatterns,
    types::{Key, Namespace},
};
use std::cell::Cell;
use tokio::sync::mpsc;

/// The number of commands of which one is sampled.
pub const SAMPLED_ONE_OF: u32 = 64;
/// Maximum number of keys in the queue; further ones are dropped.
const QUEUE_MAX: usize = 512;

/// The keys that were sampled, with their namespaces.
pub type SampledKeys = mpsc::Receiver<Box<str>>;

/// Samples keys at random, without ever waiting.
pub struct KeySampler(Option<mpsc::Sender<Box<str>>>);

impl KeySampler {
    /// Creates a sampler and its queue. Nothing is sampled where patterns are off.
    pub fn new(patterns: KeyPatterns) -> (Self, SampledKeys) {
        let (queue, keys) = mpsc::channel(QUEUE_MAX);
        (Self((patterns != KeyPatterns::Off).then_some(queue)), keys)
    }

    /// Samples the key of one command, with a certain probability. Handlers call it for each command.
    pub fn sample(&self, key: &Key<'_>, namespace: Option<&Namespace>) {
        if let Some(queue) = &self.0
            && is_chosen()
        {
            // A full queue holds enough samples.
            let _queued = queue.try_send(key.within(namespace).as_str().into());
        }
    }
}

/// Returns true once in [`SAMPLED_ONE_OF`] calls on average. The choice is random, so that regular traffic is sampled
/// evenly.
fn is_chosen() -> bool {
    thread_local!(static STATE: Cell<u32> = const { Cell::new(0x9E37_79B9) });
    STATE.with(|state| {
        // Marsaglia's xorshift; it never becomes 0.
        let mut number = state.get();
        number ^= number << 13;
        number ^= number >> 17;
        number ^= number << 5;
        state.set(number);
        number % SAMPLED_ONE_OF == 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    #[test]
    fn about_one_key_of_64_is_sampled_with_its_namespace() {
        let (sampler, mut keys) = KeySampler::new(KeyPatterns::Hashed);
        let (key, namespace) = (Key::new(Cow::Borrowed("k")).expect("a key"), Namespace::new("shop"));
        let mut sampled = 0;
        for _ in 0..64_000 {
            sampler.sample(&key, namespace.as_ref());
            while let Ok(key) = keys.try_recv() {
                assert_eq!(&*key, "shop:k");
                sampled += 1;
            }
        }
        assert!((800..1200).contains(&sampled), "{sampled}");
    }

    #[test]
    fn no_key_is_sampled_where_patterns_are_off() {
        let (sampler, mut keys) = KeySampler::new(KeyPatterns::Off);
        let key = Key::new(Cow::Borrowed("k")).expect("a key");
        (0..1_000).for_each(|_| sampler.sample(&key, None));
        assert!(keys.try_recv().is_err());
    }
}
