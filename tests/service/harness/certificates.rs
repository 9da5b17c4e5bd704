//! A certificate authority and the certificates that it issues.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// A certificate authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// Paths of the PEM files of a certificate and its key.
pub struct Files {
    /// Path of the certificate.
    pub certificate: PathBuf,
    /// Path of the private key.
    pub key: PathBuf,
}

/// The authority that all tests trust.
pub fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| Authority::new("cachefront tests"))
}

impl Authority {
    /// Creates an authority with this common name.
    pub fn new(name: &str) -> Self {
        cachefront::server::install_crypto();
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("an authority"))
    }

    /// Returns the certificate of the authority in PEM form.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Writes a certificate for `localhost` and 127.0.0.1 and its key to `folder`.
    pub fn issue(&self, folder: &Path, name: &str) -> Files {
        // The year 4000.
        self.issue_until(folder, name, UNIX_EPOCH + Duration::from_secs(64_060_588_800))
    }

    /// Issues a certificate that is valid until this time.
    pub fn issue_until(&self, folder: &Path, name: &str, end: SystemTime) -> Files {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).expect("valid names");
        params.not_after = end.into();
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        let files =
            Files { certificate: folder.join(format!("{name}.pem")), key: folder.join(format!("{name}-key.pem")) };
        std::fs::write(&files.certificate, certificate.pem()).expect("the certificate is written");
        std::fs::write(&files.key, key.serialize_pem()).expect("the key is written");
        files
    }
}
