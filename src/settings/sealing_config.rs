//! The settings of the encryption of values.

use secrecy::SecretBox;

/// Encryption of values.
#[derive(Debug)]
pub struct SealingConfig {
    /// The first key seals, and all keys open. The list is empty where sealing is not configured.
    pub keys: Vec<SecretBox<[u8; 32]>>,
    /// The values that are sealed, and those that are read.
    pub rule: SealingRule,
    /// The file that `ENCRYPTION_KEY` names, if it does not exist. There are no keys then.
    pub missing_file: Option<String>,
}

/// The values that are sealed, and those that are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SealingRule {
    /// The values whose WRITE asks for it are sealed, and all values are read.
    #[default]
    OnRequest,
    /// All values are sealed, and all values are read.
    Always,
    /// All values are sealed, and only sealed values are read.
    Required,
}
