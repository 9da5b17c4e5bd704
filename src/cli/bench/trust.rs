//! Which certificates of the endpoint are accepted.

use crate::{cli::Failure, server};
use clap::Args;
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
    server::ParsedCertificate,
};
use std::{
    fmt::Display,
    path::{Path, PathBuf},
    sync::Arc,
};

#[derive(Args)]
pub struct Trust {
    /// PEM file with the certificates to trust, such as certs/cert.pem of `cachefront dev`; without it, the public
    /// authorities
    #[arg(long, value_name = "FILE")]
    ca_cert: Option<PathBuf>,
    /// Trust whoever answers. The API key can then be stolen on the way: only for services on this machine
    #[arg(long, alias = "insecure", conflicts_with = "ca_cert")]
    accept_any_certificate: bool,
}

pub fn client(trust: &Trust) -> Result<ClientConfig, Failure> {
    server::install_crypto();
    let builder = ClientConfig::builder();
    if !trust.accept_any_certificate && trust.ca_cert.is_none() {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        return Ok(builder.with_root_certificates(roots).with_no_client_auth());
    }
    let provider = Arc::clone(builder.crypto_provider());
    let listed = trust.ca_cert.as_deref().map(listed).transpose()?;
    let verifier = Arc::new(Verifier { provider, listed });
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

fn listed(path: &Path) -> Result<Listed, Failure> {
    let wrong = |error: &dyn Display| Failure::usage(format!("{}: {error}", path.display()));
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))?;
    let certificates = certificates.collect::<Result<Vec<_>, _>>().map_err(|error| wrong(&error))?;
    if certificates.is_empty() {
        return Err(wrong(&"it holds no certificate in PEM form"));
    }
    let mut roots = RootCertStore::empty();
    for certificate in &certificates {
        roots.add(certificate.clone()).map_err(|error| wrong(&error))?;
    }
    let issued = WebPkiServerVerifier::builder(Arc::new(roots)).build().map_err(|error| wrong(&error))?;
    Ok(Listed { certificates, issued })
}

/// What a failed handshake says, with what to do about the likeliest cause.
pub fn said(error: &str) -> String {
    let hint = if error.contains("UnknownIssuer") { "; see --ca-cert" } else { "" };
    format!("{error}{hint}")
}

/// Takes every certificate, or those that are listed or were issued by one that is. In any case the handshake has to
/// be signed with its key.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    listed: Option<Listed>,
}

#[derive(Debug)]
struct Listed {
    certificates: Vec<CertificateDer<'static>>,
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
        match &self.listed {
            None => Ok(ServerCertVerified::assertion()),
            // Those that `openssl req -x509` makes call themselves authorities, which the usual check refuses.
            Some(listed) if listed.certificates.iter().any(|listed| listed == certificate) => {
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            Some(listed) => listed.issued.verify_server_cert(certificate, intermediates, name, ocsp_response, now),
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
