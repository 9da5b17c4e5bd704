//! Proxies that may name the address of their client, by the PROXY protocol version 2.
//!
//! Everybody can send such a header, so it is read only from addresses that the settings trust.

use ipnet::IpNet;
use proxy_header::{ParseConfig, ProxyHeader};
use std::{io, net::IpAddr, time::Duration};
use tokio::{io::AsyncReadExt, net::TcpStream, time::timeout};

/// Time for a proxy to send the header, which it does at once.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// The first bytes of each header of version 2.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Bytes before the variable part of a header: signature, command, family and length.
const PREFIX_BYTES: usize = 16;
/// Maximum size of the variable part in bytes. Addresses take 36, and the rest are facts that are not used here.
const REST_BYTES_MAX: usize = 4 * 1024;
const VERSION_2: ParseConfig = ParseConfig { include_tlvs: false, allow_v1: false, allow_v2: true };

/// The proxies that are trusted.
#[derive(Debug, Default)]
pub struct TrustedProxies {
    /// Their addresses.
    networks: Vec<IpNet>,
    /// Each of their connections begins with a header.
    send_headers: bool,
}

impl TrustedProxies {
    /// Trusts the proxies in `networks`. With `send_headers`, each of their connections has to begin with a header.
    pub fn new(networks: Vec<IpNet>, send_headers: bool) -> Self {
        Self { networks, send_headers }
    }

    /// Returns true if the address is that of a trusted proxy.
    pub fn contains(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.networks.iter().any(|network| network.contains(&peer))
    }

    /// Reads the address of the client at the start of a proxy's connection. `None` means that proxies send no headers, or
    /// that the connection is the proxy's own, such as a health check.
    pub async fn read_client(&self, stream: &mut TcpStream) -> io::Result<Option<IpAddr>> {
        if !self.send_headers {
            return Ok(None);
        }
        timeout(HEADER_TIMEOUT, read_header(stream)).await?
    }
}

/// Reads a header, and not one byte of what follows it.
async fn read_header(stream: &mut TcpStream) -> io::Result<Option<IpAddr>> {
    let mut header = vec![0; PREFIX_BYTES];
    stream.read_exact(&mut header).await?;
    let rest = usize::from(u16::from_be_bytes([header[PREFIX_BYTES - 2], header[PREFIX_BYTES - 1]]));
    // Checked before the rest is awaited: what is no header may be shorter.
    if !header.starts_with(SIGNATURE) || rest > REST_BYTES_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    header.resize(PREFIX_BYTES + rest, 0);
    stream.read_exact(&mut header[PREFIX_BYTES..]).await?;
    let (header, _) = ProxyHeader::parse(&header, VERSION_2).map_err(|_| io::ErrorKind::InvalidData)?;
    Ok(header.proxied_address().map(|addresses| addresses.source.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proxy_header::ProxiedAddress;
    use tokio::{io::AsyncWriteExt, net::TcpListener};

    fn proxies(networks: &[&str], send_headers: bool) -> TrustedProxies {
        TrustedProxies::new(networks.iter().map(|text| text.parse().expect("a network")).collect(), send_headers)
    }

    /// Sends bytes to a socket, and returns the client that is read from them and the byte that follows.
    async fn read(bytes: &[u8]) -> io::Result<(Option<IpAddr>, u8)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut sender = TcpStream::connect(listener.local_addr()?).await?;
        sender.write_all(bytes).await?;
        sender.shutdown().await?;
        let (mut stream, _) = listener.accept().await?;
        let client = proxies(&["127.0.0.0/8"], true).read_client(&mut stream).await?;
        Ok((client, stream.read_u8().await?))
    }

    fn header(addresses: Option<ProxiedAddress>) -> Vec<u8> {
        let header = addresses.map_or_else(ProxyHeader::with_local, ProxyHeader::with_address);
        let mut bytes = [0; 256];
        let length = header.encode_to_slice_v2(&mut bytes).expect("it fits");
        bytes[..length].to_vec()
    }

    #[test]
    fn only_listed_addresses_are_trusted() {
        let proxies = proxies(&["10.0.0.0/8", "192.168.1.7/32", "2001:db8::/32"], true);
        for (address, expected) in [
            ("10.200.0.1", true),
            ("::ffff:10.200.0.1", true),
            ("11.0.0.1", false),
            ("192.168.1.7", true),
            ("192.168.1.8", false),
            ("2001:db8:9::1", true),
            ("2001:db9::1", false),
        ] {
            assert_eq!(proxies.contains(address.parse().expect("an address")), expected, "{address}");
        }
    }

    #[tokio::test]
    async fn a_header_names_the_client_and_what_follows_is_left_in_the_stream() {
        for source in ["192.0.2.9:5000", "[2001:db8::9]:5000"] {
            let source = source.parse().expect("an address");
            let addresses = ProxiedAddress::stream(source, source);
            let bytes = [header(Some(addresses)), b"x".to_vec()].concat();
            assert_eq!(read(&bytes).await.expect("a client"), (Some(source.ip()), b'x'));
        }
        let bytes = [header(None), b"x".to_vec()].concat();
        assert_eq!(read(&bytes).await.expect("a health check"), (None, b'x'));
    }

    #[tokio::test]
    async fn bytes_that_are_no_header_of_version_2_are_an_error() {
        let mut long = header(None);
        long[PREFIX_BYTES - 2] = 0xff;
        for bytes in [
            b"PROXY TCP4 192.0.2.9 192.0.2.1 5000 443\r\nx".to_vec(),
            [0x16; 64].to_vec(),
            [&[0x16; PREFIX_BYTES - 1][..], &[64]].concat(),
            [long, vec![0; 70_000]].concat(),
            header(None)[..PREFIX_BYTES - 1].to_vec(),
        ] {
            assert!(read(&bytes).await.is_err(), "{bytes:?}");
        }
    }
}
