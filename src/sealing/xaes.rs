//! XAES-256-GCM (C2SP, `c2sp.org/XAES-256-GCM`): AES-256-GCM under a key derived for each message.
//!
//! Random 96-bit nonces under one AES-GCM key are safe for 2^32 messages, a number that a busy cache reaches in days.
//! XAES uses 192 random bits for each message: the first 96 derive its key (CMAC in counter mode, NIST SP 800-108), the
//! last 96 are its nonce. 2^80 messages are safe.

use aes_gcm::{
    Aes256Gcm,
    aead::{AeadInOut, KeyInit},
    aes::{Aes256, Block, cipher::BlockCipherEncrypt},
};
use zeroize::Zeroizing;

/// The length of a nonce, in bytes.
pub const NONCE_BYTES: usize = 24;
/// The length of a tag, in bytes.
pub const TAG_BYTES: usize = 16;

/// The length of the nonce's first part, which derives the key of the message.
const DERIVING_BYTES: usize = 12;

/// The cipher of one key.
pub struct Xaes256Gcm {
    /// AES under the key.
    cipher: Aes256,
    /// CMAC's subkey K1 (NIST SP 800-38B §6.1), which is the same for all messages.
    subkey: [u8; 16],
}

impl Xaes256Gcm {
    /// Prepares the cipher of a key.
    pub fn new(key: &[u8; 32]) -> Self {
        let cipher = Aes256::new(&(*key).into());
        let mut zero = Block::default();
        cipher.encrypt_block(&mut zero);
        let doubled = u128::from_be_bytes(zero.into());
        let carry = if doubled >> 127 == 1 { 0x87 } else { 0 };
        Self { cipher, subkey: (doubled << 1 ^ carry).to_be_bytes() }
    }

    /// Encrypts in place and returns the tag.
    pub fn seal(&self, nonce: &[u8; NONCE_BYTES], associated: &[u8], text: &mut [u8]) -> [u8; TAG_BYTES] {
        let (message_cipher, message_nonce) = self.derive(nonce);
        let tag = message_cipher.encrypt_inout_detached(&message_nonce.into(), associated, text.into());
        tag.expect("values are far below AES-GCM's limit of 64 GiB").into()
    }

    /// Decrypts in place. Returns false, and leaves `text` undefined, if the tag does not match.
    pub fn open(&self, nonce: &[u8; NONCE_BYTES], associated: &[u8], text: &mut [u8], tag: &[u8; TAG_BYTES]) -> bool {
        let (message_cipher, message_nonce) = self.derive(nonce);
        message_cipher.decrypt_inout_detached(&message_nonce.into(), associated, text.into(), &(*tag).into()).is_ok()
    }

    /// Returns the cipher and the nonce of one message.
    fn derive(&self, nonce: &[u8; NONCE_BYTES]) -> (Aes256Gcm, [u8; 12]) {
        let mut key = Zeroizing::new([0; 32]);
        for (counter, half) in (1u8..).zip(key.chunks_exact_mut(16)) {
            let mut block = [0; 16];
            block[..4].copy_from_slice(&[0, counter, b'X', 0]);
            block[4..].copy_from_slice(&nonce[..DERIVING_BYTES]);
            block.iter_mut().zip(self.subkey).for_each(|(byte, mask)| *byte ^= mask);
            let mut block = Block::from(block);
            self.cipher.encrypt_block(&mut block);
            half.copy_from_slice(&block);
        }
        let mut message_nonce = [0; 12];
        message_nonce.copy_from_slice(&nonce[DERIVING_BYTES..]);
        (Aes256Gcm::new(&(*key).into()), message_nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unhex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex digits")).collect()
    }

    /// The two test vectors of the specification; the second has a subkey whose top bit was set.
    #[test]
    fn the_test_vectors_of_the_specification_match() {
        for (key, associated, expected) in [
            (1, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"),
            (3, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"),
        ] {
            let mut text = *b"XAES-256-GCM";
            let cipher = Xaes256Gcm::new(&[key; 32]);
            let tag = cipher.seal(b"ABCDEFGHIJKLMNOPQRSTUVWX", associated.as_bytes(), &mut text);
            assert_eq!([text.as_slice(), &tag].concat(), unhex(expected));
            assert!(cipher.open(b"ABCDEFGHIJKLMNOPQRSTUVWX", associated.as_bytes(), &mut text, &tag));
            assert_eq!(&text, b"XAES-256-GCM");
        }
    }
}
