//! Real sentinels that monitor a group and end with this process.

use super::{eventually, signal, until};
use crate::local_redis::{RedisGroup, ask, free_port};
use cachefront::types::Address;
use std::{
    fmt::Write as _,
    io,
    process::{Child, Command, Stdio},
    sync::Mutex,
};
use tempfile::TempDir;

/// Address of all sentinels.
const HOST: &str = "127.0.0.1";
/// Number of sentinels.
const COUNT: usize = 3;
/// Time without an answer after which a sentinel considers a node down.
const DOWN_AFTER_MS: u32 = 1000;
/// Period in which a sentinel asks nodes for their role and replicas; the default of Redis is 10 s.
const INFO_PERIOD_MS: u32 = 500;
/// Period of a sentinel's announcements while the sentinels discover each other.
const FIRST_ANNOUNCE_PERIOD_MS: u32 = 100;
/// Period of a sentinel's announcements afterwards, which is the default of Redis.
const ANNOUNCE_PERIOD_MS: u32 = 2000;

/// Options that differ from the default.
#[derive(Clone, Default)]
pub struct SentinelOptions {
    /// Password of the sentinels; empty for none.
    pub password: String,
    /// Password of the nodes; empty for none.
    pub nodes_password: String,
    /// More lines for the configuration of the first sentinel.
    pub lines: String,
}

/// Three sentinels, which end on drop.
pub struct Sentinels {
    all: Vec<Sentinel>,
    /// Name of each shard, and the name of its master among the sentinels.
    shards: Vec<(String, String)>,
    options: SentinelOptions,
    folder: TempDir,
}

/// One sentinel process.
struct Sentinel {
    address: Address,
    command: Mutex<Command>,
    process: Mutex<Child>,
}

impl Sentinels {
    /// Starts the sentinels and waits until they know each other and all replicas.
    pub fn start(group: &RedisGroup, quorum: usize) -> Self {
        Self::start_with(group, quorum, SentinelOptions::default())
    }

    /// Starts sentinels with options that differ from the default.
    pub fn start_with(group: &RedisGroup, quorum: usize, options: SentinelOptions) -> Self {
        let folder = tempfile::tempdir_in(group.folder()).expect("a temporary folder");
        let mut started = Self { all: Vec::new(), shards: Vec::new(), options, folder };
        let mut watch = String::new();
        for (shard, master, _) in group.shards() {
            let name = format!("main-{shard}");
            let _ = writeln!(
                watch,
                "sentinel monitor {name} {HOST} {} {quorum}\nsentinel down-after-milliseconds {name} {DOWN_AFTER_MS}\n\
                 sentinel failover-timeout {name} 3000\nsentinel parallel-syncs {name} 8",
                master.port
            );
            if !started.options.nodes_password.is_empty() {
                let _ = writeln!(watch, "sentinel auth-pass {name} {}", started.options.nodes_password);
            }
            started.shards.push((shard, name));
        }
        for number in 0..COUNT {
            let sentinel = started.start_one(number, group, &watch);
            started.all.push(sentinel);
        }
        (0..COUNT).for_each(|number| started.set_periods(number, FIRST_ANNOUNCE_PERIOD_MS));
        for position in 0..started.shards.len() {
            let name = &started.shards[position].1;
            (0..COUNT).for_each(|number| {
                started.until_field(number, name, "num-other-sentinels", &(COUNT - 1).to_string());
            });
            started.until_replicas(position, group.replicas(position).len());
        }
        started.announce_every(ANNOUNCE_PERIOD_MS);
        started
    }

    /// Sets the period of the sentinels' announcements. A node that wrongly reports to be a master is made a replica
    /// after four such periods.
    pub fn announce_every(&self, period_ms: u32) {
        (0..COUNT).for_each(|number| self.set_periods(number, period_ms));
    }

    fn set_periods(&self, number: usize, announce_period_ms: u32) {
        let command = format!("SENTINEL DEBUG INFO-PERIOD {INFO_PERIOD_MS} PUBLISH-PERIOD {announce_period_ms}");
        until(&format!("sentinel {number} takes {command}"), || {
            let is_set = self.ask(number, &command).is_ok_and(|answer| answer.trim() == "+OK");
            is_set.then_some(())
        });
    }

    /// Starts a sentinel, on another port if some process takes the first one before it does.
    fn start_one(&self, number: usize, group: &RedisGroup, watch: &str) -> Sentinel {
        loop {
            let sentinel = self.try_start(number, group, watch);
            let is_up = until(&format!("sentinel {number} answers or has ended"), || {
                let mut process = sentinel.process.lock().expect("no panic");
                let info = ask(&sentinel.address, &self.options.password, "INFO server").unwrap_or_default();
                if info.contains(&format!("process_id:{}", process.id())) {
                    return Some(true);
                }
                process.try_wait().expect("a state").map(|_| false)
            });
            if is_up {
                return sentinel;
            }
        }
    }

