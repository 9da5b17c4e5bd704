//! Real Redis processes on this machine that never outlive this one, however it ends.
//!
//! The processes run in a group of their own, together with a small shell that waits for the end of a pipe. Only this
//! process holds the other end of the pipe. When this process ends, even by SIGKILL, the pipe ends, and the shell
//! removes the folder and kills its group.
#![allow(dead_code, unused_imports, reason = "each test program uses a part of this module")]

mod node;
// The one that `cachefront dev` uses.
#[path = "../../../src/cli/dev/local_redis/watchdog.rs"]
mod watchdog;

pub use node::{RedisProcess, ask, free_port};

use cachefront::types::Address;
use node::Starter;
use std::{
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command},
};
use tempfile::TempDir;
use watchdog::Watchdog;

const HOST: &str = "127.0.0.1";

/// The number and the arguments of the nodes to start.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Number of masters.
    pub shards: usize,
    /// Number of replicas of each master.
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

/// Masters with their replicas; all of them end on drop.
pub struct RedisGroup {
    masters: Vec<RedisProcess>,
    /// The replicas of each shard.
    replicas: Vec<Vec<RedisProcess>>,
    layout: Layout,
    starter: Starter,
    // Dropped after the nodes.
    watchdog: Watchdog,
    folder: TempDir,
}

impl RedisGroup {
    /// Starts everything and waits until all replicas are online. The error is one sentence.
    pub fn start(layout: &Layout) -> Result<Self, String> {
        let server = find_server()?;
        let say = |error: io::Error| format!("Redis cannot be started: {error}");
        let folder = tempfile::Builder::new().prefix("cachefront-").tempdir().map_err(say)?;
        let watchdog = Watchdog::start(folder.path()).map_err(say)?;
        let starter = Starter { server, process_group: watchdog.process_group(), password: layout.password.clone() };
        let layout = layout.clone();
        let mut group = Self { masters: Vec::new(), replicas: Vec::new(), layout, starter, watchdog, folder };
        for _ in 0..group.layout.shards {
            let master = group.add(&[])?;
            let port = master.address.port.to_string();
            let replica = |_| group.add(&["--replicaof", HOST, &port]);
            let replicas = (0..group.layout.replicas).map(replica).collect::<Result<_, _>>()?;
            group.masters.push(master);
            group.replicas.push(replicas);
        }
        for master in &group.masters {
            master.wait_for_replicas(group.layout.replicas)?;
        }
        Ok(group)
    }

    /// Returns the folder of the processes, which is removed with them.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the password of every node; it is empty where there is none.
    pub fn password(&self) -> &str {
        &self.layout.password
    }

    /// Returns the name, the master and the replicas of each shard.
    pub fn shards(&self) -> impl Iterator<Item = (String, &Address, Vec<&Address>)> {
        let names = ('a'..).map(String::from);
        self.masters.iter().zip(&self.replicas).zip(names).map(|((master, replicas), name)| {
            (name, &master.address, replicas.iter().map(|replica| &replica.address).collect())
        })
    }

    /// Returns the master of a shard.
    pub fn master(&self, shard: usize) -> &RedisProcess {
        &self.masters[shard]
    }

    /// Returns the replicas of a shard.
    pub fn replicas(&self, shard: usize) -> &[RedisProcess] {
        &self.replicas[shard]
    }

    /// Starts one more node with the arguments of the layout and further ones; the node belongs to no shard.
    pub fn add(&self, arguments: &[&str]) -> Result<RedisProcess, String> {
        let whole = |port: u16| {
            let all = self.usual_arguments(port).into_iter().chain(arguments.iter().copied().map(str::to_owned));
            Ok(all.collect())
        };
        self.start_node((HOST, None), &whole)
    }

    /// Starts a redis-server on an address of this machine with exactly the arguments that are returned for its port.
    /// A free port is chosen if none is given.
    pub fn start_node(
        &self,
        place: (&str, Option<u16>),
        arguments: &dyn Fn(u16) -> io::Result<Vec<String>>,
    ) -> Result<RedisProcess, String> {
        RedisProcess::start(&self.starter, place, arguments)
    }

    /// Starts any other program in the process group, so that it ends with the group.
    pub fn spawn(&self, command: &mut Command) -> io::Result<Child> {
        command.process_group(self.watchdog.process_group()).spawn()
    }

    /// Returns the arguments that every node gets.
    pub fn usual_arguments(&self, port: u16) -> Vec<String> {
        let port = port.to_string();
        let rdb = format!("{port}.rdb");
        let folder = self.folder.path().to_string_lossy();
        let mut arguments = vec!["--port", &port, "--bind", HOST, "--daemonize", "no", "--save", "", "--appendonly"];
        arguments.extend(["no", "--repl-diskless-sync-delay", "0"]);
        // A replica that is started again must not find the data that its master sent before.
        arguments.extend(["--rdb-del-sync-files", "yes"]);
        arguments.extend(["--dir", &folder, "--dbfilename", &rdb, "--loglevel", "warning"]);
        let password = &self.layout.password;
        if !password.is_empty() {
            arguments.extend(["--requirepass", password, "--masterauth", password]);
        }
        arguments.into_iter().map(str::to_owned).chain(self.layout.arguments.iter().cloned()).collect()
    }
}

impl Drop for RedisGroup {
    fn drop(&mut self) {
        self.watchdog.end();
    }
}

/// Finds redis-server or valkey-server: `CACHEFRONT_REDIS_SERVER`, else a program in `PATH`, else the one that `make`
/// unpacked.
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
