//! The encryption of values.
//!
//! A sealed value is an envelope: header (3 bytes), key id (8), nonce (24), ciphertext and tag (16). The header, the
//! key id and the full Redis key are associated data, so a ciphertext that is copied to another key does not open.

mod xaes;

use crate::types::{Envelope, FullKey, envelope};
use aws_lc_rs::{digest, rand};
use secrecy::{ExposeSecret, SecretBox};
use xaes::{NONCE_BYTES, Xaes256Gcm};

/// The length of a key id, in bytes.
const KEY_ID_BYTES: usize = 8;
/// The difference in length between a sealed value and its plaintext, in bytes.
pub const OVERHEAD_BYTES: usize = Envelope::SEALED_HEADER.len() + KEY_ID_BYTES + NONCE_BYTES + xaes::TAG_BYTES;

/// The reason why a stored value cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// No configured key has the id in the value.
    #[error("it was sealed with a key that is not configured here")]
    UnknownKey,
    /// The tag does not match the value and its key.
    #[error("it was changed, moved to another key, or cut short")]
    NotAuthentic,
}

/// The keys that seal and open values.
pub struct Keyring {
    /// The keys with their ids. Invariant: there is at least one key; the first one seals.
    keys: Vec<([u8; KEY_ID_BYTES], Xaes256Gcm)>,
}

impl Keyring {
    /// Creates a keyring of these keys; `None` if there are none.
    pub fn new(keys: &[SecretBox<[u8; 32]>]) -> Option<Self> {
        let keys: Vec<_> =
            keys.iter().map(|key| (key_id(key.expose_secret()), Xaes256Gcm::new(key.expose_secret()))).collect();
        (!keys.is_empty()).then_some(Self { keys })
    }

    /// Returns true if the other ring has the same keys in the same order.
    pub fn has_same_keys(&self, other: &Self) -> bool {
        self.keys.iter().map(|(id, _)| id).eq(other.keys.iter().map(|(id, _)| id))
    }

    /// Seals `plain` for storage under `key`, with the first key of the ring.
    pub fn seal(&self, key: &FullKey<'_>, plain: &[u8]) -> Vec<u8> {
        let (id, cipher) = &self.keys[0];
        let mut nonce = [0; NONCE_BYTES];
        rand::fill(&mut nonce).expect("the system has random bytes");
        let mut sealed = Vec::with_capacity(plain.len() + OVERHEAD_BYTES);
        sealed.extend_from_slice(&Envelope::SEALED_HEADER);
        sealed.extend_from_slice(id);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let body = OVERHEAD_BYTES - xaes::TAG_BYTES;
        let tag = cipher.seal(&nonce, &associated_data(Envelope::SEALED_HEADER, *id, key), &mut sealed[body..]);
        sealed.extend_from_slice(&tag);
        sealed
    }

    /// Opens what [`Keyring::seal`] made for the same key.
    fn open(&self, key: &FullKey<'_>, header: [u8; 3], payload: &[u8]) -> Result<Vec<u8>, OpenError> {
        let (id, rest) = payload.split_first_chunk::<KEY_ID_BYTES>().ok_or(OpenError::NotAuthentic)?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(OpenError::NotAuthentic)?;
        let (body, tag) = rest.split_last_chunk().ok_or(OpenError::NotAuthentic)?;
        let (_, cipher) = self.keys.iter().find(|(known, _)| known == id).ok_or(OpenError::UnknownKey)?;
        let mut plain = body.to_vec();
        let opened = cipher.open(nonce, &associated_data(header, *id, key), &mut plain, tag);
        opened.then_some(plain).ok_or(OpenError::NotAuthentic)
    }
}

/// Returns the plaintext of the bytes that are stored under `key`, or the bytes themselves if they are not sealed.
/// `keyring` is `None` if no sealing key is configured.
pub fn open(keyring: Option<&Keyring>, key: &FullKey<'_>, stored: Vec<u8>) -> Result<Vec<u8>, OpenError> {
    match envelope(&stored) {
        Envelope::Open => Ok(stored),
        Envelope::Sealed { header, payload } => keyring.ok_or(OpenError::UnknownKey)?.open(key, header, payload),
    }
}

/// Returns true if these bytes are a sealed value.
pub fn is_sealed(stored: &[u8]) -> bool {
    matches!(envelope(stored), Envelope::Sealed { .. })
}

/// Returns the id of a key: the first bytes of a hash over a label and the key. It does not reveal the key.
fn key_id(key: &[u8; 32]) -> [u8; KEY_ID_BYTES] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"cachefront sealing key id");
    context.update(key);
    let mut id = [0; KEY_ID_BYTES];
    id.copy_from_slice(&context.finish().as_ref()[..KEY_ID_BYTES]);
    id
}

fn associated_data(header: [u8; 3], id: [u8; KEY_ID_BYTES], key: &FullKey<'_>) -> Vec<u8> {
    [header.as_slice(), &id, key.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Key;
    use proptest::prelude::*;
    use std::borrow::Cow;

    fn ring(bytes: &[u8]) -> Keyring {
        let keys: Vec<_> = bytes.iter().map(|byte| SecretBox::new(Box::new([*byte; 32]))).collect();
        Keyring::new(&keys).expect("at least one key")
    }

    fn with_key<T>(name: &str, run: impl FnOnce(&FullKey<'_>) -> T) -> T {
        run(&Key::new(Cow::Borrowed(name)).expect("a valid key").within(None))
    }

    proptest! {
        #[test]
        fn a_sealed_value_opens_unless_a_bit_has_changed(plain in prop::collection::vec(any::<u8>(), 0..200), flip in any::<prop::sample::Index>()) {
            let keyring = ring(&[1]);
            with_key("k", |key| {
                let sealed = keyring.seal(key, &plain);
                prop_assert_eq!(sealed.len(), plain.len() + OVERHEAD_BYTES);
                prop_assert_eq!(open(Some(&keyring), key, sealed.clone()), Ok(plain.clone()));
                let mut changed = sealed;
                // Without the first three bytes it is no envelope.
                let at = 3 + flip.index(changed.len() - 3);
                changed[at] ^= 1;
                prop_assert!(open(Some(&keyring), key, changed).is_err());
                Ok(())
            })?;
        }
    }

    #[test]
    fn a_value_does_not_open_under_another_key() {
        let keyring = ring(&[1]);
        let sealed = with_key("a", |key| keyring.seal(key, b"secret"));
        assert_eq!(with_key("b", |key| open(Some(&keyring), key, sealed)), Err(OpenError::NotAuthentic));
    }

    #[test]
    fn rotation_opens_with_old_keys_and_seals_with_the_first() {
        with_key("k", |key| {
            let old = ring(&[1]).seal(key, b"v");
            let rotated = ring(&[2, 1]);
            assert_eq!(open(Some(&rotated), key, old.clone()), Ok(b"v".to_vec()));
            let new = rotated.seal(key, b"v");
            assert_eq!(open(Some(&ring(&[2])), key, new), Ok(b"v".to_vec()));
            assert_eq!(open(Some(&ring(&[3])), key, old.clone()), Err(OpenError::UnknownKey));
            assert_eq!(open(None, key, old.clone()), Err(OpenError::UnknownKey));
            assert_eq!(open(Some(&rotated), key, old[..20].to_vec()), Err(OpenError::NotAuthentic));
        });
    }

    #[test]
    fn the_same_value_never_seals_to_the_same_bytes() {
        let keyring = ring(&[1]);
        with_key("k", |key| assert_ne!(keyring.seal(key, b"v"), keyring.seal(key, b"v")));
    }
}
