//! Real Redis processes on this machine that never outlive this one, however it ends.
//!
//! They run in a process group of their own, together with a small shell that waits for the end of a pipe whose
//! other end only this process holds. When this process ends, even by SIGKILL, the pipe ends, and the shell removes
//! the folder and kills its group.

use crate::types::Address;
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    thread::sleep,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long a process may take to answer, and replicas to be online. Takes 0.3 s on an idle machine.
const START_TIMEOUT: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Another program may take a port between the moment it is found free and Redis's start.
const PORT_TRIES: usize = 5;
const HOST: &str = "127.0.0.1";
const KEEPER: &str = "while read -r _; do :; done; rm -rf \"$1\"; kill -9 0";

/// What to start.
#[derive(Clone, Debug)]
pub struct Layout {
    pub shards: usize,
    pub replicas: usize,
    /// Password of every node; empty for none.
    pub password: String,
    /// Further arguments for every node, as redis-server takes them.
    pub arguments: Vec<String>,
}

impl Default for Layout {
    fn default() -> Self {
        Self { shards: 1, replicas: 3, password: String::new(), arguments: Vec::new() }
    }
}

/// Masters with their replicas; dropped, they are gone.
pub struct Group {
    masters: Vec<Node>,
    /// By shard.
    replicas: Vec<Vec<Node>>,
    // Dropped after the nodes.
    keeper: Keeper,
    folder: TempDir,
}

/// One process.
pub struct Node {
    pub address: Address,
    /// How it was started, so that it can be started again.
    command: Mutex<Command>,
    process: Mutex<Child>,
    password: String,
}

impl Group {
    /// Starts everything and waits until all replicas are online. The error is one sentence.
    pub fn start(layout: &Layout) -> Result<Self, String> {
        let server = find_server()?;
        let say = |error: io::Error| format!("Redis cannot be started: {error}");
        let folder = tempfile::Builder::new().prefix("cachefront-").tempdir().map_err(say)?;
        let keeper = Keeper::start(folder.path()).map_err(say)?;
        let start = |arguments: &[String]| Node::start(&server, folder.path(), &keeper, layout, arguments);
        let masters = (0..layout.shards).map(|_| start(&[])).collect::<Result<Vec<_>, _>>()?;
        let replicas_of = |master: &Node| {
            let link = ["--replicaof", HOST, &master.address.port.to_string()].map(str::to_owned);
            (0..layout.replicas).map(|_| start(&link)).collect::<Result<Vec<_>, _>>()
        };
        let replicas = masters.iter().map(replicas_of).collect::<Result<Vec<_>, _>>()?;
        for master in &masters {
            master.wait_for_replicas(layout.replicas)?;
        }
        Ok(Self { masters, replicas, keeper, folder })
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Name, master and replicas of each shard.
    pub fn shards(&self) -> impl Iterator<Item = (String, &Address, Vec<&Address>)> {
        let names = ('a'..).map(String::from);
        self.masters.iter().zip(&self.replicas).zip(names).map(|((master, replicas), name)| {
            (name, &master.address, replicas.iter().map(|replica| &replica.address).collect())
        })
    }

    pub fn master(&self, shard: usize) -> &Node {
        &self.masters[shard]
    }

    pub fn replicas(&self, shard: usize) -> &[Node] {
        &self.replicas[shard]
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.keeper.end();
    }
}

impl Node {
    fn start(
        server: &Path,
        folder: &Path,
        keeper: &Keeper,
        layout: &Layout,
        arguments: &[String],
    ) -> Result<Self, String> {
        let mut last = String::new();
        for _ in 0..PORT_TRIES {
            let port = free_port().map_err(|error| format!("no port is free for Redis: {error}"))?;
            let mut command = Command::new(server);
            let port_text = port.to_string();
            command.args([
                "--port",
                &port_text,
                "--bind",
                HOST,
                "--daemonize",
                "no",
                "--save",
                "",
                "--appendonly",
                "no",
                "--repl-diskless-sync-delay",
                "0",
                // What a replica was sent is not to be found by its next start.
                "--rdb-del-sync-files",
                "yes",
            ]);
            command.arg("--dir").arg(folder).args(["--dbfilename", &format!("{port}.rdb"), "--loglevel", "warning"]);
            if !layout.password.is_empty() {
                command.args(["--requirepass", &layout.password, "--masterauth", &layout.password]);
            }
            command.args(&layout.arguments).args(arguments);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(keeper.group());
            let process =
                command.spawn().map_err(|error| format!("{} cannot be started: {error}", server.display()))?;
            let node = Self {
                address: Address { host: HOST.to_owned(), port },
                command: Mutex::new(command),
                process: Mutex::new(process),
                password: layout.password.clone(),
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
        let mut stream = TcpStream::connect((HOST, self.address.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        if !self.password.is_empty() {
            stream.write_all(format!("AUTH {}\r\n", self.password).as_bytes())?;
        }
        stream.write_all(format!("{command}\r\n").as_bytes())?;
        let mut reader = BufReader::new(stream);
        if !self.password.is_empty() {
            answer(&mut reader)?;
        }
        answer(&mut reader)
    }

    /// The value of a field of `INFO`.
    pub fn info(&self, field: &str) -> Option<String> {
        let info = self.ask("INFO everything").ok()?;
        info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':').map(str::to_owned))
    }

    /// Ends the process at once, as `kill -9` does.
    pub fn kill(&self) {
        let mut process = self.process();
        // It may be gone already, which is what is wanted.
        let _killed = process.kill();
        let _reaped = process.wait();
    }

    /// Starts the process again after [`Node::kill`], empty, on the same port.
    pub fn start_again(&self) -> Result<(), String> {
        let spawned = self.command.lock().unwrap_or_else(PoisonError::into_inner).spawn();
        *self.process() = spawned.map_err(|error| format!("redis-server cannot be started again: {error}"))?;
        self.wait_until_up()
    }

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
            // Asked for its process id, so that no other program on this port is taken for it.
            (self.info("process_id").as_deref() == Some(&id)).then_some(Ok(()))
        })
        .unwrap_or_else(|| Err("redis-server did not answer in time".to_owned()))
    }

