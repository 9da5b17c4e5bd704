//! The client commands (`cachefront read`, `write`, …), against the running service and real Redis.

mod failures;
mod tokens;
mod values;

use crate::{
    cachefront, result,
    running::{API_KEY, Running},
};
use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

impl Running {
    /// Returns a client command for this service. The API key and the rest of its environment are not arguments.
    fn client(&self, arguments: &[&str]) -> Command {
        let mut command = cachefront(arguments);
        for name in ["CACHEFRONT_TOKEN", "CACHEFRONT_API_KEY_FILE", "CACHEFRONT_CLIENT_ID"] {
            command.env_remove(name);
        }
        command.env("CACHEFRONT_URL", self.url()).env("CACHEFRONT_CA", self.setup.file("cert.pem"));
        command.env("CACHEFRONT_API_KEY", API_KEY).env("XDG_CACHE_HOME", self.setup.file("caches"));
        command
    }

    /// Runs a client command; returns its exit status, standard output and standard error.
    fn ask(&self, arguments: &[&str]) -> (i32, String, String) {
        result(&self.client(arguments).output().expect("it runs"))
    }

    /// Runs a client command with this standard input.
    fn feed(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut command = self.client(arguments);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        child.stdin.take().expect("a pipe").write_all(input).expect("the input is taken");
        child.wait_with_output().expect("it ends")
    }
}

/// Returns what a command that succeeds and says this returns.
fn printed(text: &str) -> (i32, String, String) {
    (0, text.to_owned(), String::new())
}

/// Returns what a command that fails with this sentence returns.
fn failed(status: i32, sentence: &str) -> (i32, String, String) {
    (status, String::new(), format!("cachefront: {sentence}\n"))
}
