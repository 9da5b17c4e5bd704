//! Dialing a node: TCP with its options, and TLS. The login over the stream is that of redis-rs.

use super::stream::{LentStream, NodeStream};
use crate::{settings, store::node::resolver::ConnectionResolver, types::Address};
use futures_util::future::select_ok;
use redis::{
    AsyncConnectionConfig, RedisConnectionInfo, RedisError,
    aio::MultiplexedConnection,
    io::{
        AsyncDNSResolver,
        tcp::socket2::{SockRef, TcpKeepalive},
    },
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use secrecy::ExposeSecret;
use std::{io, sync::Arc, time::Duration};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Idle time after which the kernel probes a connection, so that a vanished host is noticed.
pub const KEEPALIVE: Duration = Duration::from_secs(15);
/// Time after which sent bytes that nobody acknowledges end a connection.
pub const USER_TIMEOUT: Duration = Duration::from_secs(10);

/// The TLS of one connection: the configuration, and the name that the node's certificate is verified for.
pub type ConnectionTls = (TlsConnector, ServerName<'static>);

/// Opens a stream to a node. `resolver` finds its addresses.
pub async fn dial(
    address: &Address,
    tls: Option<ConnectionTls>,
    resolver: &ConnectionResolver,
) -> Result<NodeStream, RedisError> {
    let found = resolver.resolve(&address.host, address.port).await?;
    let attempts: Vec<_> = found.map(|address| Box::pin(TcpStream::connect(address))).collect();
    if attempts.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address").into());
    }
    let (stream, _others) = select_ok(attempts).await?;
    set_options(&stream)?;
    Ok(match tls {
        None => NodeStream::Tcp(stream),
        Some((connector, name)) => NodeStream::Tls(Box::new(connector.connect(name, stream).await?)),
    })
}

fn set_options(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 3))?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    Ok(())
}

/// Returns the TLS configuration of connections. The errors of parsers are not used: they could repeat a part of the key.
pub fn tls_connector(tls: &settings::RedisTlsConfig) -> io::Result<TlsConnector> {
    let mut trusted = RootCertStore::empty();
    match &tls.ca_cert {
        None => trusted.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(pem) => {
            for certificate in certificates(pem)? {
                trusted.add(certificate).map_err(io::Error::other)?;
            }
        }
    }
    let config = ClientConfig::builder().with_root_certificates(trusted);
    let config = match &tls.client {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => {
            let key = PrivateKeyDer::from_pem_slice(key.expose_secret())
                .map_err(|_| io::Error::other("the client key is no private key in PEM"))?;
            config.with_client_auth_cert(certificates(certificate)?, key).map_err(io::Error::other)?
        }
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn certificates(pem: &[u8]) -> io::Result<Vec<CertificateDer<'static>>> {
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    parsed.map_err(|_| io::Error::other("a certificate is not in PEM"))
}

/// Logs in over a new stream, and selects the database.
pub async fn log_in(stream: NodeStream, login: &RedisConnectionInfo) -> Result<NodeStream, RedisError> {
    let lent = LentStream::new(stream);
    // The connection of redis-rs only does its handshake; nothing else has been sent, so nothing else can arrive.
    let config = AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
    drop(MultiplexedConnection::new_with_config(login, lent.clone(), config).await?);
    lent.take_back().ok_or_else(|| io::Error::other("the login still holds the stream").into())
}
