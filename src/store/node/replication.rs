//! The answer of a node to `INFO replication`.

use crate::{
    store::protocol::{
        info::{field, text_of},
        server_mode::ServerMode,
    },
    types::Address,
};
use redis::Value;
use std::time::Duration;

/// The answer of a node to `INFO replication`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicationInfo {
    /// The role of the node.
    pub role: ReplicationRole,
    /// The address of the master that a replica follows, as the replica knows it; `None` for a master.
    pub followed_address: Option<Address>,
    /// The history of writes that the node's data belongs to (`master_replid`).
    pub replication_id: String,
    /// The history that the node followed before its promotion (`master_replid2`); empty if it was never promoted.
    pub previous_replication_id: String,
    /// The number of replicas that are connected to the node.
    pub connected_replicas: u32,
    /// The position that the node has reached in its history.
    pub offset: u64,
    /// The identity of the node's process (`run_id`), which a restart changes; empty if the node does not tell it.
    pub run_id: String,
    /// The node's process is a master now and was a replica before, so that it was certainly promoted.
    pub promotion_seen: bool,
    /// The number of times that the node had reported the loss of all its data when it was asked.
    pub flushes: u64,
    /// The node's process took the place of another one, and has been a master since its first answer.
    pub restart_seen: bool,
    /// The node is reading its data from a file and refuses commands; its history does not count yet.
    pub loading: bool,
}

/// The role of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplicationRole {
    /// The node accepts writes.
    Master,
    /// The node follows a master.
    Replica {
        /// The node has received its master's data. Until then it would report every key as missing.
        synced: bool,
        /// The time for which the node has not reached its master; `None` while it does.
        down_for: Option<Duration>,
    },
}

impl ReplicationRole {
    /// Returns true if the role is the same, however long a replica has been without its master.
    pub fn is_same_kind(self, other: Self) -> bool {
        self.without_duration() == other.without_duration()
    }

    fn without_duration(self) -> Self {
        match self {
            Self::Master => Self::Master,
            Self::Replica { synced, down_for } => Self::Replica { synced, down_for: down_for.map(|_| Duration::ZERO) },
        }
    }
}

impl ReplicationInfo {
    /// Reads the reply to `INFO replication`. Returns `None` for any other reply, such as the refusal that a user
    /// without the permission gets: then nothing is known.
    pub fn parse(reply: &Value) -> Option<Self> {
        let text = text_of(reply)?;
        let role = parse_role(&text)?;
        // The offset of a replica is that of the data it has applied, which may be less than what it has received.
        let offset = if role == ReplicationRole::Master { "master_repl_offset" } else { "slave_repl_offset" };
        Some(Self {
            role,
            followed_address: parse_followed(&text),
            replication_id: parse_id(&text, "master_replid"),
            previous_replication_id: parse_id(&text, "master_replid2"),
            connected_replicas: field(&text, "connected_slaves").and_then(|count| count.parse().ok()).unwrap_or(0),
            offset: field(&text, offset).and_then(|offset| offset.parse().ok()).unwrap_or(0),
            run_id: String::new(),
            promotion_seen: false,
            flushes: 0,
            restart_seen: false,
            loading: false,
        })
    }

    /// Completes the answer with the knowledge about the process that gave it.
    #[must_use]
    pub fn of_process(mut self, process: &NodeProcess) -> Self {
        self.run_id.clone_from(&process.run_id);
        self.promotion_seen = process.ran_replicaof && self.is_master() && self.was_promoted();
        self
    }

    /// Completes the answer with the knowledge that follows from the node's last one: whether a master was promoted or
    /// restarted. An outdated answer was followed by a time in which the node was not reachable.
    #[must_use]
    pub fn after(mut self, last: &Self, is_outdated: bool) -> Self {
        let same_process = match (&*self.run_id, &*last.run_id) {
            ("", _) | (_, "") => (!is_outdated).then_some(true),
            (now, before) => Some(now == before),
        };
        if self.is_master() {
            self.promotion_seen |= same_process == Some(true) && (!last.is_master() || last.promotion_seen);
            self.restart_seen =
                same_process.is_some_and(|same| if same { last.is_master() && last.restart_seen } else { true });
        }
        self
    }

