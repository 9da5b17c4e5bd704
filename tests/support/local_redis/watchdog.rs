//! A shell that ends Redis when this process has ended.

use std::{
    io,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
};

const SCRIPT: &str = "while read -r _; do :; done; rm -rf \"$1\"; kill -9 0";

/// The shell that leads the process group and outlives this process for a moment.
pub struct Watchdog(Child);

impl Watchdog {
    /// Starts the shell; it removes `folder` in the end.
    pub fn start(folder: &Path) -> io::Result<Self> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT, "sh"]).arg(folder);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn().map(Self)
    }

    /// Returns the process group that the Redis processes join.
    pub fn process_group(&self) -> i32 {
        i32::try_from(self.0.id()).unwrap_or_default()
    }

    /// Ends the whole group and waits for the shell.
    pub fn end(&mut self) {
        drop(self.0.stdin.take());
        let _reaped = self.0.wait();
    }
}
