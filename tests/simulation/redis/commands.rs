//! The commands that a node understands.

use super::{Applied, Change, Waiter, resp};
use crate::world::World;

/// The result of a command.
pub enum Outcome {
    Answer(Vec<u8>),
    /// The client waits for the answer.
    Blocked,
    /// The command waits until the node lets its clients change keys again.
    Paused,
}

const READONLY: &str = "READONLY You can't write against a read only replica.";
const LOADING: &str = "LOADING Redis is loading the dataset in memory";
/// Bytes that a change adds to the replication stream.
pub const CHANGE_BYTES: u64 = 50;

impl World {
    pub(super) fn run_command(&mut self, connection: usize, words: &[String]) -> Outcome {
        let outcome = self.run_words(connection, words);
        if self.is_verbose {
            let (node, instance) =
                (self.network.connections[connection].node, self.network.connections[connection].instance);
            let answer = match &outcome {
                Outcome::Answer(answer) => String::from_utf8_lossy(answer).replace("\r\n", " "),
                Outcome::Blocked | Outcome::Paused => "waits".to_owned(),
            };
            self.note(&format!("node {node}, instance {instance} ({connection}): {} -> {answer}", words.join(" ")));
        }
        outcome
    }

    fn run_words(&mut self, connection: usize, words: &[String]) -> Outcome {
        let node = self.network.connections[connection].node;
        let name = words[0].to_ascii_uppercase();
        let arguments = &words[1..];
        if self.nodes[node].is_loading && !["HELLO", "CLIENT", "INFO", "ROLE"].contains(&name.as_str()) {
            return Outcome::Answer(resp::error(LOADING));
        }
        if self.nodes[node].sentinel.is_some() && !["HELLO", "CLIENT", "PING"].contains(&name.as_str()) {
            return Outcome::Answer(self.run_sentinel_command(connection, &name, arguments));
        }
        let session = self.network.connections[connection].session.as_mut().expect("an open session");
        let tracks = session.tracks_next && name != "CLIENT";
        session.tracks_next &= !tracks;
        if ["GET", "PTTL", "SET", "UNLINK"].contains(&name.as_str()) {
            if let Some(redirection) = self.redirection(connection, &name, &arguments[0]) {
                return redirection;
            }
            if self.nodes[node].pauses_writes && ["SET", "UNLINK"].contains(&name.as_str()) {
                return Outcome::Paused;
            }
        }
        let answer = match name.as_str() {
            "HELLO" => resp::array([resp::bulk("server"), resp::bulk("redis"), resp::bulk("proto"), resp::integer(3)]),
            "PING" => resp::simple("PONG"),
            "SELECT" => resp::simple("OK"),
            "ASKING" => self.set_asking(connection),
            "READWRITE" | "READONLY" => self.set_readonly(connection, name == "READONLY"),
            "CLUSTER" if arguments[0].eq_ignore_ascii_case("SLOTS") => self.cluster_slots(node),
            "CLUSTER" => self.cluster_nodes(node),
            "CLIENT" => self.client(connection, arguments),
            "INFO" if !self.nodes[node].allows_info => resp::error("NOPERM this user has no permissions to run INFO"),
            "INFO" => self.nodes[node].info(arguments, &self.nodes, self.now),
            "ROLE" => self.nodes[node].role(&self.nodes),
            "GET" => self.get(connection, &arguments[0], tracks),
            "PTTL" => self.pttl(node, &arguments[0]),
            "SET" | "UNLINK" if !self.nodes[node].is_master() => resp::error(READONLY),
            "SET" => self.set(connection, arguments),
            "UNLINK" => self.unlink(connection, &arguments[0]),
            "WAIT" => return self.wait(connection, arguments),
            _ => {
                self.note(&format!("unknown command {words:?}"));
                resp::error(&format!("ERR unknown command '{name}'"))
            }
        };
        Outcome::Answer(answer)
    }

    fn set_asking(&mut self, connection: usize) -> Vec<u8> {
        self.network.connections[connection].session.as_mut().expect("an open session").is_asking = true;
        resp::simple("OK")
    }

    fn set_readonly(&mut self, connection: usize, is_readonly: bool) -> Vec<u8> {
        self.network.connections[connection].session.as_mut().expect("an open session").is_readonly = is_readonly;
        resp::simple("OK")
    }

    fn client(&mut self, connection: usize, arguments: &[String]) -> Vec<u8> {
        let session = self.network.connections[connection].session.as_mut().expect("an open session");
        match arguments[0].to_ascii_uppercase().as_str() {
            "TRACKING" => session.is_tracking = arguments[1].eq_ignore_ascii_case("ON"),
            "CACHING" => session.tracks_next = true,
            "ID" => return resp::integer(i64::try_from(connection + 1).expect("a small number")),
            "KILL" => return self.kill(connection, arguments),
            _ => {}
        }
        resp::simple("OK")
    }