    /// Returns true if the node is a master only because its process was started as one: that is no promotion, whatever
    /// history it says to continue.
    pub fn is_mere_restart(&self) -> bool {
        self.restart_seen && !self.promotion_seen
    }

    /// Returns true if both answers are those of the same process as the master of the same history.
    pub fn is_same_master_as(&self, other: &Self) -> bool {
        self.is_master()
            && other.is_master()
            && self.run_id == other.run_id
            && self.replication_id == other.replication_id
            && self.loading == other.loading
    }

    /// Returns true if the node has the data of this history: it is a replica of it, or was promoted from one.
    pub fn holds_history(&self, replication_id: &str) -> bool {
        match self.role {
            ReplicationRole::Master => self.continues_history_of(replication_id) && !self.is_mere_restart(),
            ReplicationRole::Replica { synced, .. } => synced && self.replication_id == replication_id,
        }
    }

    /// Returns true if the node is a replica and has received nothing since it had the data of this history.
    pub fn keeps_history(&self, replication_id: &str) -> bool {
        !replication_id.is_empty() && !self.is_master() && self.replication_id == replication_id
    }

    /// Returns true if the node calls itself a master.
    pub fn is_master(&self) -> bool {
        self.role == ReplicationRole::Master
    }

    /// Returns true if the node is a master and its history begins where the history `replication_id` ended. That
    /// holds for a promoted replica, but also for a replica that was restarted from its file as a master.
    pub fn continues_history_of(&self, replication_id: &str) -> bool {
        self.is_master() && !replication_id.is_empty() && self.previous_replication_id == replication_id
    }

    /// Returns true if the node followed another history before.
    pub fn was_promoted(&self) -> bool {
        !self.previous_replication_id.is_empty()
    }

    /// Returns true if replicas follow the node.
    pub fn is_followed(&self) -> bool {
        self.connected_replicas > 0
    }
}

/// The facts about the process of a node that its connection began with.
#[derive(Clone, Debug, Default)]
pub struct NodeProcess {
    /// The identity of the process (`run_id`), which a restart changes; empty if the node does not tell it.
    pub run_id: String,
    /// The process has run `REPLICAOF` or `SLAVEOF`. If it is a master all the same, it was promoted.
    pub ran_replicaof: bool,
    /// The mode of the process; `None` if the node does not tell it.
    pub mode: Option<ServerMode>,
}

impl NodeProcess {
    /// Reads the replies to `INFO server` and `INFO commandstats`.
    pub fn parse(server: &Value, commands: &Value) -> Self {
        let server = text_of(server);
        let run_id = server.as_ref().and_then(|text| field(text, "run_id").map(str::to_owned));
        let ran_replicaof = text_of(commands).is_some_and(|text| {
            ["cmdstat_replicaof", "cmdstat_slaveof"].iter().any(|name| {
                let calls = field(&text, name).and_then(|row| row.strip_prefix("calls=")?.split(',').next());
                calls.is_some_and(|calls| calls != "0")
            })
        });
        let mode = server.and_then(|text| ServerMode::of_info(&text));
        Self { run_id: run_id.unwrap_or_default(), ran_replicaof, mode }
    }
}

fn parse_role(text: &str) -> Option<ReplicationRole> {
    if field(text, "role")? == "master" {
        return Some(ReplicationRole::Master);
    }
    // Redis reports the seconds since the link went down, and -1 if the link has never been up.
    let down_since = field(text, "master_link_down_since_seconds");
    let is_up = field(text, "master_link_status") == Some("up");
    let down_secs = down_since.and_then(|secs| secs.parse().ok()).unwrap_or_default();
    Some(ReplicationRole::Replica {
        synced: is_up || down_since != Some("-1"),
        down_for: (!is_up).then(|| Duration::from_secs(down_secs)),
    })
}

/// Returns the address of the master that a replica follows; a master has no such fields.
fn parse_followed(text: &str) -> Option<Address> {
    let (host, port) = (field(text, "master_host")?, field(text, "master_port")?);
    Some(Address { host: host.to_owned(), port: port.parse().ok()? })
}

