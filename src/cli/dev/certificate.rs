//! A self-signed certificate for this machine.

use super::{error::DevError, new_file};
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};
use std::{
    error::Error,
    fs, io,
    path::{Path, PathBuf},
};
use time::{Duration, OffsetDateTime};

/// Validity of a new certificate.
const VALIDITY: Duration = Duration::days(365);
/// Time before its creation from which a certificate is valid, for clients whose clock is slow.
const CLOCK_MARGIN: Duration = Duration::hours(1);

/// The paths of a certificate and its key.
pub struct CertificateFiles {
    /// Absolute path of the certificate.
    pub chain: PathBuf,
    /// Absolute path of the private key.
    pub key: PathBuf,
}

/// Returns the certificate in `folder`; makes one where there is neither certificate nor key.
pub fn ensure(folder: &Path) -> Result<CertificateFiles, DevError> {
    let (absolute, files) = prepare(folder)
        .map_err(|source| DevError::MakeCertificate { folder: folder.to_owned(), source: source.into() })?;
    match (files.chain.exists(), files.key.exists()) {
        (true, true) => Ok(files),
        (false, false) => match make(&files) {
            Ok(()) => Ok(files),
            Err(source) => Err(DevError::MakeCertificate { folder: absolute, source }),
        },
        (true, false) => Err(DevError::HalfCertificate { folder: absolute, present: "cert.pem", absent: "key.pem" }),
        (false, true) => Err(DevError::HalfCertificate { folder: absolute, present: "key.pem", absent: "cert.pem" }),
    }
}

/// Creates the folder; returns its absolute path and those of the files in it.
fn prepare(folder: &Path) -> io::Result<(PathBuf, CertificateFiles)> {
    fs::create_dir_all(folder)?;
    let folder = folder.canonicalize()?;
    let files = CertificateFiles { chain: folder.join("cert.pem"), key: folder.join("key.pem") };
    Ok((folder, files))
}

fn make(files: &CertificateFiles) -> Result<(), Box<dyn Error + Send + Sync>> {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "cachefront development");
    // Strict clients refuse a server that presents the certificate of an authority.
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let now = OffsetDateTime::now_utc();
    (params.not_before, params.not_after) = (now - CLOCK_MARGIN, now + VALIDITY);
    let key = KeyPair::generate()?;
    new_file::create(&files.key, new_file::PRIVATE, &key.serialize_pem())?;
    new_file::create(&files.chain, new_file::PUBLIC, &params.self_signed(&key)?.pem())?;
    Ok(())
}
