//! The reasons why a command fails.

use crate::{
    sealing::OpenError,
    store::{Advice, StoreError},
};

/// The reason why a command failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CacheError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The stored value is sealed and cannot be opened.
    #[error("the stored value cannot be decrypted")]
    DecryptionFailed(#[source] OpenError),
    /// The stored value is not sealed, and the settings allow only sealed values.
    #[error("the stored value is not sealed, and only sealed values are read (ENCRYPT_VALUES=required)")]
    NotSealed,
    /// A WRITE asks to seal its value, and the file of the key does not exist.
    #[error("sealing was asked for but the file that ENCRYPTION_KEY names does not exist")]
    SealingKeyMissing,
    /// A WRITE asks to seal its value, and no key is configured.
    #[error("sealing was asked for but no key is configured")]
    NoSealingKey,
    /// An INCREMENT where the settings allow only sealed values: Redis adds to plain numbers.
    #[error("a number cannot be sealed, and only sealed values are stored (ENCRYPT_VALUES=required)")]
    NumbersNotSealed,
    /// An INCREMENT of a value that is not a whole number of 64 bits.
    #[error("the stored value is not a whole number of 64 bits")]
    NotANumber,
    /// The result of an INCREMENT has more than 64 bits.
    #[error("the sum has more than 64 bits")]
    Overflow,
    /// A RATE_LIMIT of a key that holds something else.
    #[error("the key does not hold the state of a rate limiter")]
    NotALimiter,
    /// The value is larger than the settings allow.
    #[error("the value has {bytes} bytes; at most {bytes_max} are allowed")]
    ValueTooLarge {
        /// The size of the value.
        bytes: usize,
        /// The limit of the settings.
        bytes_max: usize,
    },
}

impl CacheError {
    /// Returns the best reaction of the caller.
    pub fn advice(&self) -> Advice {
        match self {
            Self::Store(error) => error.advice(),
            Self::DecryptionFailed(_)
            | Self::NotSealed
            | Self::SealingKeyMissing
            | Self::NoSealingKey
            | Self::NumbersNotSealed
            | Self::NotANumber
            | Self::Overflow
            | Self::NotALimiter
            | Self::ValueTooLarge { .. } => Advice::GiveUp,
        }
    }
}
