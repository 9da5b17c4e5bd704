//! Word to systemd, where it waits for it (`sd_notify(3)`): a datagram to the socket that `NOTIFY_SOCKET` names.

use std::{
    env,
    io::{Error, Result},
    os::unix::{
        ffi::OsStrExt,
        net::{SocketAddr, UnixDatagram},
    },
    path::Path,
};

/// Ready to serve: the ports are open.
pub const READY: &str = "READY=1";
pub const STOPPING: &str = "STOPPING=1";

/// Says it. Nobody may be listening, which is as well.
pub fn say(state: &str) {
    let Some(socket) = env::var_os("NOTIFY_SOCKET") else { return };
    let sent = address(socket.as_bytes()).and_then(|to| UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &to));
    if let Err(error) = sent {
        tracing::warn!(%error, state, "systemd cannot be told");
    }
}

/// A path, or behind an `@` a name of Linux's own.
fn address(socket: &[u8]) -> Result<SocketAddr> {
    match socket {
        [b'@', name @ ..] => of_name(name),
        path => SocketAddr::from_pathname(Path::new(std::ffi::OsStr::from_bytes(path))),
    }
}

#[cfg(target_os = "linux")]
fn of_name(name: &[u8]) -> Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    SocketAddr::from_abstract_name(name).map_err(Error::other)
}

#[cfg(not(target_os = "linux"))]
fn of_name(_name: &[u8]) -> Result<SocketAddr> {
    Err(Error::other("names that are no paths are Linux's own"))
}
