//! A Redis that speaks TLS.

use super::{authority, certificates::Files, redis_speaks_tls, start};
use crate::local_redis::{Layout, RedisGroup, free_port};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A Redis that requires TLS and a client certificate on one port. It answers the harness on its plain port, too.
pub struct TlsRedis {
    /// The process.
    pub group: RedisGroup,
    /// The port for TLS.
    pub port: u16,
    /// The certificate of its clients.
    pub client: Files,
    folder: TempDir,
}

impl TlsRedis {
    /// Starts the process. Returns `None` if the installed Redis has no TLS; the test is skipped then.
    pub fn start() -> Option<Self> {
        if !redis_speaks_tls() {
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = free_port("127.0.0.1").expect("a free port");
        let files = authority().issue(folder.path(), "redis");
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, authority().pem()).expect("the authority is written");
        let paths = [("cert", &files.certificate), ("key", &files.key), ("ca-cert", &ca)];
        let mut arguments = vec!["--tls-port".to_owned(), port.to_string()];
        for (name, path) in paths {
            arguments.extend([format!("--tls-{name}-file"), path.display().to_string()]);
        }
        let group = start(&Layout { replicas: 0, arguments, ..Layout::default() });
        Some(Self { group, port, client: authority().issue(folder.path(), "client"), folder })
    }

    /// Returns the folder of its files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the path of a file beside the certificates. `ca.pem` has the authority that both sides trust.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the section `[redis]` of a service that trusts `ca.pem` and shows the client certificate.
    pub fn section(&self) -> String {
        format!(
            "[redis]\ntls=true\nca_cert={}\nclient_cert={}\nclient_key={}\n",
            self.file("ca.pem").display(),
            self.client.certificate.display(),
            self.client.key.display()
        )
    }

    /// Returns the section of its shard.
    pub fn shard(&self) -> String {
        format!("[shard:a]\nmaster=localhost:{}\n", self.port)
    }
}
