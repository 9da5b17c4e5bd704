//! A running instance of the real program, as a process that can be killed.

use super::{API_KEY, authority, edit_settings, eventually};
use crate::harness::service::JWT_SECRET;
use crate::local_redis::RedisGroup;
use std::{
    fs::File,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;

/// Host and ports on which an instance listens; port 0 stands for any free port.
#[derive(Clone)]
pub struct Endpoint {
    /// The address to listen on.
    pub host: String,
    /// The port of the service.
    pub port: u16,
    pub admin_port: u16,
}

impl Default for Endpoint {
    fn default() -> Self {
        Self { host: "127.0.0.1".to_owned(), port: 0, admin_port: 0 }
    }
}

/// A running instance, which is killed on drop.
pub struct Instance {
    host: String,
    port: u16,
    pub admin_port: u16,
    process: Child,
    folder: TempDir,
}

impl Instance {
    /// Starts the program. It ends together with `group` at the latest.
    pub async fn start(group: &RedisGroup, sections: &str) -> Self {
        Self::start_by(group, sections, &[]).await
    }

    /// Starts the program through `starter`, a command that gets the command line of the service as its last arguments
    /// and executes it.
    pub async fn start_by(group: &RedisGroup, sections: &str, starter: &[&str]) -> Self {
        Self::launch(group, &Endpoint::default(), sections, starter).await
    }

    /// Returns the address of the HTTPS port.
    pub fn address(&self) -> SocketAddr {
        format!("{}:{}", self.host, self.port).parse().expect("an address")
    }

    /// Returns the address of the admin port, as Prometheus names it.
    pub fn admin(&self) -> String {
        format!("{}:{}", self.host, self.admin_port)
    }

    /// Starts the program with the given host and ports.
    pub async fn start_at(group: &RedisGroup, place: &Endpoint, sections: &str) -> Self {
        Self::launch(group, place, sections, &[]).await
    }

    async fn launch(group: &RedisGroup, place: &Endpoint, sections: &str, starter: &[&str]) -> Self {
        let Endpoint { host, port, admin_port } = place;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let files = authority().issue(folder.path(), "service");
        let text = format!(
            "[service]\nHOST={host}\nPORT={port}\nADMIN_HOST={host}\nADMIN_PORT={admin_port}\nTLS_CERT={}\n\
             TLS_KEY={}\nJWT_SECRET_KEY={JWT_SECRET}\nSRVC_SHARED_SECRET={API_KEY}\nDRAIN_SECS=5\nLOG_FORMAT=json\n{sections}",
            files.certificate.display(),
            files.key.display(),
        );
        let (path, log) = (folder.path().join("setup.config"), folder.path().join("log"));
        std::fs::write(&path, text).expect("the settings are written");
        let words = starter.iter().copied().chain([env!("CARGO_BIN_EXE_cachefront"), "serve", "--config"]);
        let words: Vec<&str> = words.collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg(&path).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(&log).expect("a file"));
        let process = group.spawn(&mut command).expect("it starts");
        let (port, admin_port) = eventually("the instance serves", async || {
            let text = std::fs::read_to_string(&log).ok()?;
            let line = text.lines().find(|line| line.contains("\"serving HTTPS on "))?;
            let entry: serde_json::Value = serde_json::from_str(line).ok()?;
            let port = |name: &str| entry[name].as_str()?.rsplit(':').next()?.parse().ok();
            Some((port("address")?, port("admin")?))
        })
        .await;
        Self { host: host.clone(), port, admin_port, process, folder }
    }

    /// Returns the base URL of the service.
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// Returns the folder of the settings and of the certificate, `service.pem`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Replaces the settings file by one with a changed text, as an editor does.
    pub fn edit(&self, change: impl FnOnce(String) -> String) {
        edit_settings(self.folder(), change);
    }

    /// Returns the log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).expect("a log")
    }

    /// Waits until the process has ended, and returns whether it succeeded.
    pub async fn ended(mut self) -> bool {
        eventually("the instance ends", async || self.process.try_wait().expect("a child")).await.success()
    }

    /// Returns the number of the process.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Ends the process at once, as `kill -9` does.
    pub fn kill(&mut self) {
        // The process may have ended already.
        let _killed = self.process.kill();
        let _reaped = self.process.wait();
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.kill();
    }
}
