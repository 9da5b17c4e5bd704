//! The settings of a development session: a `setup.config` with fresh secrets.

use super::{certificate::CertificateFiles, error::DevError, local_redis::RedisGroup, new_file};
use crate::{
    server::{self, BindError, Listeners},
    settings::{self, Settings, SettingsProblems},
};
use std::{fmt::Write, path::PathBuf};

/// Everything that a person needs to use the session.
pub struct DevSession {
    /// API key of the only client.
    pub api_key: String,
    /// Path of the certificate.
    pub certificate: PathBuf,
    /// Path of the settings file.
    pub config: PathBuf,
    /// Port of the service.
    pub port: u16,
    /// Port of probes, metrics and console.
    pub admin_port: u16,
}

/// The numbers of the open ports.
#[derive(Clone, Copy)]
pub struct Ports {
    service: u16,
    admin: u16,
}

/// The arguments of `cachefront dev` and of `make run` that choose the port, for messages.
const PORT_OPTION: &str = "--port, or `make run PORT=…`";
/// Threads that serve in a session.
const WORKERS: usize = 2;

/// Opens `port` for the service and the next one for the admin port, or any free one where that is taken.
pub fn listen(port: u16) -> Result<(Listeners, Ports), BindError> {
    let next = if port == 0 { 0 } else { port.checked_add(1).unwrap_or(0) };
    // The second attempt fails only because of the service's port.
    let listeners = bind(port, next).or_else(|_| bind(port, 0)).map_err(named_by_argument)?;
    let ports = Ports { service: listeners.service_address.port(), admin: listeners.admin_address.port() };
    Ok((listeners, ports))
}

fn bind(port: u16, admin_port: u16) -> Result<Listeners, BindError> {
    server::bind_on(([127, 0, 0, 1], port), ([127, 0, 0, 1], admin_port), WORKERS)
}

/// Names the argument of `cachefront dev` in place of the option of a settings file.
fn named_by_argument(error: BindError) -> BindError {
    match error {
        BindError::PortTaken { port, .. } => BindError::PortTaken { port, option: PORT_OPTION },
        BindError::PortPrivileged { port, .. } => BindError::PortPrivileged { port, option: PORT_OPTION },
        other => other,
    }
}

impl DevSession {
    /// Writes the settings file into the folder of `redis`.
    pub fn new(redis: &RedisGroup, certificate: &CertificateFiles, ports: Ports) -> Result<Self, DevError> {
        let api_key = settings::new_api_key();
        let config = redis.folder().join("setup.config");
        let mut text = String::from("; Made by `cachefront dev`; gone when it stops.\n[redis]\nkey_expire_secs=600\n");
        for (name, master, replicas) in redis.shards() {
            let replicas: Vec<String> = replicas.iter().map(ToString::to_string).collect();
            let _ = write!(text, "\n[shard:{name}]\nmaster={master}\nreplicas={}\n", replicas.join(", "));
        }
        let _ = write!(
            text,
            "\n[service]\nHOST=127.0.0.1\nPORT={}\nADMIN_PORT={}\nTLS_CERT={}\nTLS_KEY={}\nJWT_SECRET_KEY={}\nSRVC_SHARED_SECRET={api_key}\nIDENTITY=developer\nHSTS=false\nWORKERS={WORKERS}\nENCRYPTION_KEY={}\nLOG_LEVEL={}\nDRAIN_SECS=1\nRELOAD_EVERY_SECS=1\n",
            ports.service,
            ports.admin,
            certificate.chain.display(),
            certificate.key.display(),
            settings::new_api_key(),
            settings::new_sealing_key(),
            std::env::var("CACHEFRONT_LOG").ok().filter(|level| !level.is_empty()).unwrap_or_else(|| "warn".to_owned()),
        );
        new_file::create(&config, new_file::PRIVATE, &text).map_err(DevError::WriteSettings)?;
        Ok(Self {
            api_key,
            certificate: certificate.chain.clone(),
            config,
            port: ports.service,
            admin_port: ports.admin,
        })
    }

    /// Returns a function that reads the settings, which a person may have edited; the environment does not count.
    pub fn load_settings(&self) -> impl Fn() -> Result<Settings, SettingsProblems> + Send + Sync + 'static {
        let config = self.config.clone();
        move || settings::load_with(&config, [])
    }
}
