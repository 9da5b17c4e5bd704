//! A self-signed certificate for this machine.

use super::{error::DevError, new_file};
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use std::{
    error::Error,
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};
use time::{Duration, OffsetDateTime};

/// The subject of the certificates that are made here.
const COMMON_NAME: &str = "cachefront development";
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

/// Returns the certificate in `folder`; makes one where there is neither certificate nor key, and in place of one that it
/// made and that ends soon.
pub fn ensure(folder: &Path) -> Result<CertificateFiles, DevError> {
    let (absolute, files) = prepare(folder)
        .map_err(|source| DevError::MakeCertificate { folder: folder.to_owned(), source: source.into() })?;
    match (files.chain.exists(), files.key.exists()) {
        (true, true) if !ends_soon(&files.chain) => Ok(files),
        (true, true) | (false, false) => match make(&files, VALIDITY) {
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

/// Returns true for a certificate that was made here and that ends within a day. Other certificates belong to the user.
fn ends_soon(chain: &Path) -> bool {
    let Ok(certificate) = CertificateDer::from_pem_file(chain) else { return false };
    let Ok((_, certificate)) = x509_parser::parse_x509_certificate(&certificate) else { return false };
    let is_own = certificate.subject().iter_common_name().any(|name| name.as_str() == Ok(COMMON_NAME));
    is_own && certificate.validity().not_after.to_datetime() < OffsetDateTime::now_utc() + Duration::DAY
}

fn make(files: &CertificateFiles, validity: Duration) -> Result<(), Box<dyn Error + Send + Sync>> {
    for outdated in [&files.key, &files.chain] {
        fs::remove_file(outdated)
            .or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
    }
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, COMMON_NAME);
    // Strict clients refuse a server that presents the certificate of an authority.
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let now = OffsetDateTime::now_utc();
    (params.not_before, params.not_after) = (now - CLOCK_MARGIN, now + validity);
    let key = KeyPair::generate()?;
    new_file::create(&files.key, new_file::PRIVATE, &key.serialize_pem())?;
    new_file::create(&files.chain, new_file::PUBLIC, &params.self_signed(&key)?.pem())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_of_its_own_is_renewed_when_it_ends_soon_and_others_are_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = ensure(folder.path()).expect("a certificate");
        let read = || fs::read_to_string(&files.chain).expect("a certificate");
        let fresh = read();
        ensure(folder.path()).expect("the same certificate");
        assert_eq!(read(), fresh);
        make(&files, Duration::hours(2)).expect("a certificate that ends soon");
        let ending = read();
        ensure(folder.path()).expect("a new certificate");
        assert_ne!(read(), ending);
        let (key, params) = (KeyPair::generate(), CertificateParams::new(["localhost".to_owned()]));
        let mut params = params.expect("a name");
        params.not_after = OffsetDateTime::now_utc();
        let foreign = params.self_signed(&key.expect("a key")).expect("a certificate").pem();
        fs::write(&files.chain, &foreign).expect("the certificate is written");
        ensure(folder.path()).expect("the certificate of the user");
        assert_eq!(read(), foreign);
    }
}
