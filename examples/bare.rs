//! The upper bound of `make bench`: the same TLS and HTTP stack with a handler that returns a constant.
//!
//! Usage: bare PORT CERTIFICATE KEY

use axum::{Router, http::header::CONTENT_TYPE, routing::post};
use axum_server::{
    accept::NoDelayAcceptor,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs::Ticketer,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::{env, error::Error, net::SocketAddr, sync::Arc};

/// A response of the same length as that to a READ of 16 bytes.
const ANSWER: &str = "{\"command\":\"READ\",\"status\":\"SUCCESS\",\"value\":\"0123456789abcdef\"}\n";

/// Returns the TLS configuration.
fn config(certificate: &str, key: &str) -> Result<ServerConfig, Box<dyn Error>> {
    let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let mut config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = Ticketer::new()?;
    Ok(config)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().collect();
    let [_, port, certificate, key] = arguments.as_slice() else {
        return Err("usage: bare PORT CERTIFICATE KEY".into());
    };
    cachefront::server::install_crypto();
    let tls = RustlsConfig::from_config(Arc::new(config(certificate, key)?));
    let router = Router::new().route("/cache", post(async || ([(CONTENT_TYPE, "application/json")], ANSWER)));
    let address = SocketAddr::from(([127, 0, 0, 1], port.parse()?));
    // The service sets TCP_NODELAY, too. Without it, responses wait for acknowledgements.
    let acceptor = RustlsAcceptor::new(tls).acceptor(NoDelayAcceptor::new());
    axum_server::bind(address).acceptor(acceptor).serve(router.into_make_service()).await?;
    Ok(())
}
