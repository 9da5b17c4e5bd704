//! One Redis process.

use cachefront::types::Address;
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    thread::sleep,
    time::{Duration, Instant},
};
use tokio::net::TcpSocket;

/// Time for a process to answer, and for replicas to come online. An idle machine needs 0.3 s.
const START_TIMEOUT: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// Another program may take a port between the moment it is found free and Redis's start.
const PORT_TRIES: usize = 5;

/// The parameters that all processes of a group share.
pub struct Starter {
    /// Path of the Redis program.
    pub server: PathBuf,
    /// Number of the process group that every process joins.
    pub process_group: i32,
    /// Password of every node; empty for none.
    pub password: String,
}

/// A Redis process that is killed on drop.
pub struct RedisProcess {
    /// Address of the node.
    pub address: Address,
    /// The command of the process, for [`RedisProcess::start_again`].
    command: Mutex<Command>,
    process: Mutex<Child>,
    /// Holds the port while the process is down, so that no other program takes it.
    port: Mutex<Option<TcpSocket>>,
    password: String,
}

impl RedisProcess {
    /// Starts a process and waits until it answers.
    pub fn start(
        starter: &Starter,
        (host, port): (&str, Option<u16>),
        arguments: &dyn Fn(u16) -> io::Result<Vec<String>>,
    ) -> Result<Self, String> {
        let mut last = String::new();
        for _ in 0..PORT_TRIES {
            let no_port = |error| format!("no port is free for Redis: {error}");
            let port = port.map_or_else(|| free_port(host), Ok).map_err(no_port)?;
            let mut command = Command::new(&starter.server);
            command.args(arguments(port).map_err(no_port)?);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command.process_group(starter.process_group);
            let process =
                command.spawn().map_err(|error| format!("{} cannot be started: {error}", starter.server.display()))?;
            let node = Self {
                address: Address { host: host.to_owned(), port },
                command: Mutex::new(command),
                process: Mutex::new(process),
                port: Mutex::new(None),
                password: starter.password.clone(),
            };
            match node.wait_until_up() {
                Ok(()) => return Ok(node),
                Err(problem) => last = problem,
            }
        }
        Err(last)
    }

    /// Sends a command and returns its answer as text.
    pub fn ask(&self, command: &str) -> io::Result<String> {
        ask(&self.address, &self.password, command)
    }

    /// Returns the value of a field of `INFO`.
    pub fn info(&self, field: &str) -> Option<String> {
        let info = self.ask("INFO everything").ok()?;
        info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':').map(str::to_owned))
    }

    /// Ends the process at once, as `kill -9` does.
    pub fn kill(&self) {
        let mut process = self.process();
        // It may have ended already.
        let _killed = process.kill();
        let _reaped = process.wait();
        *self.port.lock().unwrap_or_else(PoisonError::into_inner) = self.hold_port();
    }

    /// Binds the port without listening on it. A failure leaves the port free for others.
    fn hold_port(&self) -> Option<TcpSocket> {
        let address = SocketAddr::new(self.address.host.parse().ok()?, self.address.port);
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.ok()?;
        socket.set_reuseaddr(true).ok()?;
        socket.bind(address).ok()?;
        Some(socket)
    }

    /// Starts the process again after [`RedisProcess::kill`], empty, on the same port.
    pub fn start_again(&self) -> Result<(), String> {
        drop(self.port.lock().unwrap_or_else(PoisonError::into_inner).take());
        let spawned = self.command.lock().unwrap_or_else(PoisonError::into_inner).spawn();
        *self.process() = spawned.map_err(|error| format!("redis-server cannot be started again: {error}"))?;
        self.wait_until_up()
    }

    /// Returns the number of the process.
    pub fn process_id(&self) -> u32 {
        self.process().id()
    }

    fn process(&self) -> MutexGuard<'_, Child> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_until_up(&self) -> Result<(), String> {
        let id = self.process_id().to_string();
        wait_for(|| {
            if let Ok(Some(status)) = self.process().try_wait() {
                return Some(Err(format!("redis-server ended at once ({status})")));
            }
            // The process id tells it apart from another program on the same port.
            (self.info("process_id").as_deref() == Some(&id)).then_some(Ok(()))
        })
        .unwrap_or_else(|| Err("redis-server did not answer in time".to_owned()))
    }

    /// Waits until this many replicas are connected and synchronised.
    pub fn wait_for_replicas(&self, replicas: usize) -> Result<(), String> {
        let online = || {
            self.ask("INFO replication")
                .is_ok_and(|info| info.matches("state=online").count() == replicas)
                .then_some(())
        };
        wait_for(online).ok_or_else(|| "the Redis replicas did not come online in time".to_owned())
    }
}

impl Drop for RedisProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + START_TIMEOUT;
    while Instant::now() < end {
        if let Some(found) = look() {
            return Some(found);
        }
        sleep(POLL_INTERVAL);
    }
    None
}

/// Returns a port on which nobody listens now.
pub fn free_port(host: &str) -> io::Result<u16> {
    Ok(TcpListener::bind((host, 0))?.local_addr()?.port())
}

/// Sends a command to an address, after the password unless it is empty, and returns the answer as text.
pub fn ask(address: &Address, password: &str, command: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect((address.host.as_str(), address.port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    if !password.is_empty() {
        stream.write_all(format!("AUTH {password}\r\n").as_bytes())?;
    }
    stream.write_all(format!("{command}\r\n").as_bytes())?;
    let mut reader = BufReader::new(stream);
    if !password.is_empty() {
        answer(&mut reader)?;
    }
    answer(&mut reader)
}

/// Reads one RESP2 answer: a line, a bulk string, or an array of them as lines.
fn answer(reader: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let line = line.trim_end();
    let length = |text: &str| text.parse::<usize>().map_err(|_| io::Error::other("no value"));
    if let Some(count) = line.strip_prefix('*') {
        let items: io::Result<Vec<String>> = (0..length(count)?).map(|_| answer(reader)).collect();
        return Ok(items?.join("\n"));
    }
    let Some(bulk) = line.strip_prefix('$') else { return Ok(line.to_owned()) };
    let bulk = length(bulk)?;
    let mut bytes = vec![0; bulk + 2];
    reader.read_exact(&mut bytes)?;
    bytes.truncate(bulk);
    Ok(String::from_utf8_lossy(&bytes).replace('\r', ""))
}