    fn try_start(&self, number: usize, group: &RedisGroup, watch: &str) -> Sentinel {
        let port = free_port(HOST).expect("a free port");
        let folder = self.folder.path().join(number.to_string());
        std::fs::create_dir_all(&folder).expect("a folder");
        let mut text = format!("port {port}\nbind {HOST}\nprotected-mode no\ndir {}\n{watch}", folder.display());
        if number == 0 {
            text.push_str(&self.options.lines);
        }
        if !self.options.password.is_empty() {
            let password = &self.options.password;
            let _ = writeln!(text, "requirepass {password}\nsentinel sentinel-pass {password}");
        }
        let config = folder.join("sentinel.conf");
        std::fs::write(&config, text).expect("the configuration is written");
        let mut command = Command::new("redis-server");
        command.arg(config).arg("--sentinel");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = group.spawn(&mut command).expect("redis-server starts");
        let address = Address { host: HOST.to_owned(), port };
        Sentinel { address, command: Mutex::new(command), process: Mutex::new(process) }
    }

    /// Returns the addresses of all sentinels, separated by commas.
    pub fn addresses(&self) -> String {
        let addresses: Vec<String> = self.all.iter().map(|sentinel| sentinel.address.to_string()).collect();
        addresses.join(", ")
    }

    /// Returns the settings of a service that asks these sentinels.
    pub fn section(&self) -> String {
        let SentinelOptions { password, nodes_password, .. } = &self.options;
        let sentinels = self.addresses();
        let mut text =
            format!("[redis]\nsentinels={sentinels}\nsentinel_password={password}\npassword={nodes_password}\n");
        for (shard, name) in &self.shards {
            let _ = writeln!(text, "[shard:{shard}]\nsentinel_master={name}");
        }
        text
    }

    /// Sends a command and returns its reply with each element on a line.
    pub fn ask(&self, number: usize, command: &str) -> io::Result<String> {
        ask(&self.all[number].address, &self.options.password, command)
    }

    /// Returns the address that a sentinel announces for the master of a shard.
    pub fn master(&self, number: usize, shard: usize) -> Option<Address> {
        let (_, name) = &self.shards[shard];
        let answer = self.ask(number, &format!("SENTINEL GET-MASTER-ADDR-BY-NAME {name}")).ok()?;
        let mut lines = answer.lines();
        format!("{}:{}", lines.next()?, lines.next()?).parse().ok()
    }

    /// Waits until all sentinels in `asked` agree on a master other than `old`, and returns its address.
    pub async fn until_failed_over(&self, asked: &[usize], shard: usize, old: &Address) -> Address {
        eventually("the sentinels promote a replica", async || {
            let mut masters = asked.iter().map(|number| self.master(*number, shard));
            let first = masters.next()??;
            (first != *old && masters.all(|other| other.as_ref() == Some(&first))).then_some(first)
        })
        .await
    }

    /// Ends a sentinel at once, as `kill -9` does.
    pub fn kill(&self, number: usize) {
        let mut process = self.all[number].process.lock().expect("nobody panicked");
        let _gone_already = process.kill();
        let _reaped = process.wait();
    }

    /// Starts a sentinel again after [`Sentinels::kill`].
    pub fn start_again(&self, number: usize) {
        let sentinel = &self.all[number];
        let process = sentinel.command.lock().expect("nobody panicked").spawn().expect("redis-server starts");
        *sentinel.process.lock().expect("nobody panicked") = process;
    }

    /// Pauses the process of a sentinel.
    pub fn pause(&self, number: usize) {
        self.signal(number, "-STOP");
    }

    /// Resumes the process of a sentinel.
    pub fn resume(&self, number: usize) {
        self.signal(number, "-CONT");
    }

    fn signal(&self, number: usize, name: &str) {
        let id = self.all[number].process.lock().expect("nobody panicked").id();
        signal(name, id);
    }

    /// Waits until all sentinels know this number of replicas of a shard.
    pub fn until_replicas(&self, shard: usize, count: usize) {
        (0..COUNT).for_each(|number| self.until_field(number, &self.shards[shard].1, "num-slaves", &count.to_string()));
    }

    fn until_field(&self, number: usize, master: &str, field: &str, expected: &str) {
        until(&format!("sentinel {number} has {field} {expected} for {master}"), || {
            let answer = self.ask(number, &format!("SENTINEL MASTER {master}")).unwrap_or_default();
            let value = answer.lines().skip_while(|line| *line != field).nth(1);
            (value == Some(expected)).then_some(())
        });
    }
}

impl Drop for Sentinels {
    fn drop(&mut self) {
        (0..self.all.len()).for_each(|number| self.kill(number));
    }
}