/// Returns a replication id; an id of zeros only means that there is none.
fn parse_id(text: &str, name: &str) -> String {
    field(text, name).filter(|id| id.contains(|c| c != '0')).unwrap_or_default().to_owned()
}

#[cfg(test)]
impl ReplicationInfo {
    /// Creates the answer of a node with this role and history, for tests.
    pub fn reported(role: ReplicationRole, id: &str, previous: &str) -> Self {
        Self {
            role,
            followed_address: None,
            replication_id: id.to_owned(),
            previous_replication_id: previous.to_owned(),
            connected_replicas: 0,
            offset: 0,
            run_id: String::new(),
            promotion_seen: false,
            restart_seen: false,
            flushes: 0,
            loading: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(text: &str) -> ReplicationInfo {
        ReplicationInfo::parse(&text_reply(text)).expect("an answer")
    }

    fn text_reply(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn replica_role(text: &str) -> ReplicationRole {
        info(&format!("# Replication\r\nrole:slave\r\n{text}")).role
    }

    fn cut_off(synced: bool, secs: u64) -> ReplicationRole {
        ReplicationRole::Replica { synced, down_for: Some(Duration::from_secs(secs)) }
    }

    #[test]
    fn only_a_replica_whose_link_was_never_up_lacks_its_data() {
        let never = "master_link_status:down\r\nslave_repl_offset:1\r\nmaster_link_down_since_seconds:-1\r\n";
        assert_eq!(replica_role(never), cut_off(false, 0));
        let lost = "master_link_status:down\r\nslave_repl_offset:0\r\nmaster_link_down_since_seconds:3\r\n";
        assert_eq!(replica_role(lost), cut_off(true, 3));
        let up = "master_link_status:up\r\nslave_repl_offset:0\r\n";
        assert_eq!(replica_role(up), ReplicationRole::Replica { synced: true, down_for: None });
    }

    #[test]
    fn a_promoted_master_names_the_history_that_it_continues() {
        let promoted = info("role:master\r\nmaster_replid:ab\r\nmaster_replid2:cd\r\n");
        assert_eq!((&*promoted.replication_id, &*promoted.previous_replication_id), ("ab", "cd"));
        assert!(promoted.is_master() && promoted.was_promoted() && promoted.continues_history_of("cd"));
        let never = info("role:master\r\nmaster_replid:ab0\r\nmaster_replid2:0000000000000000\r\n");
        assert_eq!((&*never.replication_id, &*never.previous_replication_id), ("ab0", ""));
        assert!(!never.was_promoted());
    }

    #[test]
    fn a_master_whose_process_has_run_replicaof_was_promoted() {
        let server = text_reply("# Server\r\nrun_id:p1\r\n");
        let commands =
            text_reply("# Commandstats\r\ncmdstat_get:calls=3,usec=9\r\ncmdstat_replicaof:calls=1,usec=15\r\n");
        let promoted = NodeProcess::parse(&server, &commands);
        let started = NodeProcess::parse(&server, &text_reply("cmdstat_get:calls=3\r\ncmdstat_slaveof:calls=0\r\n"));
        assert_eq!((&*promoted.run_id, promoted.ran_replicaof, started.ran_replicaof), ("p1", true, false));
        let answer = info("role:master\r\nmaster_replid:ab\r\nmaster_replid2:cd\r\n");
        assert!(answer.clone().of_process(&promoted).promotion_seen);
        assert!(!answer.of_process(&started).promotion_seen);
        // It was never a replica, or still is one.
        assert!(!info("role:master\r\nmaster_replid:ab\r\n").of_process(&promoted).promotion_seen);
        assert!(!info("role:slave\r\nmaster_replid2:cd\r\n").of_process(&promoted).promotion_seen);
        assert_eq!(NodeProcess::parse(&Value::Nil, &Value::Nil).run_id, "");
    }

    #[test]
    fn a_refusal_tells_nothing() {
        assert_eq!(ReplicationInfo::parse(&Value::Nil), None);
    }
}
