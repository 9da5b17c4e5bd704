//! One Redis process.

use super::super::error::DevError;
use crate::types::Address;
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// Time for a process to answer, and for replicas to come online. An idle machine needs 0.3 s.
const START_TIMEOUT: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// Attempts to start a node: another program may take its port between the search for a free one and the start.
const PORT_ATTEMPTS: usize = 5;

/// The parameters that all processes of a group share.
pub struct ProcessGroup {
    /// Path of the Redis program.
    pub program: PathBuf,
    /// Number of the process group that every process joins.
    pub id: i32,
}

/// A Redis process that is killed on drop.
pub struct RedisProcess {
    /// Address of the node.
    pub address: Address,
    process: Child,
}

impl RedisProcess {
    /// Starts a process on a free port of `host` and waits until it answers.
    pub fn start(group: &ProcessGroup, host: &str, arguments: impl Fn(u16) -> Vec<String>) -> Result<Self, DevError> {
        let mut last = DevError::RedisSilent;
        for _ in 0..PORT_ATTEMPTS {
            let port = free_port(host).map_err(DevError::PrepareRedis)?;
            let mut command = Command::new(&group.program);
            command.args(arguments(port)).process_group(group.id);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let process =
                command.spawn().map_err(|source| DevError::SpawnRedis { program: group.program.clone(), source })?;
            let mut node = Self { address: Address { host: host.to_owned(), port }, process };
            match node.wait_until_up() {
                Ok(()) => return Ok(node),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Waits until this many replicas are connected and synchronised.
    pub fn wait_for_replicas(&self, replicas: usize) -> Result<(), DevError> {
        wait_for(|| {
            let info = self.info("replication").ok()?;
            (info.matches("state=online").count() == replicas).then_some(())
        })
        .ok_or(DevError::ReplicasOffline)
    }

    fn wait_until_up(&mut self) -> Result<(), DevError> {
        let id = format!("process_id:{}", self.process.id());
        wait_for(|| {
            if let Ok(Some(status)) = self.process.try_wait() {
                return Some(Err(DevError::RedisEnded(status)));
            }
            // The process id tells it apart from another program on the same port.
            self.info("server").is_ok_and(|info| info.lines().any(|line| line == id)).then_some(Ok(()))
        })
        .unwrap_or(Err(DevError::RedisSilent))
    }

    /// Returns a section of `INFO`.
    fn info(&self, section: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect((self.address.host.as_str(), self.address.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(format!("INFO {section}\r\n").as_bytes())?;
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        reader.read_line(&mut head)?;
        let length = head.trim_end().strip_prefix('$').and_then(|length| length.parse().ok());
        let mut text = vec![0; length.ok_or_else(|| io::Error::other("the answer to INFO is no bulk string"))?];
        reader.read_exact(&mut text)?;
        Ok(String::from_utf8_lossy(&text).replace('\r', ""))
    }
}

impl Drop for RedisProcess {
    fn drop(&mut self) {
        // It may have ended already.
        let _killed = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// Calls `poll` until it returns a value; `None` once the time for a start is over.
fn wait_for<T>(mut poll: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + START_TIMEOUT;
    while Instant::now() < end {
        if let Some(found) = poll() {
            return Some(found);
        }
        sleep(POLL_INTERVAL);
    }
    None
}

/// Returns a port on which nobody listens now.
fn free_port(host: &str) -> io::Result<u16> {
    Ok(TcpListener::bind((host, 0))?.local_addr()?.port())
}
