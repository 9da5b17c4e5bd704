//! Digests of stored values.

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// The number of bytes at each end of a value that its digest covers.
const END_BYTES: usize = 2048;

/// A short stand-in for a stored value. Equal values have equal digests.
///
/// Only the length and both ends of a long value count, so that the cost is bounded. A difference in between is not seen;
/// a difference that is seen is real.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueDigest(Option<(usize, u64)>);

impl ValueDigest {
    /// Returns the digest of the bytes in Redis; `None` stands for a key that does not exist.
    pub fn of(bytes: Option<&[u8]>) -> Self {
        Self(bytes.map(|bytes| (bytes.len(), hash(bytes))))
    }

    /// Returns true if the key does not exist.
    pub fn is_missing(self) -> bool {
        self.0.is_none()
    }
}

fn hash(bytes: &[u8]) -> u64 {
    if bytes.len() <= 2 * END_BYTES {
        return xxh3_64(bytes);
    }
    let mut hasher = Xxh3::new();
    hasher.update(&bytes[..END_BYTES]);
    hasher.update(&bytes[bytes.len() - END_BYTES..]);
    hasher.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_values_have_different_digests() {
        let long = vec![1; 10_000];
        let (mut other_start, mut other_end) = (long.clone(), long.clone());
        (other_start[0], other_end[9_999]) = (2, 2);
        let values: [Option<&[u8]>; 7] =
            [None, Some(b""), Some(b"a"), Some(b"b"), Some(&long), Some(&other_start), Some(&other_end)];
        for (position, value) in values.iter().enumerate() {
            for (other_position, other) in values.iter().enumerate() {
                let are_equal = ValueDigest::of(*value) == ValueDigest::of(*other);
                assert_eq!(are_equal, position == other_position, "{position} and {other_position}");
            }
        }
    }

    #[test]
    fn only_a_key_that_does_not_exist_is_missing() {
        assert!(ValueDigest::of(None).is_missing());
        assert!(!ValueDigest::of(Some(b"")).is_missing());
    }
}
