//! Opens the ports.

use crate::settings::Service;
use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener},
};

/// Connections that wait to be accepted, by one worker; the system may allow fewer.
#[cfg(target_os = "linux")]
const BACKLOG: i32 = 4096;

/// Open ports.
pub struct Listeners {
    /// One for each worker, all on the same port: the system spreads connections over them.
    pub service: Vec<TcpListener>,
    pub service_address: SocketAddr,
    pub admin: TcpListener,
    pub admin_address: SocketAddr,
}

/// Opens both ports; the error is one sentence.
pub fn bind(service: &Service) -> Result<Listeners, String> {
    bind_on((service.host, service.port), (service.admin_host, service.admin_port), service.workers)
}

/// As [`bind`], with an address for the service and one for the admin port.
pub fn bind_on(
    service: (impl Into<IpAddr>, u16),
    admin: (impl Into<IpAddr>, u16),
    workers: usize,
) -> Result<Listeners, String> {
    let (first, service_address) = open(service.0.into(), service.1, "PORT")?;
    let service = share(first, service_address, workers)
        .map_err(|error| format!("cannot listen on {service_address} {workers} times: {error}"))?;
    let (admin, admin_address) = open(admin.0.into(), admin.1, "ADMIN_PORT")?;
    Ok(Listeners { service, service_address, admin, admin_address })
}

/// As many listeners on a port that was free.
#[cfg(target_os = "linux")]
fn share(first: TcpListener, address: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    use socket2::{Domain, Protocol, Socket, Type};
    if count == 1 {
        return Ok(vec![first]);
    }
    // Only among those that ask for it is a port shared, and the first one did not, so that somebody else's port is
    // never shared by mistake.
    drop(first);
    let listener = |_| {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    };
    (0..count).map(listener).collect()
}

/// As many handles on one listener: elsewhere the system does not spread connections over several.
#[cfg(not(target_os = "linux"))]
fn share(first: TcpListener, _: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    (1..count).map(|_| first.try_clone()).chain([first.try_clone()]).collect()
}

fn open(host: IpAddr, port: u16, option: &str) -> Result<(TcpListener, SocketAddr), String> {
    let address = SocketAddr::from((host, port));
    let opened = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    });
    opened.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("port {port} is taken: stop what listens there, or choose another port ({option})")
        }
        io::ErrorKind::PermissionDenied => {
            format!("port {port} needs privileges that this process does not have: choose one above 1023 ({option})")
        }
        io::ErrorKind::AddrNotAvailable => format!("{host} is not an address of this machine"),
        _ => format!("cannot listen on {address}: {error}"),
    })
}
