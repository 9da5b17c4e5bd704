//! Opens the ports.

use super::error::BindError;
use crate::settings::ServiceConfig;
use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener},
};

/// Open ports.
pub struct Listeners {
    /// Handles on the listener of the HTTPS port, one for each worker.
    pub service: Vec<TcpListener>,
    /// Address of the HTTPS port.
    pub service_address: SocketAddr,
    /// Listener of the admin port.
    pub admin: TcpListener,
    /// Address of the admin port.
    pub admin_address: SocketAddr,
}

/// Opens both ports of the service.
pub fn bind(service: &ServiceConfig) -> Result<Listeners, BindError> {
    bind_on((service.host, service.port), (service.admin_host, service.admin_port), service.workers)
}

/// Opens the HTTPS port and the admin port on the given addresses; `workers` handles share the HTTPS port.
pub fn bind_on(
    service: (impl Into<IpAddr>, u16),
    admin: (impl Into<IpAddr>, u16),
    workers: usize,
) -> Result<Listeners, BindError> {
    let (first, service_address) = open(service.0.into(), service.1, "PORT")?;
    let service =
        share(first, workers).map_err(|source| BindError::Share { address: service_address, workers, source })?;
    let (admin, admin_address) = open(admin.0.into(), admin.1, "ADMIN_PORT")?;
    Ok(Listeners { service, service_address, admin, admin_address })
}

/// Returns `count` handles on one listener.
fn share(first: TcpListener, count: usize) -> io::Result<Vec<TcpListener>> {
    let more = (1..count).map(|_| first.try_clone()).collect::<io::Result<Vec<_>>>()?;
    Ok(std::iter::once(first).chain(more).collect())
}

fn open(host: IpAddr, port: u16, option: &'static str) -> Result<(TcpListener, SocketAddr), BindError> {
    let address = SocketAddr::from((host, port));
    listen(address).map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => BindError::PortTaken { port, option },
        io::ErrorKind::PermissionDenied => BindError::PortPrivileged { port, option },
        io::ErrorKind::AddrNotAvailable => BindError::ForeignAddress(host),
        _ => BindError::Listen { address, source },
    })
}

/// Opens a listener that does not block; returns its address, too, in which a port of 0 is replaced.
fn listen(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}
