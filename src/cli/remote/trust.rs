//! The certificates that are trusted to identify the service.

use super::variable::variable;
use crate::{
    cli::failure::Failure,
    server,
    settings::{PemSource, read_authorities},
};
use clap::Args;
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};
use std::{
    fmt::Display,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The environment variable that names the file with the trusted certificates.
const AUTHORITIES_VARIABLE: &str = "CACHEFRONT_CA";

/// The arguments that choose the trusted certificates.
#[derive(Args)]
pub struct TrustArgs {
    /// Trust the certificates in this PEM file, such as certs/cert.pem of `cachefront dev`; without it, those in the file
    /// that the environment variable `CACHEFRONT_CA` names, else the public authorities
    #[arg(long, value_name = "FILE")]
    ca_cert: Option<PathBuf>,
    /// Accept any certificate. The API key can then be stolen in transit: only for services on this machine
    #[arg(long, alias = "insecure", conflicts_with = "ca_cert")]
    accept_any_certificate: bool,
}

impl TrustArgs {
    /// Returns the file with the trusted certificates; `None` for the public authorities, or if every certificate is accepted.
    fn authorities(&self) -> Option<PathBuf> {
        if self.accept_any_certificate {
            return None;
        }
        self.ca_cert.clone().or_else(|| variable(AUTHORITIES_VARIABLE).map(PathBuf::from))
    }
}

/// Builds the parameters of TLS.
pub fn client(trust: &TrustArgs) -> Result<ClientConfig, Failure> {
    server::install_crypto();
    let builder = ClientConfig::builder();
    let authorities = trust.authorities();
    if !trust.accept_any_certificate && authorities.is_none() {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        return Ok(builder.with_root_certificates(roots).with_no_client_auth());
    }
    let provider = Arc::clone(builder.crypto_provider());
    let trusted = authorities.as_deref().map(read_trusted).transpose()?;
    let verifier = Arc::new(Verifier { provider, trusted });
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

fn read_trusted(path: &Path) -> Result<TrustedCertificates, Failure> {
    let authorities = read_authorities(&PemSource::File(path.to_owned())).map_err(|problem| invalid(path, problem))?;
    let certificates = authorities.certificates;
    let mut roots = RootCertStore::empty();
    for certificate in &certificates {
        roots.add(certificate.clone()).map_err(|error| invalid(path, error))?;
    }
    let issued = WebPkiServerVerifier::builder(Arc::new(roots)).build().map_err(|error| invalid(path, error))?;
    Ok(TrustedCertificates { certificates, issued })
}

fn invalid(path: &Path, problem: impl Display) -> Failure {
    Failure::usage(format!("{}: {problem}", path.display()))
}

/// Accepts every certificate, or the trusted ones and those that they issued. In any case the handshake must be signed
/// with the key of the certificate.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    /// `None` accepts every certificate.
    trusted: Option<TrustedCertificates>,
}

/// The certificates of the `--ca-cert` file.
#[derive(Debug)]
struct TrustedCertificates {
    certificates: Vec<CertificateDer<'static>>,
    /// Verifies certificates that one of them issued.
    issued: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match &self.trusted {
            None => Ok(ServerCertVerified::assertion()),
            // `openssl req -x509` makes certificates of authorities, which the usual check refuses for servers.
            Some(trusted) if trusted.certificates.contains(certificate) => {
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            Some(trusted) => trusted.issued.verify_server_cert(certificate, intermediates, name, ocsp_response, now),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
