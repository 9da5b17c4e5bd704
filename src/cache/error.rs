//! The reasons why a command fails.

use crate::{
    sealing::OpenError,
    store::{Advice, StoreError},
};

/// The reason why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The stored value is sealed and cannot be opened.
    #[error("the stored value cannot be decrypted")]
    DecryptionFailed(#[source] OpenError),
    /// A WRITE asks to seal its value, and no key is configured.
    #[error("sealing was asked for but no key is configured")]
    NoSealingKey,
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
            Self::DecryptionFailed(_) | Self::NoSealingKey | Self::ValueTooLarge { .. } => Advice::GiveUp,
        }
    }
}
