//! Tests of the program: real processes, their output and exit status.

mod bench;
mod check_connections;
mod client;
mod configured;
mod deployed;
mod dev;
mod documents;
mod help;
mod keys;
#[path = "../support/local_redis/mod.rs"]
mod local_redis;
mod redis_permissions;
mod redis_texts;
mod reload;
mod running;
mod serving;
mod status;
mod sweep;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Time after which a condition that is not met fails the test.
const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

/// Returns the command that runs the program with these arguments.
fn cachefront(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cachefront"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs the program and returns its exit status, standard output and standard error.
fn run(arguments: &[&str]) -> (i32, String, String) {
    result(&cachefront(arguments).output().expect("the program runs"))
}

/// Runs the program with an input and returns its exit status, standard output and standard error.
fn run_with_input(arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut command = cachefront(arguments);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program runs");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("the input is taken");
    result(&child.wait_with_output().expect("the program ends"))
}

/// Returns exit status, standard output and standard error of a finished process.
fn result(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("a text");
    (output.status.code().expect("an exit status"), text(&output.stdout), text(&output.stderr))
}

/// A folder with a valid setup.config, a certificate and its key.
struct Setup {
    folder: TempDir,
    config: PathBuf,
}

impl Setup {
    /// Writes the files; `sections` follow a complete `[service]` section.
    fn new(sections: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        fs::write(folder.path().join("cert.pem"), key.cert.pem()).expect("it is written");
        fs::write(folder.path().join("key.pem"), key.signing_key.serialize_pem()).expect("it is written");
        let config = folder.path().join("setup.config");
        let text = format!(
            "[service]\nHOST=127.0.0.1\nPORT=0\nADMIN_PORT=0\nTLS_CERT=cert.pem\nTLS_KEY=key.pem\n\
             JWT_SECRET_KEY=0123456789abcdef0123456789abcdef\nSRVC_SHARED_SECRET=hunter2-hunter2-hunter2\n{sections}"
        );
        fs::write(&config, text).expect("it is written");
        Self { folder, config }
    }

    fn path(&self) -> &str {
        self.config.to_str().expect("a text")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Calls `look` repeatedly until it returns a value. Panics with `what` if it never does.
fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    while start.elapsed() < WAIT_TIMEOUT {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("timed out: {what}");
}

/// Sends a signal to a process.
fn signal(name: &str, process: u32) {
    let status = Command::new("kill").args([name, &process.to_string()]).status().expect("kill runs");
    assert!(status.success(), "kill {name} {process} failed");
}

fn is_file(path: &Path) -> bool {
    path.is_file()
}
