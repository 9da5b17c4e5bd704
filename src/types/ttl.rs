//! The time to live of a value.

use std::num::NonZeroU64;

/// The maximum time to live in seconds: 100 years.
pub const TTL_SECS_MAX: u64 = 3_155_760_000;

/// The time to live of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// The value does not expire.
    Never,
    /// The value expires after this number of seconds. Invariant: at most [`TTL_SECS_MAX`].
    Secs(NonZeroU64),
}

impl Ttl {
    /// Returns the number of seconds; `None` if the value does not expire.
    pub fn secs(self) -> Option<u64> {
        match self {
            Self::Never => None,
            Self::Secs(secs) => Some(secs.get()),
        }
    }

    /// Returns the time to live for a number of seconds; `None` if it exceeds the maximum. Zero and negative numbers
    /// mean that the value does not expire, the same as in the Python service.
    pub fn from_secs(secs: i64) -> Option<Self> {
        match u64::try_from(secs).ok().and_then(NonZeroU64::new) {
            None => Some(Self::Never),
            Some(secs) => (secs.get() <= TTL_SECS_MAX).then_some(Self::Secs(secs)),
        }
    }
}
