//! The value that the last change of a key by this process has left, as a digest.
//!
//! While the master does not answer, nobody knows its offset after the last changes. A replica that has exactly the value
//! that the last change of the key has left has that change all the same.

use super::clock::LogicalTime;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire},
};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Maximum length of a value that a digest is made of, so that a change of a large value costs no more.
const DIGESTED_BYTES_MAX: usize = 16 * 1024;
/// Set in a digest, to tell it from a number of changes.
const IS_DIGEST: u64 = 1 << 63;
/// Set in a digest while one further change is under way.
const FOLLOWED: u64 = 1 << 62;
/// Set in a number of changes while changes overlap: the master may run them in another order than they end in.
const OVERLAPPED: u64 = 1 << 61;

/// The digest of a value that a change has left. It says for which key and when, so that it proves nothing of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftDigest(u64);

impl LeftDigest {
    /// Returns the digest of the value of a key with this hash that was changed at `changed`; `None` stands for a key that
    /// does not exist. Returns `None` for a large value.
    pub fn of(hash: u64, changed: LogicalTime, value: Option<&[u8]>) -> Option<Self> {
        let seed = hash.wrapping_add(changed.ms().wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let digest = match value {
            Some(bytes) if bytes.len() > DIGESTED_BYTES_MAX => return None,
            Some(bytes) => xxh3_64_with_seed(bytes, seed),
            None => xxh3_64_with_seed(&[], !seed),
        };
        Some(Self((digest & !FOLLOWED) | IS_DIGEST))
    }
}

/// The digest of the value that the last change has left; or the number of changes that are under way, if there is no such
/// value or there are several changes; or zero.
#[derive(Default)]
pub struct LeftValue(AtomicU64);

impl LeftValue {
    /// Begins a change.
    pub fn begin(&self) {
        self.update(|word| match word {
            0 => 1,
            digest if digest & (IS_DIGEST | FOLLOWED) == IS_DIGEST => digest | FOLLOWED,
            IS_DIGEST.. => 2 | OVERLAPPED,
            changes => (changes | OVERLAPPED) + 1,
        });
    }

    /// Ends a change. `left` is the digest of the value that it has left, if that is known.
    pub fn end(&self, left: Option<LeftDigest>) {
        self.update(|word| match word {
            1 | IS_DIGEST.. => left.map_or(0, |digest| digest.0),
            changes if changes == OVERLAPPED + 1 => 0,
            changes => changes - 1,
        });
    }

    /// Returns true if the last change that has ended has left a value with this digest.
    pub fn is(&self, digest: LeftDigest) -> bool {
        self.0.load(Acquire) & !FOLLOWED == digest.0
    }

    /// Returns true if the digest of the value is known.
    pub fn is_known(&self) -> bool {
        self.0.load(Acquire) & IS_DIGEST != 0
    }

    fn update(&self, next: impl Fn(u64) -> u64) {
        // The function always returns a value.
        let _updated = self.0.fetch_update(AcqRel, Acquire, |word| Some(next(word)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(hash: u64, ms: u64, value: Option<&[u8]>) -> LeftDigest {
        LeftDigest::of(hash, LogicalTime::from_ms(ms), value).expect("a short value")
    }

    #[test]
    fn a_digest_is_that_of_one_value_of_one_key_at_one_time() {
        let all = [
            digest(1, 1, Some(b"a")),
            digest(1, 1, Some(b"b")),
            digest(1, 1, Some(b"")),
            digest(1, 1, None),
            digest(1, 2, Some(b"a")),
            digest(2, 1, Some(b"a")),
        ];
        for (position, one) in all.iter().enumerate() {
            assert!(all.iter().enumerate().all(|(other, digest)| (position == other) == (one == digest)), "{position}");
        }
        let long = vec![0; DIGESTED_BYTES_MAX + 1];
        assert_eq!(LeftDigest::of(1, LogicalTime::ZERO, Some(&long)), None);
    }

    #[test]
    fn the_last_change_is_known_unless_it_failed() {
        let (left, [one, two]) = (LeftValue::default(), [1, 2].map(|ms| digest(1, ms, Some(b"a"))));
        assert!(!left.is_known());
        left.begin();
        assert!(!left.is_known(), "it is under way");
        left.end(Some(one));
        assert!(left.is(one) && left.is_known());
        left.begin();
        assert!(left.is(one), "nobody can expect the next change before it ends");
        left.end(Some(two));
        assert!(left.is(two));
        left.begin();
        left.end(None);
        assert!(!left.is_known() && !left.is(two));
    }

    /// Begins and ends changes in an order in which some overlap; each has left the same value.
    fn after(steps: &str) -> bool {
        let (left, value) = (LeftValue::default(), digest(1, 1, Some(b"a")));
        for step in steps.chars() {
            if step == '(' { left.begin() } else { left.end(Some(value)) }
        }
        left.is(value)
    }

    #[test]
    fn changes_that_overlap_prove_nothing_until_one_runs_alone() {
        for unknown in ["(", "((", "(())", "(()())", "((())())", "()((", "()(())", "()(()())"] {
            assert!(!after(unknown), "{unknown}");
        }
        for known in ["()", "()(", "()()", "(())()", "(()())()", "()(())()("] {
            assert!(after(known), "{known}");
        }
    }
}
