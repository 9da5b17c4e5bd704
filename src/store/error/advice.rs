//! The advice that an error gives to the caller.

/// The best reaction to an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Another node may answer.
    RetryElsewhere,
    /// The same request may succeed a moment later.
    RetryLater,
    /// The same request will fail again.
    GiveUp,
}
