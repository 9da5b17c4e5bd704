//! A real `HAProxy` in front of instances. It checks `/readyz`, as a Service or an Ingress of Kubernetes does.

use super::{Caller, Endpoint, authority, eventually, skip};
use crate::local_redis::{RedisGroup, free_port};
use std::{
    fmt::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;

/// Another program may take a port between the moment it is found free and `HAProxy`'s start.
const PORT_TRIES: usize = 5;

/// The side that terminates the TLS of the callers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// The instances terminate TLS; `HAProxy` passes bytes through, as a Service does.
    Passthrough,
    /// `HAProxy` terminates TLS and opens TLS connections to the instances, as an Ingress does.
    Reencrypt,
}

/// A running `HAProxy`, which ends on drop.
pub struct HaProxy {
    port: u16,
    statistics_port: u16,
    process: Child,
    _folder: TempDir,
}

impl HaProxy {
    /// Starts `HAProxy`. Returns `None` if it is not installed; the test is skipped then.
    pub async fn start(group: &RedisGroup, tls: Tls, places: &[Endpoint]) -> Option<Self> {
        let Some(program) = find() else {
            skip("haproxy is missing, which `make test` installs where there is apt-get");
            return None;
        };
        for _ in 0..PORT_TRIES {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let [port, statistics_port] =
                [free_port("127.0.0.1"), free_port("127.0.0.1")].map(|port| port.expect("a free port"));
            let settings = folder.path().join("haproxy.cfg");
            let text = settings_text(tls, folder.path(), [port, statistics_port], places);
            std::fs::write(&settings, text).expect("the settings are written");
            let mut command = Command::new(&program);
            command.arg("-db").arg("-f").arg(&settings);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
            let process = group.spawn(&mut command).expect("it starts");
            let mut this = Self { port, statistics_port, process, _folder: folder };
            if this.runs().await {
                return Some(this);
            }
        }
        panic!("HAProxy does not start");
    }

    /// Waits until `HAProxy` answers (`true`) or has ended (`false`).
    async fn runs(&mut self) -> bool {
        eventually("HAProxy starts or fails", async || {
            if self.process.try_wait().expect("a child").is_some() {
                return Some(false);
            }
            self.statistics().await.map(|_| true)
        })
        .await
    }

    /// Returns the URL for callers.
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// Waits until `HAProxy` uses the instance at this position, or no longer uses it.
    pub async fn until_used(&self, position: usize, is_used: bool) {
        let wanted = if is_used { "UP" } else { "DOWN" };
        let line = format!("instances,{position},");
        eventually(&format!("HAProxy takes instance {position} for {wanted}"), async || {
            let statistics = self.statistics().await?;
            let mine = statistics.lines().find(|own| own.starts_with(&line))?;
            // The 18th field is the status: "UP", or "DOWN" with what follows.
            mine.split(',').nth(17)?.starts_with(wanted).then_some(())
        })
        .await;
    }

    async fn statistics(&self) -> Option<String> {
        let url = format!("http://127.0.0.1:{}/;csv", self.statistics_port);
        let http = Caller::http().build().expect("a client");
        http.get(url).send().await.ok()?.text().await.ok()
    }
}

impl Drop for HaProxy {
    fn drop(&mut self) {
        // The process may have ended already.
        let _killed = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// Returns the path of the `haproxy` program.
fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Debian installs it here, which is not in the PATH of every user.
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join("haproxy")).find(|program| program.is_file())
}

/// Returns the settings of `HAProxy`.
fn settings_text(tls: Tls, folder: &Path, [port, statistics_port]: [u16; 2], places: &[Endpoint]) -> String {
    let (mode, bind, server) = match tls {
        Tls::Passthrough => ("tcp", String::new(), String::new()),
        Tls::Reencrypt => {
            let files = authority().issue(folder, "proxy");
            let read = |path: &Path| std::fs::read_to_string(path).expect("a text");
            let (both, authority_file) = (folder.join("both.pem"), folder.join("authority.pem"));
            std::fs::write(&both, read(&files.certificate) + &read(&files.key)).expect("the certificate is written");
            std::fs::write(&authority_file, authority().pem()).expect("the authority is written");
            let bind = format!(" ssl crt {} alpn h2,http/1.1", both.display());
            let server = format!(
                " ssl verify required ca-file {} verifyhost localhost sni str(localhost) alpn http/1.1",
                authority_file.display()
            );
            ("http", bind, server)
        }
    };
    let servers = places.iter().enumerate().fold(String::new(), |mut text, (position, place)| {
        let Endpoint { host, port, admin_port } = place;
        // The checks go to the admin port, which speaks plain HTTP.
        let check = format!("check port {admin_port} inter 200 rise 1 fall 2");
        let _ = writeln!(text, "    server {position} {host}:{port}{server} {check}");
        text
    });
    format!(
        "defaults\n    mode {mode}\n    timeout connect 2s\n    timeout client 1m\n    timeout server 1m\n    timeout check 5s\n    \
         option redispatch 1\n\
         frontend callers\n    bind 127.0.0.1:{port}{bind}\n    default_backend instances\n\
         backend instances\n    balance roundrobin\n    option httpchk GET /readyz\n{servers}\
         frontend statistics\n    mode http\n    bind 127.0.0.1:{statistics_port}\n    stats enable\n    stats uri /\n"
    )
}
