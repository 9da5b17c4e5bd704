//! `cachefront healthcheck`: so that an image without curl can check itself.

use super::Failure;
use crate::settings;
use std::{
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    path::Path,
    time::Duration,
};

const TIMEOUT: Duration = Duration::from_secs(2);

pub fn run(config: &Path) -> Result<(), Failure> {
    let settings = settings::load(config).map_err(Failure::settings)?;
    let address = admin_address(&settings.service);
    let status =
        ask(address).map_err(|error| Failure::general(format!("the admin port {address} does not answer: {error}")))?;
    if status == "200" { Ok(()) } else { Err(Failure::general(format!("/healthz answered {status}"))) }
}

/// Where the admin port is reached from this machine.
pub fn admin_address(service: &settings::ServiceConfig) -> SocketAddr {
    // Who listens on every address listens on the loopback.
    let host = match service.admin_host {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        host => host,
    };
    SocketAddr::new(host, service.admin_port)
}

/// The status of `GET /healthz`.
fn ask(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    let head = String::from_utf8_lossy(&head).into_owned();
    head.split(' ').nth(1).map(str::to_owned).ok_or_else(|| io::Error::other("it does not speak HTTP"))
}
