//! The certificates of the authorities that are trusted to certify a peer.

use super::{pem::PemText, pem_source::PemSource, problem::PemProblem, x509::CertificateFacts};
use rustls::{RootCertStore, pki_types::CertificateDer};

/// Certificates of authorities.
pub struct Authorities {
    /// The certificates.
    pub certificates: Vec<CertificateDer<'static>>,
    /// The certificates in PEM.
    pub text: PemText,
    /// A sentence without its subject, if none of the certificates is valid now.
    pub warning: Option<String>,
}

/// Reads certificates of authorities, and checks that each of them can be trusted.
pub fn read_authorities(source: &PemSource) -> Result<Authorities, PemProblem> {
    let text = source.read()?;
    let certificates = text.certificates()?;
    let mut roots = RootCertStore::empty();
    let mut warnings = Vec::new();
    for (position, certificate) in certificates.iter().enumerate() {
        let facts = CertificateFacts::parse(certificate, position + 1)?;
        roots.add(certificate.clone()).map_err(|_| PemProblem::UnusableAuthority(position + 1))?;
        warnings.push(facts.validity.warning());
    }
    // A bundle may have certificates that have expired beside others that have not.
    let warning = warnings.into_iter().collect::<Option<Vec<String>>>().and_then(|all| all.into_iter().next());
    let warning = warning.map(|warning| format!("certificate 1 {warning}"));
    Ok(Authorities { certificates, text, warning })
}
