//! Real Redis processes on this machine that never outlive this one, however it ends.
//!
//! The processes run in a group of their own, together with a small shell that waits for the end of a pipe. Only this
//! process holds the other end of the pipe. When this process ends, even by SIGKILL, the pipe ends, and the shell
//! removes the folder and kills its group.

mod process;
mod watchdog;

use super::error::DevError;
use crate::types::Address;
use process::{ProcessGroup, RedisProcess};
use std::{
    fs::Permissions,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use tempfile::TempDir;
use watchdog::Watchdog;

const HOST: &str = "127.0.0.1";

/// One master with its replicas.
struct RedisShard {
    master: RedisProcess,
    replicas: Vec<RedisProcess>,
}

/// Masters with their replicas; all of them end on drop.
pub struct RedisGroup {
    shards: Vec<RedisShard>,
    // Invariant: dropped after the processes.
    watchdog: Watchdog,
    folder: TempDir,
}

impl RedisGroup {
    /// Starts `shards` masters with `replicas` replicas each and waits until all replicas are online.
    pub fn start(shards: u16, replicas: u16) -> Result<Self, DevError> {
        let program = find_program()?;
        // The folder will have the settings file with the secrets of the session.
        let private = Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new().prefix("cachefront-").permissions(private).tempdir();
        let folder = folder.map_err(DevError::PrepareRedis)?;
        let watchdog = Watchdog::start(folder.path()).map_err(DevError::PrepareRedis)?;
        let group = ProcessGroup { program, id: watchdog.process_group() };
        let mut redis = Self { shards: Vec::new(), watchdog, folder };
        for _ in 0..shards {
            let master = redis.start_node(&group, &[])?;
            let port = master.address.port.to_string();
            let replicas = (0..replicas)
                .map(|_| redis.start_node(&group, &["--replicaof", HOST, &port]))
                .collect::<Result<_, _>>()?;
            redis.shards.push(RedisShard { master, replicas });
        }
        for shard in &redis.shards {
            shard.master.wait_for_replicas(shard.replicas.len())?;
        }
        Ok(redis)
    }

    /// Returns the folder of the processes, which is removed with them.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the name, the master and the replicas of each shard.
    pub fn shards(&self) -> impl Iterator<Item = (String, &Address, Vec<&Address>)> {
        let names = ('a'..).map(String::from);
        self.shards.iter().zip(names).map(|(RedisShard { master, replicas }, name)| {
            (name, &master.address, replicas.iter().map(|replica| &replica.address).collect())
        })
    }

    fn start_node(&self, group: &ProcessGroup, arguments: &[&str]) -> Result<RedisProcess, DevError> {
        RedisProcess::start(group, HOST, |port| {
            let further = arguments.iter().copied().map(str::to_owned);
            self.common_arguments(port).into_iter().chain(further).collect()
        })
    }

    /// Returns the arguments that every node gets.
    fn common_arguments(&self, port: u16) -> Vec<String> {
        let port = port.to_string();
        let rdb = format!("{port}.rdb");
        let folder = self.folder.path().to_string_lossy();
        let mut arguments = vec!["--port", &port, "--bind", HOST, "--daemonize", "no", "--save", "", "--appendonly"];
        arguments.extend(["no", "--repl-diskless-sync-delay", "0"]);
        arguments.extend(["--dir", &folder, "--dbfilename", &rdb, "--loglevel", "warning"]);
        arguments.into_iter().map(str::to_owned).collect()
    }
}

impl Drop for RedisGroup {
    fn drop(&mut self) {
        self.watchdog.end();
    }
}

/// Finds redis-server or valkey-server: `CACHEFRONT_REDIS_SERVER`, else a program in `PATH`, else the one that `make`
/// unpacked.
fn find_program() -> Result<PathBuf, DevError> {
    if let Some(named) = std::env::var_os("CACHEFRONT_REDIS_SERVER").filter(|named| !named.is_empty()) {
        return Ok(named.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let unpacked = PathBuf::from("target/tools/redis");
    let folders = std::env::split_paths(&path).chain([unpacked]);
    let mut candidates = folders.flat_map(|folder| ["redis-server", "valkey-server"].map(|name| folder.join(name)));
    candidates.find(|candidate| candidate.is_file()).ok_or(DevError::RedisNotInstalled)
}
