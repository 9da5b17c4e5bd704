//! The mistakes that are made with certificates and keys.

use std::io;
use thiserror::Error;

/// A file of certificates or of a key that cannot be used.
#[derive(Debug, Error)]
#[error("[{section}] {option}: {file} {problem}")]
pub struct PemFileError {
    /// Title of the section.
    pub section: &'static str,
    /// The option that names the file.
    pub option: &'static str,
    /// The path of the file, or a text in its place where the option has the PEM itself.
    pub file: String,
    /// The mistake.
    pub problem: PemProblem,
}

/// A mistake in a file of certificates or of a key. Certificates are counted from 1.
#[derive(Debug, Error)]
pub enum PemProblem {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    /// The file is empty.
    #[error("is empty")]
    Empty,
    /// The file is text in UTF-16, as some programs of Windows write it.
    #[error("is text in UTF-16: save it as UTF-8")]
    Utf16,
    /// The file is binary.
    #[error(
        "is binary, not PEM: convert it with `openssl x509 -inform der`, `openssl pkey -inform der` or `openssl pkcs12`"
    )]
    Binary,
    /// The file has no PEM section.
    #[error("holds no {wanted} in PEM form, whose first line is {first_line}")]
    NoPem {
        /// The wanted object.
        wanted: &'static str,
        /// The first line that the object has in PEM.
        first_line: &'static str,
    },
    /// The line ends within PEM are lost.
    #[error("is PEM without line ends: write each of its lines as a line, or \\n between them")]
    NoLineEnds,
    /// A section has no end, or its content is damaged.
    #[error("holds a {0} that is cut off or damaged")]
    Damaged(&'static str),
    /// The file has other things than certificates.
    #[error("holds a {0}, but no certificate")]
    NoCertificate(&'static str),
    /// The file has other things than a private key.
    #[error("holds a {0}, but no private key in PEM form (PKCS#8, PKCS#1 or SEC1)")]
    NoKey(&'static str),
    /// The private key is encrypted.
    #[error(
        "holds an encrypted private key, and no option gives its passphrase: decrypt it with `openssl pkey -in ENCRYPTED -out FILE`"
    )]
    EncryptedKey,
    /// The private key is of a kind that the TLS library does not know.
    #[error(
        "holds a private key that cannot be used: there are RSA with 2048 to 8192 bits, ECDSA with P-256, P-384 or P-521, and Ed25519"
    )]
    UnusableKey,
    /// A certificate cannot be parsed.
    #[error("holds something else than an X.509 certificate as certificate {0}")]
    NotX509(usize),
    /// A certificate is of version 1 or 2.
    #[error(
        "holds an X.509 certificate of version {version} as certificate {number}, which TLS does not accept: make one of version 3"
    )]
    OldVersion {
        /// The position of the certificate.
        number: usize,
        /// Its version.
        version: u32,
    },
    /// The RSA key of a certificate is short.
    #[error("holds a certificate whose RSA key has {bits} bits as certificate {number}: at least 2048 are needed")]
    ShortKey {
        /// The position of the certificate.
        number: usize,
        /// The length of its key.
        bits: usize,
    },
    /// The key belongs to none of the certificates.
    #[error("is not the key of the certificate in {certificate}")]
    KeyMismatch {
        /// The file of the certificates.
        certificate: String,
    },
    /// The certificate of the key is not the first one.
    #[error(
        "has the wrong order: the certificate of the private key is number {0} and must be the first, before those of its authorities"
    )]
    WrongOrder(usize),
    /// There are only certificates of authorities.
    #[error(
        "holds certificates of authorities only: the certificate of the private key is missing, and must be the first"
    )]
    LeafMissing,
    /// A certificate cannot be trusted as that of an authority.
    #[error("holds a certificate that cannot be that of an authority, as certificate {0}")]
    UnusableAuthority(usize),
    /// The TLS library refuses the certificates for another reason.
    #[error("holds certificates that cannot be used: {0}")]
    Unusable(rustls::Error),
}
