//! A certificate chain with its private key, which identifies this service: to its callers, or to Redis.

use super::{
    pem::PemText,
    pem_source::PemSource,
    problem::{PemFileError, PemProblem},
    x509::{CertificateFacts, Validity, refusal},
};
use rustls::{
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer},
};

/// The options that name a certificate chain and its private key.
#[derive(Clone, Copy)]
pub struct IdentityFiles<'a> {
    /// Title of the section of both options.
    pub section: &'static str,
    /// The option of the chain, with its text.
    pub certificate: (&'static str, &'a PemSource),
    /// The option of the key, with its text.
    pub key: (&'static str, &'a PemSource),
}

/// A chain and its key, which belong together.
pub struct Identity {
    /// The chain. Its first certificate is that of the key.
    pub chain: Vec<CertificateDer<'static>>,
    /// The private key.
    pub key: PrivateKeyDer<'static>,
    /// The validity of the first certificate.
    pub validity: Validity,
    /// The chain in PEM.
    pub chain_text: PemText,
    /// The key in PEM.
    pub key_text: PemText,
    /// Sentences about what peers may refuse.
    pub warnings: Vec<String>,
}

impl IdentityFiles<'_> {
    fn certificate_error(&self, problem: PemProblem) -> PemFileError {
        let (option, source) = self.certificate;
        PemFileError { section: self.section, option, file: source.to_string(), problem }
    }

    fn key_error(&self, problem: PemProblem) -> PemFileError {
        let (option, source) = self.key;
        PemFileError { section: self.section, option, file: source.to_string(), problem }
    }
}

/// Reads a chain and its key, and checks that they belong together. Both files can have a mistake.
pub fn read_identity(files: &IdentityFiles<'_>) -> Result<Identity, Vec<PemFileError>> {
    match (read_chain(files), read_key(files)) {
        (Ok(chain), Ok(key)) => matching(files, chain, key).map_err(|error| vec![error]),
        (chain, key) => Err(chain.err().into_iter().chain(key.err()).collect()),
    }
}

/// A chain whose certificates TLS libraries accept.
struct Chain {
    certificates: Vec<CertificateDer<'static>>,
    facts: Vec<CertificateFacts>,
    text: PemText,
}

fn read_chain(files: &IdentityFiles<'_>) -> Result<Chain, PemFileError> {
    let text = files.certificate.1.read().map_err(|problem| files.certificate_error(problem))?;
    let certificates = text.certificates().map_err(|problem| files.certificate_error(problem))?;
    let facts = acceptable(&certificates).map_err(|problem| files.certificate_error(problem))?;
    Ok(Chain { certificates, facts, text })
}

fn read_key(files: &IdentityFiles<'_>) -> Result<(PrivateKeyDer<'static>, PemText), PemFileError> {
    let text = files.key.1.read().map_err(|problem| files.key_error(problem))?;
    let key = text.private_key().map_err(|problem| files.key_error(problem))?;
    Ok((key, text))
}

/// Checks that the key is that of the first certificate.
fn matching(
    files: &IdentityFiles<'_>,
    chain: Chain,
    (key, key_text): (PrivateKeyDer<'static>, PemText),
) -> Result<Identity, PemFileError> {
    match position_of_key(&chain.facts, &key).map_err(|problem| files.key_error(problem))? {
        Some(0) => {}
        Some(position) => return Err(files.certificate_error(PemProblem::WrongOrder(position + 1))),
        None if is_without_leaf(&chain.facts) => return Err(files.certificate_error(PemProblem::LeafMissing)),
        None => return Err(files.key_error(PemProblem::KeyMismatch { certificate: files.certificate.1.to_string() })),
    }
    Ok(Identity {
        validity: chain.facts[0].validity,
        warnings: warnings(files, &chain.facts),
        chain: chain.certificates,
        chain_text: chain.text,
        key,
        key_text,
    })
}

/// Returns the facts of all certificates, which TLS libraries accept in a handshake.
fn acceptable(chain: &[CertificateDer<'_>]) -> Result<Vec<CertificateFacts>, PemProblem> {
    let mut facts = Vec::new();
    for (position, der) in chain.iter().enumerate() {
        facts.push(CertificateFacts::parse(der, position + 1)?);
        if let Some(problem) = refusal(der, position + 1) {
            return Err(problem);
        }
    }
    Ok(facts)
}

/// Returns the position of the certificate that has the public half of the key.
fn position_of_key(facts: &[CertificateFacts], key: &PrivateKeyDer<'static>) -> Result<Option<usize>, PemProblem> {
    let provider = aws_lc_rs::default_provider().key_provider;
    let key = provider.load_private_key(key.clone_key()).map_err(|_| PemProblem::UnusableKey)?;
    let Some(public_key) = key.public_key() else { return Ok(Some(0)) };
    Ok(facts.iter().position(|facts| facts.public_key == public_key.as_ref()))
}

/// Returns true if there are certificates of authorities only. One that issued itself may be meant as a server's own.
fn is_without_leaf(facts: &[CertificateFacts]) -> bool {
    let is_self_issued = facts.len() == 1 && facts[0].subject == facts[0].issuer;
    !is_self_issued && facts.iter().all(|facts| facts.is_authority)
}

fn warnings(files: &IdentityFiles<'_>, facts: &[CertificateFacts]) -> Vec<String> {
    let (option, source) = files.certificate;
    let subject = format!("[{}] {option}: {source}:", files.section);
    let mut warnings = Vec::new();
    for (position, facts) in facts.iter().enumerate() {
        let warning = facts.validity.warning();
        warnings.extend(warning.map(|warning| format!("{subject} certificate {} {warning}", position + 1)));
    }
    if let Some(position) = facts.windows(2).position(|pair| pair[0].issuer != pair[1].subject) {
        warnings.push(format!(
            "{subject} certificate {} is not that of the issuer of certificate {}: some peers want them in this order",
            position + 2,
            position + 1
        ));
    }
    warnings
}
