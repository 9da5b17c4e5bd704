//! A real `HAProxy` in front of instances, which asks their `/readyz` as a Service or an Ingress of Kubernetes does.

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

/// Who speaks TLS with the callers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// The instances: bytes are passed through, as by a Service.
    Passthrough,
    /// `HAProxy`, which speaks TLS with the instances as well, as an Ingress does.
    Reencrypt,
}

pub struct HaProxy {
    port: u16,
    statistics_port: u16,
    process: Child,
    _folder: TempDir,
}

impl HaProxy {
    /// Starts it; `None` where there is no `HAProxy`, for which the test is skipped.
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

    /// Waits until it answers (`true`) or has ended.
    async fn runs(&mut self) -> bool {
        eventually("HAProxy starts or fails", async || {
            if self.process.try_wait().expect("a child").is_some() {
                return Some(false);
            }
            self.statistics().await.map(|_| true)
        })
        .await
    }

    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// Waits until it sends requests to the instance with this position, or no more.
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
        // It may be gone already, which is what is wanted.
        let _killed = self.process.kill();
        let _reaped = self.process.wait();
    }
}

fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Where Debian puts it, which is not in everybody's PATH.
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join("haproxy")).find(|program| program.is_file())
}

fn settings_text(tls: Tls, folder: &Path, [port, statistics_port]: [u16; 2], places: &[Endpoint]) -> String {
    let (mode, bind, server) = match tls {
        Tls::Passthrough => ("tcp", String::new(), String::new()),
        Tls::Reencrypt => {
            let files = authority().issue(folder, "proxy");
            let read = |path: &Path| std::fs::read_to_string(path).expect("a text");
            let (both, vouching) = (folder.join("both.pem"), folder.join("authority.pem"));
            std::fs::write(&both, read(&files.certificate) + &read(&files.key)).expect("the certificate is written");
            std::fs::write(&vouching, authority().pem()).expect("the authority is written");
            let bind = format!(" ssl crt {} alpn h2,http/1.1", both.display());
            let server = format!(
                " ssl verify required ca-file {} verifyhost localhost sni str(localhost) alpn http/1.1",
                vouching.display()
            );
            ("http", bind, server)
        }
    };
    let servers = places.iter().enumerate().fold(String::new(), |mut text, (position, place)| {
        let Endpoint { host, port, admin_port } = place;
        // Its checks go to the plain admin port, whatever the server speaks.
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
