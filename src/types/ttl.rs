//! How long a value lives.

use std::num::NonZeroU64;

/// The longest life that can be asked for: 100 years, in seconds.
pub const TTL_SECS_MAX: u64 = 3_155_760_000;

/// Time to live of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// The value stays until it is deleted.
    Never,
    /// Invariant: at most [`TTL_SECS_MAX`].
    Secs(NonZeroU64),
}

impl Ttl {
    /// Zero and negative numbers mean "never expires", as in the Python service; `None` is out of range.
    pub fn from_secs(secs: i64) -> Option<Self> {
        match u64::try_from(secs).ok().and_then(NonZeroU64::new) {
            None => Some(Self::Never),
            Some(secs) => (secs.get() <= TTL_SECS_MAX).then_some(Self::Secs(secs)),
        }
    }
}
