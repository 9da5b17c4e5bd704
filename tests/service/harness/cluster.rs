//! A Redis Cluster of real processes.

use super::{Proxy, until};
use crate::local_redis::{Layout, RedisGroup, RedisProcess, free_port};
use std::time::{Duration, Instant};

/// Time after which a node gives up a failover that was asked of it.
const MANUAL_FAILOVER_MAX: Duration = Duration::from_secs(5);

/// A Redis Cluster whose processes end on drop.
pub struct Cluster {
    /// Masters first, then their replicas, then those that were added.
    groups: Vec<RedisGroup>,
    masters: usize,
    replicas_each: usize,
    password: String,
    arguments: Vec<String>,
}

impl Cluster {
    /// Starts masters with equal shares of the slots.
    pub fn start(masters: usize, replicas_each: usize) -> Self {
        Self::start_with(masters, replicas_each, "", &[])
    }

    /// Starts nodes with a password and further arguments of redis-server.
    pub fn start_with(masters: usize, replicas_each: usize, password: &str, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(ToString::to_string).collect();
        let mut cluster = Self { groups: Vec::new(), masters, replicas_each, password: password.to_owned(), arguments };
        let nodes = masters * (1 + replicas_each);
        for number in 0..nodes {
            let group = cluster.start_node();
            cluster.groups.push(group);
            cluster.ok(number, &format!("CLUSTER SET-CONFIG-EPOCH {}", number + 1));
        }
        for master in 0..masters {
            let (first, next) = (master * 16_384 / masters, (master + 1) * 16_384 / masters);
            cluster.ok(master, &format!("CLUSTER ADDSLOTSRANGE {first} {}", next - 1));
        }
        (0..nodes).for_each(|number| cluster.meet(number));
        for replica in masters..nodes {
            let master = cluster.id((replica - masters) / replicas_each);
            until("a node knows its master", || {
                (cluster.ask(replica, &format!("CLUSTER REPLICATE {master}")) == "+OK").then_some(())
            });
        }
        cluster.until_complete();
        cluster
    }

    /// Returns the settings of a service in front of the cluster; options of `[redis]` may follow.
    pub fn section(&self) -> String {
        let nodes: Vec<String> = (0..2).map(|number| self.node(number).address.to_string()).collect();
        format!("[redis]\ncluster={}\npassword={}\n", nodes.join(", "), self.password)
    }

    /// Returns a node by its number.
    pub fn node(&self, number: usize) -> &RedisProcess {
        self.groups[number].master(0)
    }

    /// Returns the numbers of the replicas that a master has at first.
    pub fn replicas(&self, master: usize) -> std::ops::Range<usize> {
        let first = self.masters + master * self.replicas_each;
        first..first + self.replicas_each
    }

    /// Sends a command to a node and returns its reply.
    pub fn ask(&self, number: usize, command: &str) -> String {
        self.node(number).ask(command).expect("an answer")
    }

    /// Sends a command to a node, which has to answer OK.
    pub fn ok(&self, number: usize, command: &str) {
        assert_eq!(self.ask(number, command), "+OK", "{command}");
    }

    /// Returns the cluster id of a node.
    pub fn id(&self, number: usize) -> String {
        self.ask(number, "CLUSTER MYID")
    }

    /// Returns the slot of a key.
    pub fn slot(&self, key: &str) -> usize {
        self.ask(0, &format!("CLUSTER KEYSLOT {key}"))[1..].parse().expect("a slot")
    }

    /// Returns the number of the master that has a key at first.
    pub fn owner(&self, key: &str) -> usize {
        let slot = self.slot(key);
        (0..self.masters).find(|master| slot < (master + 1) * 16_384 / self.masters).expect("a master")
    }

    /// Makes a replica take over from its master, and waits until it has.
    pub fn failover(&self, replica: usize) {
        let mut asked: Option<Instant> = None;
        until("the replica takes over", || {
            // A node that was a master until a moment ago may still say so.
            if asked.is_some() && self.role(replica) == "master" {
                return Some(());
            }
            // A failover that did not get its votes in time is given up silently. Until it is connected to its master,
            // the replica refuses the command.
            if asked.is_none_or(|asked| asked.elapsed() > MANUAL_FAILOVER_MAX) {
                asked = (self.ask(replica, "CLUSTER FAILOVER") == "+OK").then(Instant::now);
            }
            None
        });
    }

    /// Makes clients and the other nodes reach a node through a proxy.
    pub fn put_behind(&self, number: usize, proxy: &Proxy) {
        let port = proxy.address.port;
        self.ok(number, &format!("CONFIG SET cluster-announce-port {port}"));
        until("all nodes know the new address", || {
            let is_known = |asked| self.ask(asked, "CLUSTER NODES").contains(&format!("127.0.0.1:{port}@"));
            (0..self.groups.len()).all(is_known).then_some(())
        });
    }

    /// Returns the role that a node reports.
    pub fn role(&self, number: usize) -> String {
        self.node(number).info("role").expect("a role")
    }

    /// Ends a node at once, as `kill -9` does.
    pub fn kill(&self, number: usize) {
        self.node(number).kill();
    }

    /// Adds a node without slots and returns its number.
    pub fn add(&mut self) -> usize {
        let group = self.start_node();
        self.groups.push(group);
        let number = self.groups.len() - 1;
        self.meet(number);
        let id = self.id(number);
        until("all know the new node", || {
            (0..number).all(|other| self.ask(other, "CLUSTER NODES").contains(&id)).then_some(())
        });
        until("the new node is part of it", || self.has_state(number, "ok").then_some(()));
        number
    }

