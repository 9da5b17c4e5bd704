//! A self-signed certificate for this machine.

use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Where certificate and key are; absolute paths.
pub struct Certificate {
    pub chain: PathBuf,
    pub key: PathBuf,
}

/// The certificate in `folder`, made if there is none.
pub fn ensure(folder: &Path) -> Result<Certificate, String> {
    let place = |error: io::Error| format!("no certificate could be put into {}: {error}", folder.display());
    fs::create_dir_all(folder).map_err(place)?;
    let folder = folder.canonicalize().map_err(place)?;
    let certificate = Certificate { chain: folder.join("cert.pem"), key: folder.join("key.pem") };
    match (certificate.chain.exists(), certificate.key.exists()) {
        (true, true) => {}
        (false, false) => make(&certificate)
            .map_err(|error| format!("no certificate could be made in {}: {error}", folder.display()))?,
        (true, false) => {
            return Err(format!(
                "{} has a cert.pem but no key.pem: add the key, or remove the certificate to have both made",
                folder.display()
            ));
        }
        (false, true) => {
            return Err(format!(
                "{} has a key.pem but no cert.pem: add the certificate, or remove the key to have both made",
                folder.display()
            ));
        }
    }
    Ok(certificate)
}

fn make(certificate: &Certificate) -> Result<(), Box<dyn std::error::Error>> {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "cachefront development");
    // Not an authority: strict clients refuse a server that shows an authority's certificate.
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    write(&certificate.key, 0o600, &key.serialize_pem())?;
    write(&certificate.chain, 0o644, &params.self_signed(&key)?.pem())?;
    Ok(())
}

fn write(path: &Path, mode: u32, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())
}
