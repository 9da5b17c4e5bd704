//! `cachefront serve` and `healthcheck`.

use crate::{Setup, WAIT_TIMEOUT, cachefront, eventually, run, signal};
use std::{
    fs::File,
    net::TcpListener,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    process::{Child, Stdio},
};

/// A running `serve`, and the addresses that it logged.
pub struct Serving {
    /// The process.
    pub child: Child,
    /// Address of the HTTPS port.
    pub address: String,
    /// Address of the admin port.
    pub admin: String,
    /// Path of the log.
    pub log: std::path::PathBuf,
}

/// Starts `serve` and waits until it listens.
pub fn serve(setup: &Setup) -> Serving {
    serve_with(setup, &[])
}

fn serve_with(setup: &Setup, environment: &[(&str, &str)]) -> Serving {
    let log = setup.file("log");
    let mut command = cachefront(&["serve", "--config", setup.path()]);
    command.env("CACHEFRONT__SERVICE__LOG_FORMAT", "json").envs(environment.iter().copied());
    let child = command.stdout(Stdio::null()).stderr(File::create(&log).expect("a file")).spawn().expect("it starts");
    let (address, admin) = eventually("it serves", || {
        let text = std::fs::read_to_string(&log).ok()?;
        let line = text.lines().find(|line| line.contains("\"serving HTTPS on "))?;
        let entry: serde_json::Value = serde_json::from_str(line).ok()?;
        let address = |name: &str| entry[name].as_str().map(str::to_owned);
        address("address").zip(address("admin"))
    });
    Serving { child, address, admin, log }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

#[test]
fn serve_runs_until_sigterm_and_healthcheck_reports_both() {
    let setup = Setup::new("[redis]\nport=1\n");
    let mut serving = serve(&setup);
    let admin_port = serving.admin.rsplit(':').next().expect("a port").to_owned();
    let healthcheck = || {
        let mut command = cachefront(&["healthcheck", "--config", setup.path()]);
        crate::result(&command.env("CACHEFRONT__SERVICE__ADMIN_PORT", &admin_port).output().expect("it runs"))
    };
    assert_eq!(healthcheck(), (0, String::new(), String::new()));
    signal("-TERM", serving.child.id());
    let status = eventually("it stops", || serving.child.try_wait().expect("a status"));
    assert_eq!(status.code(), Some(0));
    let log = std::fs::read_to_string(&serving.log).expect("a log");
    assert!(log.contains("\"the service has stopped\""), "{log}");
    assert!(log.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{log}");
    let (status, _, err) = healthcheck();
    assert_eq!(status, 1, "{err}");
    assert!(err.contains("does not answer"), "{err}");
}

#[test]
fn a_mistake_in_the_file_of_a_running_instance_does_not_fail_its_health_check() {
    let setup = Setup::new("[redis]\nport=1\n");
    let serving = serve(&setup);
    let admin_port = serving.admin.rsplit(':').next().expect("a port");
    let edited = std::fs::read_to_string(setup.path()).expect("the settings").replace("[redis]", "[rediss]\nno option");
    std::fs::write(setup.path(), edited).expect("it is written");
    std::fs::remove_file(setup.file("cert.pem")).expect("it was there");
    // The instance waits for its Redis, which does not exist: it is alive and not ready.
    for (command, expected) in [("healthcheck", 0), ("status", 2)] {
        let mut command = cachefront(&[command, "--config", setup.path()]);
        let output = command.env("CACHEFRONT__SERVICE__ADMIN_PORT", admin_port).output().expect("it runs");
        let (status, _, err) = crate::result(&output);
        assert_eq!(status, expected, "{err}");
    }
}

#[test]
fn systemd_is_notified_of_the_start_and_of_the_stop() {
    let setup = Setup::new("[redis]\nport=1\n");
    let path = setup.file("notify").display().to_string();
    let name = format!("@{path}");
    let abstract_name = SocketAddr::from_abstract_name(&name[1..]).expect("a name");
    for (told, socket) in [
        (UnixDatagram::bind(&path).expect("a socket"), path.as_str()),
        (UnixDatagram::bind_addr(&abstract_name).expect("a socket"), &name),
    ] {
        told.set_read_timeout(Some(WAIT_TIMEOUT)).expect("a timeout");
        let said = || {
            let mut word = [0; 100];
            let length = told.recv(&mut word).expect("a word");
            String::from_utf8_lossy(&word[..length]).into_owned()
        };
        let mut serving = serve_with(&setup, &[("NOTIFY_SOCKET", socket)]);
        assert_eq!(said(), "READY=1");
        signal("-TERM", serving.child.id());
        assert_eq!(said(), "STOPPING=1");
        let status = eventually("it stops", || serving.child.try_wait().expect("a status"));
        assert_eq!(status.code(), Some(0));
    }
    // Without a listener the service starts nevertheless.
    drop(serve_with(&setup, &[("NOTIFY_SOCKET", "/nonexistent")]));
}

#[test]
fn a_port_in_use_is_reported_in_one_sentence() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let setup = Setup::new("[redis]\nport=1\n");
    for option in ["PORT", "ADMIN_PORT"] {
        let mut command = cachefront(&["serve", "--config", setup.path()]);
        let output = command.env(format!("CACHEFRONT__SERVICE__{option}"), &port).output().expect("it runs");
        let (status, _, err) = crate::result(&output);
        let expected =
            format!("cachefront: port {port} is taken: stop what listens there, or choose another port ({option})\n");
        assert_eq!((status, err), (1, expected));
    }
    let (status, out, err) = run(&["dev", "--port", &port, "--certs", &setup.file("certs").display().to_string()]);
    let expected = format!(
        "cachefront: port {port} is taken: stop what listens there, or choose another port (--port, or `make run PORT=…`)\n"
    );
    // dev listens on all addresses, one of which is taken.
    assert_eq!((status, out.as_str(), err), (1, "", expected));
}