    /// Opens a slot for moving: its keys are moved one by one from now on.
    pub fn open_slot(&self, slot: usize, from: usize, to: usize) {
        self.ok(to, &format!("CLUSTER SETSLOT {slot} IMPORTING {}", self.id(from)));
        self.ok(from, &format!("CLUSTER SETSLOT {slot} MIGRATING {}", self.id(to)));
    }

    /// Moves one key of an open slot.
    pub fn move_key(&self, key: &str, from: usize, to: usize) {
        let auth = if self.password.is_empty() { String::new() } else { format!(" AUTH {}", self.password) };
        let port = self.node(to).address.port;
        let answer = self.ask(from, &format!("MIGRATE 127.0.0.1 {port} {key} 0 5000{auth}"));
        assert!(answer == "+OK" || answer == "+NOKEY", "{answer}");
    }

    /// Assigns an open slot to its new owner, and waits until all nodes know it: otherwise the epoch of the next move
    /// would be too low.
    pub fn close_slot(&self, slot: usize, from: usize, to: usize) {
        let id = self.id(to);
        self.ok(to, &format!("CLUSTER SETSLOT {slot} NODE {id}"));
        self.ok(from, &format!("CLUSTER SETSLOT {slot} NODE {id}"));
        let epoch = self.epoch(to, &id);
        until("all nodes have heard of the new owner", || {
            (0..self.groups.len()).all(|number| self.epoch(number, &id) == epoch).then_some(())
        });
    }

    /// Moves a slot with all of its keys.
    pub fn move_slot(&self, slot: usize, from: usize, to: usize) {
        self.open_slot(slot, from, to);
        loop {
            let keys = self.ask(from, &format!("CLUSTER GETKEYSINSLOT {slot} 10"));
            if keys.is_empty() {
                break;
            }
            keys.lines().for_each(|key| self.move_key(key, from, to));
        }
        self.close_slot(slot, from, to);
    }

    /// Waits until a replica has taken over.
    pub fn until_master(&self, number: usize) {
        until("the replica has taken over", || (self.role(number) == "master").then_some(()));
    }

    /// Returns the configuration epoch that a node knows of another one.
    fn epoch(&self, asked: usize, id: &str) -> Option<String> {
        let nodes = self.ask(asked, "CLUSTER NODES");
        let line = nodes.lines().find(|line| line.starts_with(id))?;
        line.split(' ').nth(6).map(str::to_owned)
    }

    /// Returns whether a node reports this state of the cluster.
    pub fn has_state(&self, number: usize, state: &str) -> bool {
        self.ask(number, "CLUSTER INFO").contains(&format!("cluster_state:{state}"))
    }

    fn meet(&self, number: usize) {
        for other in (0..self.groups.len()).filter(|other| *other != number) {
            let (host, port) = ("127.0.0.1", self.node(number).address.port);
            let bus = self.setting(number, "cluster-port");
            self.ok(other, &format!("CLUSTER MEET {host} {port} {bus}"));
        }
    }

    /// Returns the value of a setting, by `CONFIG GET`.
    pub fn setting(&self, number: usize, name: &str) -> String {
        let mut connection = self.connection(number);
        let (_, value): (String, String) =
            redis::cmd("CONFIG").arg("GET").arg(name).query(&mut connection).expect("a setting");
        value
    }

    fn connection(&self, number: usize) -> redis::Connection {
        let address = &self.node(number).address;
        let url = format!("redis://:{}@{address}", self.password);
        let url = if self.password.is_empty() { format!("redis://{address}") } else { url };
        redis::Client::open(url).and_then(|client| client.get_connection()).expect("a connection")
    }

    /// Another program may take a port between the moment it is found free and the start.
    fn start_node(&self) -> RedisGroup {
        (0..5).find_map(|_| self.try_to_start_node().ok()).expect("a node starts")
    }

    fn try_to_start_node(&self) -> Result<RedisGroup, String> {
        let [bus, tls] = [(); 2].map(|()| free_port("127.0.0.1").expect("a free port").to_string());
        let speaks_tls = self.arguments.iter().any(|argument| argument == "--tls-cluster");
        let tls = if speaks_tls { vec!["--tls-port", &tls] } else { Vec::new() };
        // The cluster lists a replica as readable once it has an offset, which grows with pings.
        let own = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-port", &bus];
        let own = own.into_iter().chain(tls).chain(["--repl-ping-replica-period", "1"]).map(str::to_owned);
        let arguments = own.chain(self.arguments.iter().cloned()).collect();
        RedisGroup::start(&Layout { shards: 1, replicas: 0, password: self.password.clone(), arguments })
    }

    /// Waits until every node knows every other node and lists all replicas as readable.
    fn until_complete(&self) {
        for number in 0..self.groups.len() {
            until("the cluster is whole", || {
                let replicas = self.masters * self.replicas_each;
                let listed: Vec<Vec<redis::Value>> =
                    redis::cmd("CLUSTER").arg("SLOTS").query(&mut self.connection(number)).ok()?;
                let found: usize = listed.iter().map(|entry| entry.len() - 3).sum();
                let known = listed.len() == self.masters && found == replicas;
                let linked = number < self.masters || self.node(number).info("master_link_status")? == "up";
                (known && linked && self.has_state(number, "ok")).then_some(())
            });
        }
    }
}
