//! The settings of a development session: a `setup.config` with fresh secrets.

use super::{certificate::Certificate, local_redis::RedisGroup};
use crate::{
    server::{self, Listeners},
    settings::{self, Settings, SettingsProblems},
};
use std::{fmt::Write, fs, io, path::PathBuf};

pub struct DevSession {
    pub api_key: String,
    pub certificate: PathBuf,
    pub config: PathBuf,
    pub port: u16,
    pub admin_port: u16,
}

/// The ports that are open.
#[derive(Clone, Copy)]
pub struct Ports {
    service: u16,
    admin: u16,
}

/// Threads that serve in a session.
const WORKERS: usize = 2;

/// Opens `port`, and for the admin port the next one, or any that is free where that is taken.
pub fn listen(port: u16) -> Result<(Listeners, Ports), String> {
    let with_admin = |admin_port| server::bind_on(([127, 0, 0, 1], port), ([127, 0, 0, 1], admin_port), WORKERS);
    let next = if port == 0 { 0 } else { port.checked_add(1).unwrap_or(0) };
    // Which of the two ports was at fault shows when only the first can still be.
    let listeners =
        with_admin(next).or_else(|_| with_admin(0)).map_err(|problem| problem.replace("(PORT)", "(--port)"))?;
    let ports = Ports { service: listeners.service_address.port(), admin: listeners.admin_address.port() };
    Ok((listeners, ports))
}

impl DevSession {
    /// Writes the settings file into the folder of `redis`.
    pub fn new(redis: &RedisGroup, certificate: &Certificate, ports: Ports) -> io::Result<Self> {
        let api_key = settings::new_api_key();
        let config = redis.folder().join("setup.config");
        let mut text = String::from("; Made by `cachefront dev`; gone when it stops.\n[redis]\nkey_expire_secs=600\n");
        for (name, master, replicas) in redis.shards() {
            let replicas: Vec<String> = replicas.iter().map(ToString::to_string).collect();
            let _ = write!(text, "\n[shard:{name}]\nmaster={master}\nreplicas={}\n", replicas.join(", "));
        }
        let _ = write!(
            text,
            "\n[service]\nHOST=127.0.0.1\nPORT={}\nADMIN_PORT={}\nTLS_CERT={}\nTLS_KEY={}\nJWT_SECRET_KEY={}\nSRVC_SHARED_SECRET={api_key}\nIDENTITY=developer\nWORKERS={WORKERS}\nENCRYPTION_KEY={}\nLOG_LEVEL={}\nDRAIN_SECS=1\n",
            ports.service,
            ports.admin,
            certificate.chain.display(),
            certificate.key.display(),
            settings::new_api_key(),
            settings::new_sealing_key(),
            std::env::var("CACHEFRONT_LOG").unwrap_or_else(|_| "warn".to_owned()),
        );
        fs::write(&config, text)?;
        Ok(Self {
            api_key,
            certificate: certificate.chain.clone(),
            config,
            port: ports.service,
            admin_port: ports.admin,
        })
    }

    /// The settings as written; the environment stays out of it.
    pub fn settings(&self) -> Result<Settings, SettingsProblems> {
        settings::load_with(&self.config, [])
    }
}