    /// Closes the connection of this node that is named by its id.
    fn kill(&mut self, by: usize, arguments: &[String]) -> Vec<u8> {
        let node = self.network.connections[by].node;
        let named = arguments.get(2).and_then(|id| id.parse::<usize>().ok()).map(|id| id - 1);
        let named = named.filter(|named| {
            let named = self.network.connections.get(*named);
            named.is_some_and(|named| named.node == node && named.session.is_some())
        });
        if let Some(named) = named {
            self.close_from_node(named);
        }
        resp::integer(named.is_some().into())
    }

    fn get(&mut self, connection: usize, key: &str, tracks: bool) -> Vec<u8> {
        let node = self.network.connections[connection].node;
        if tracks && self.network.connections[connection].session.as_ref().is_some_and(|it| it.is_tracking) {
            self.nodes[node].tracked.entry(key.to_owned()).or_default().insert(connection);
        }
        let value = self.nodes[node].data.value(key, self.now).and_then(|change| change.value);
        value.map_or_else(resp::nil, |value| resp::bulk(&format!("v{value}")))
    }

    fn pttl(&self, node: usize, key: &str) -> Vec<u8> {
        resp::integer(match self.nodes[node].data.value(key, self.now) {
            None => -2,
            Some(Change { expires_at: None, .. }) => -1,
            Some(Change { expires_at: Some(time), .. }) => i64::try_from(time - self.now).expect("a short time"),
        })
    }

    fn set(&mut self, connection: usize, arguments: &[String]) -> Vec<u8> {
        let value = arguments[1].strip_prefix('v').and_then(|number| number.parse().ok());
        let secs = arguments.get(3).map(|secs| secs.parse::<u64>().expect("whole seconds"));
        let expires_at = secs.map(|secs| self.now + secs * 1000);
        self.change(connection, arguments[0].clone(), Some(value.expect("a value of a client")), expires_at);
        resp::simple("OK")
    }

    fn unlink(&mut self, connection: usize, key: &str) -> Vec<u8> {
        let node = self.network.connections[connection].node;
        let exists = self.nodes[node].data.value(key, self.now).is_some();
        if exists {
            self.change(connection, key.to_owned(), None, None);
        }
        resp::integer(exists.into())
    }

    /// Makes a change at a master, and sends it to the replicas.
    fn change(&mut self, connection: usize, key: String, value: Option<u32>, expires_at: Option<u64>) {
        let (node, instance) =
            (self.network.connections[connection].node, self.network.connections[connection].instance);
        self.record_import(node, &key);
        let change = Change { key: key.into(), value, expires_at, instance };
        let end = self.nodes[node].data.offset + CHANGE_BYTES;
        self.network.connections[connection].session.as_mut().expect("an open session").written = end;
        self.apply(node, &Applied { change: Some(change), time: self.now, end });
    }

    fn wait(&mut self, connection: usize, arguments: &[String]) -> Outcome {
        let node = self.network.connections[connection].node;
        if !self.nodes[node].is_master() {
            return Outcome::Answer(resp::error("ERR WAIT cannot be used with replica instances."));
        }
        let numbers: Vec<u64> = arguments.iter().map(|number| number.parse().expect("a number")).collect();
        let session = self.network.connections[connection].session.as_mut().expect("an open session");
        let (offset, replicas) = (session.written, usize::try_from(numbers[0]).expect("small"));
        let count = self.nodes[node].acknowledged(offset);
        if count >= replicas {
            return Outcome::Answer(resp::integer(i64::try_from(count).expect("small")));
        }
        session.is_blocked = true;
        self.nodes[node].waiters.push(Waiter { connection, offset, replicas });
        if numbers[1] > 0 {
            // Redis looks ten times a second if a wait is over.
            let timeout = numbers[1].div_ceil(100) * 100;
            self.after(timeout, move |world| {
                world.at_node(node, move |world| world.end_wait(node, connection, offset));
            });
        }
        Outcome::Blocked
    }

    /// Answers a client whose wait has lasted long enough.
    fn end_wait(&mut self, node: usize, connection: usize, offset: u64) {
        let waiters = &mut self.nodes[node].waiters;
        if let Some(position) = waiters.iter().position(|it| it.connection == connection && it.offset == offset) {
            waiters.remove(position);
            let count = self.nodes[node].acknowledged(offset);
            self.unblock(connection, resp::integer(i64::try_from(count).expect("small")));
        }
    }
}