    fn wait_for_replicas(&self, replicas: usize) -> Result<(), String> {
        let online = || {
            self.ask("INFO replication")
                .is_ok_and(|info| info.matches("state=online").count() == replicas)
                .then_some(())
        };
        wait_for(online).ok_or_else(|| "the Redis replicas did not come online in time".to_owned())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The shell that outlives this process just long enough.
struct Keeper(Child);

impl Keeper {
    fn start(folder: &Path) -> io::Result<Self> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", KEEPER, "sh"]).arg(folder);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn().map(Self)
    }

    fn group(&self) -> i32 {
        i32::try_from(self.0.id()).unwrap_or_default()
    }

    /// Ends the whole group and waits for the shell.
    fn end(&mut self) {
        drop(self.0.stdin.take());
        let _reaped = self.0.wait();
    }
}

/// redis-server or valkey-server: `CACHEFRONT_REDIS_SERVER`, the one that `make` unpacked, or one in `PATH`.
fn find_server() -> Result<PathBuf, String> {
    if let Some(named) = std::env::var_os("CACHEFRONT_REDIS_SERVER") {
        return Ok(named.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let unpacked = PathBuf::from("target/tools/redis");
    let folders = std::env::split_paths(&path).chain([unpacked]);
    let candidates = folders.flat_map(|folder| ["redis-server", "valkey-server"].map(|name| folder.join(name)));
    candidates.into_iter().find(|candidate| candidate.is_file()).ok_or_else(|| {
        "redis-server is not installed: `make run` installs it, or use `apt-get install redis-server` or `brew install redis`".to_owned()
    })
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((HOST, 0))?.local_addr()?.port())
}

fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + START_TIMEOUT;
    while Instant::now() < end {
        if let Some(found) = look() {
            return Some(found);
        }
        sleep(LOOK_EVERY);
    }
    None
}

/// Reads one RESP2 answer: a line, or a bulk string.
fn answer(reader: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let line = line.trim_end();
    let Some(length) = line.strip_prefix('$') else { return Ok(line.to_owned()) };
    let length = length.parse::<usize>().map_err(|_| io::Error::other("no value"))?;
    let mut bytes = vec![0; length + 2];
    reader.read_exact(&mut bytes)?;
    bytes.truncate(length);
    Ok(String::from_utf8_lossy(&bytes).replace('\r', ""))
}
