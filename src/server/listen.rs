//! Opens the ports.

use crate::settings::ServiceConfig;
use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener},
};

/// Open ports.
pub struct Listeners {
    /// One for each worker: handles on one listener.
    pub service: Vec<TcpListener>,
    pub service_address: SocketAddr,
    pub admin: TcpListener,
    pub admin_address: SocketAddr,
}

/// Opens both ports; the error is one sentence.
pub fn bind(service: &ServiceConfig) -> Result<Listeners, String> {
    bind_on((service.host, service.port), (service.admin_host, service.admin_port), service.workers)
}

/// As [`bind`], with an address for the service and one for the admin port.
pub fn bind_on(
    service: (impl Into<IpAddr>, u16),
    admin: (impl Into<IpAddr>, u16),
    workers: usize,
) -> Result<Listeners, String> {
    let (first, service_address) = open(service.0.into(), service.1, "PORT")?;
    let service = share(first, workers)
        .map_err(|error| format!("cannot listen on {service_address} {workers} times: {error}"))?;
    let (admin, admin_address) = open(admin.0.into(), admin.1, "ADMIN_PORT")?;
    Ok(Listeners { service, service_address, admin, admin_address })
}

/// As many handles on one listener.
fn share(first: TcpListener, count: usize) -> io::Result<Vec<TcpListener>> {
    let more = (1..count).map(|_| first.try_clone()).collect::<io::Result<Vec<_>>>()?;
    Ok(std::iter::once(first).chain(more).collect())
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
