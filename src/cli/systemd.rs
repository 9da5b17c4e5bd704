//! Service state for systemd (`sd_notify(3)`): a datagram to the socket that `NOTIFY_SOCKET` names.

use std::{
    env,
    io::{Error, Result},
    os::unix::{
        ffi::OsStrExt,
        net::{SocketAddr, UnixDatagram},
    },
    path::Path,
};

/// The service is ready: its ports are open.
pub const READY: &str = "READY=1";
/// The service has begun to stop.
pub const STOPPING: &str = "STOPPING=1";

/// Sends the state. Without `NOTIFY_SOCKET` there is nobody to notify.
pub fn notify(state: &str) {
    let Some(socket) = env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty()) else { return };
    let sent = address(socket.as_bytes()).and_then(|to| UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &to));
    if let Err(error) = sent {
        tracing::warn!(%error, state, "systemd was not notified of {state}: {error}");
    }
}

/// Parses a path, or a name in Linux's abstract namespace after an `@`.
fn address(socket: &[u8]) -> Result<SocketAddr> {
    match socket {
        [b'@', name @ ..] => abstract_name(name),
        path => SocketAddr::from_pathname(Path::new(std::ffi::OsStr::from_bytes(path))),
    }
}

#[cfg(target_os = "linux")]
fn abstract_name(name: &[u8]) -> Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    SocketAddr::from_abstract_name(name).map_err(Error::other)
}

#[cfg(not(target_os = "linux"))]
fn abstract_name(_name: &[u8]) -> Result<SocketAddr> {
    Err(Error::other("abstract socket names exist only on Linux"))
}
