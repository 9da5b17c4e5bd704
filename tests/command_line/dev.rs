//! `cachefront dev`: its printed lines work, and it leaves nothing behind.

use crate::{WAIT_TIMEOUT, cachefront, eventually, reload::log_in_at, signal};
use std::{
    fs::File,
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;

/// A running `dev` and its output.
struct Dev {
    child: Child,
    banner: String,
    folder: TempDir,
}

impl Dev {
    fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let certs = folder.path().join("certs").display().to_string();
        let printed = folder.path().join("printed");
        let own = if arguments.contains(&"--certs") { &[][..] } else { &["--certs", &certs] };
        let mut command = cachefront(&[&["dev", "--port", "0"], own, arguments].concat());
        let stdout = File::create(&printed).expect("a file");
        let child = command.stdout(stdout).stderr(Stdio::inherit()).spawn().expect("it starts");
        let banner = eventually("dev is ready", || {
            std::fs::read_to_string(&printed).ok().filter(|text| text.contains("Ctrl-C stops everything"))
        });
        Self { child, banner, folder }
    }

    /// Ports of the Redis processes.
    fn redis_ports(&self) -> Vec<u16> {
        let lines = self.banner.lines().filter(|line| line.starts_with("  Redis "));
        let port =
            |word: &str| word.trim_end_matches(',').strip_prefix("127.0.0.1:").and_then(|port| port.parse().ok());
        lines.flat_map(str::split_whitespace).filter_map(port).collect()
    }

    /// The folder of the session.
    fn session(&self) -> PathBuf {
        let line = self.banner.lines().find_map(|line| line.strip_prefix("  Settings  ")).expect("a path");
        PathBuf::from(line).parent().expect("a folder").to_owned()
    }

    /// Waits until no Redis listens and the folder of the session is gone.
    fn expect_nothing_left(&self) {
        for port in self.redis_ports() {
            eventually("the Redis processes are gone", || {
                TcpStream::connect(("127.0.0.1", port)).is_err().then_some(())
            });
        }
        eventually("the folder is gone", || (!self.session().exists()).then_some(()));
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

#[test]
fn the_printed_lines_work_when_pasted() {
    let dev = Dev::start(&["--shards", "2", "--replicas", "1"]);
    assert_eq!(dev.redis_ports().len(), 4, "{}", dev.banner);
    let console = dev.banner.lines().find_map(|line| line.strip_prefix("  Console   ")).expect("a URL");
    assert!(console.starts_with("http://127.0.0.1:") && console.ends_with("/console"), "{}", dev.banner);
    let (_, pasted) = dev.banner.split_once("Paste into another terminal:\n").expect("lines to paste");
    let (client, pasted) = pasted.split_once("The same with curl. ").expect("lines to paste");
    let (_, pasted) = pasted.split_once("15 minutes:\n").expect("lines to paste");
    let (login, rest) = pasted.split_once("Write, read, delete:\n").expect("lines to paste");
    let (commands, _) = rest.split_once("Ctrl-C").expect("an end");
    // A replica may lag a little: the read is repeated until it finds the value.
    let read = commands.split("\n\n").find(|part| part.contains("READ")).expect("a READ");
    let patient = format!("until ({read}) | grep -q SUCCESS; do :; done\n{read}");
    let script = format!("{client}{login}{}", commands.replace(read, &patient));
    let mut shell = Command::new("timeout");
    let seconds = WAIT_TIMEOUT.as_secs().to_string();
    shell.args([&seconds, "sh", "-ec", &script]).env("XDG_CACHE_HOME", dev.folder.path());
    let output = shell.output().expect("a shell");
    let said = String::from_utf8_lossy(&output.stdout);
    let expected = "hello\n\
                    {\"command\":\"WRITE\",\"status\":\"SUCCESS\",\"value\":\"hello\"}\n\
                    {\"command\":\"READ\",\"status\":\"SUCCESS\",\"value\":\"hello\"}\n\
                    {\"command\":\"DELETE\",\"message\":\"greeting Key deleted\",\"status\":\"SUCCESS\"}\n";
    assert_eq!(said, expected, "{script}\n{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn an_interrupted_or_terminated_dev_session_leaves_nothing_behind() {
    for name in ["-INT", "-TERM"] {
        let mut dev = Dev::start(&["--replicas", "1"]);
        signal(name, dev.child.id());
        let status = eventually("it stops", || dev.child.try_wait().expect("a status"));
        assert_eq!(status.code(), Some(0), "{name}");
        dev.expect_nothing_left();
    }
}

#[test]
fn a_killed_dev_session_leaves_no_redis_behind() {
    let mut dev = Dev::start(&[]);
    assert_eq!(dev.redis_ports().len(), 4);
    assert!(dev.redis_ports().iter().all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok()));
    dev.child.kill().expect("SIGKILL");
    dev.child.wait().expect("it ends");
    dev.expect_nothing_left();
}

#[test]
fn a_dev_session_reloads_its_settings_like_serve() {
    let mut dev = Dev::start(&["--replicas", "0"]);
    let (config, certificate) = (dev.session().join("setup.config"), dev.folder.path().join("certs/cert.pem"));
    let (_, rest) = dev.banner.split_once("https://localhost:").expect("a URL");
    let port = rest.split(' ').next().expect("a port").to_owned();
    let settings = std::fs::read_to_string(&config).expect("the settings");
    let option = |name: &str| settings.lines().find(|line| line.starts_with(name)).expect("an option").to_owned();
    let (secret, interval) = (option("SRVC_SHARED_SECRET="), option("RELOAD_EVERY_SECS="));
    let changed =
        settings.replace(&secret, "SRVC_SHARED_SECRET=a-key-of-my-own-1").replace(&interval, "RELOAD_EVERY_SECS=0");
    std::fs::write(&config, &changed).expect("the settings are written");
    eventually("the changed file is read", || {
        (log_in_at(&port, &certificate, "a-key-of-my-own-1") == 200).then_some(())
    });
    std::fs::write(&config, changed.replace("own-1", "own-2")).expect("the settings are written");
    signal("-HUP", dev.child.id());
    eventually("SIGHUP is heard", || (log_in_at(&port, &certificate, "a-key-of-my-own-2") == 200).then_some(()));
    assert_eq!(dev.child.try_wait().expect("a status"), None);
}

#[test]
fn only_the_owner_can_read_the_secrets_of_a_session() {
    let dev = Dev::start(&["--replicas", "0"]);
    assert_eq!(mode(&dev.session()), 0o700);
    assert_eq!(mode(&dev.session().join("setup.config")), 0o600);
}

/// Returns the permission bits of a file or a folder.
fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("it exists").permissions().mode() & 0o777
}

#[test]
fn the_certificate_is_generated_once_and_its_key_is_private() {
    let dev = Dev::start(&["--replicas", "0"]);
    let key = dev.folder.path().join("certs/key.pem");
    assert_eq!(mode(&key), 0o600);
    let before = std::fs::read(&key).expect("a key");
    let certs = dev.folder.path().join("certs").display().to_string();
    let other = Dev::start(&["--replicas", "0", "--certs", &certs]);
    assert!(other.banner.contains(&certs), "{}", other.banner);
    assert_eq!(std::fs::read(&key).expect("a key"), before);
}
