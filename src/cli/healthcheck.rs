//! `cachefront healthcheck`: lets an image without curl check itself.

use super::{config_args::ConfigArgs, failure::Failure};
use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

const TIMEOUT: Duration = Duration::from_secs(2);

/// Succeeds if `/healthz` of the instance with these settings answers with status 200.
pub fn run(args: &ConfigArgs) -> Result<(), Failure> {
    let address = args.load_admin_address()?;
    let status = request_status(address)
        .map_err(|error| Failure::general(format!("the admin port {address} does not answer: {error}")))?;
    if status == "200" { Ok(()) } else { Err(Failure::general(format!("/healthz answered {status}"))) }
}

/// Sends `GET /healthz` and returns the status code of the answer.
fn request_status(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    let head = String::from_utf8_lossy(&head).into_owned();
    head.split(' ').nth(1).map(str::to_owned).ok_or_else(|| io::Error::other("the answer is not HTTP"))
}
