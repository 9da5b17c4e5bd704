//! The settings of the encryption of values.

use secrecy::SecretBox;

/// Encryption of values.
#[derive(Debug)]
pub struct SealingConfig {
    /// The first key seals, and all keys open. The list is empty where sealing is not configured.
    pub keys: Vec<SecretBox<[u8; 32]>>,
    /// Every value is sealed, not only those whose WRITE asks for it.
    pub always: bool,
}
