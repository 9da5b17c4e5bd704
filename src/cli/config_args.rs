//! The argument that names the settings file.

use super::failure::Failure;
use crate::{
    server::Server,
    settings::{self, Settings},
    types::error_chain,
};
use clap::Args;
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
};

/// The argument `--config` of every command that reads the settings.
#[derive(Args, Clone)]
pub struct ConfigArgs {
    /// Read the settings from this file; `CACHEFRONT__SECTION__OPTION` in the environment overrides its options
    #[arg(long, value_name = "FILE", default_value = "config/setup.config")]
    pub config: PathBuf,
}

impl ConfigArgs {
    /// Loads the settings of the file for a server. The failure also has the problems with the server's own files, which
    /// other commands do not need.
    pub fn load_for_server(&self) -> Result<Settings, Failure> {
        settings::load_for_server(&self.config).map_err(|problems| Failure::unloadable_settings(&problems, "--config"))
    }

    /// Builds the server of these settings; nothing is opened yet.
    pub fn server(&self, settings: Settings) -> Result<Server, Failure> {
        Server::new(settings)
            .map_err(|error| Failure::settings(format!("{}: {}", self.config.display(), error_chain(&error))))
    }

    /// Loads the address at which this machine reaches the admin port; mistakes elsewhere in the settings do not matter.
    pub fn load_admin_address(&self) -> Result<SocketAddr, Failure> {
        let address = settings::load_admin_address(&self.config)
            .map_err(|problems| Failure::unloadable_settings(&problems, "--config"))?;
        if address.port() == 0 {
            return Err(Failure::settings(format!(
                "{}: [service] ADMIN_PORT is 0, so the instance chose a port itself: name a port, in the settings or as \
                 CACHEFRONT__SERVICE__ADMIN_PORT",
                self.config.display()
            )));
        }
        Ok(reachable(address))
    }

    /// Loads the settings of the file.
    pub fn load(&self) -> Result<Settings, Failure> {
        settings::load(&self.config).map_err(|problems| Failure::unloadable_settings(&problems, "--config"))
    }
}

/// Returns the address at which this machine reaches a listener. A listener on every address listens on the loopback address,
/// too.
pub fn reachable(listener: SocketAddr) -> SocketAddr {
    let host = match listener.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        host => host,
    };
    SocketAddr::new(host, listener.port())
}
