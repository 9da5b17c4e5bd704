//! The answer of a node to `INFO replication`.

use redis::Value;
use std::time::Duration;

/// The answer of a node to `INFO replication`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicationInfo {
    /// The role of the node.
    pub role: ReplicationRole,
    /// The history of writes that the node's data belongs to (`master_replid`).
    pub replication_id: String,
    /// The history that the node followed before its promotion (`master_replid2`); empty if it was never promoted.
    pub previous_replication_id: String,
    /// The number of replicas that are connected to the node.
    pub connected_replicas: u32,
    /// The position that the node has reached in its history.
    pub offset: u64,
    /// The node became a master while this process watched, without a restart in between.
    pub promotion_seen: bool,
    /// The number of times that the node had reported the loss of all its data when it was asked.
    pub flushes: u64,
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

impl ReplicationInfo {
    /// Reads the reply to `INFO replication`. Returns `None` for any other reply, such as the refusal that a user
    /// without the permission gets: then nothing is known.
    pub fn parse(reply: &Value) -> Option<Self> {
        let text = match reply {
            Value::BulkString(bytes) => String::from_utf8_lossy(bytes),
            Value::VerbatimString { text, .. } => text.into(),
            _ => return None,
        };
        let role = parse_role(&text)?;
        // The offset of a replica is that of the data it has applied, which may be less than what it has received.
        let offset = if role == ReplicationRole::Master { "master_repl_offset" } else { "slave_repl_offset" };
        Some(Self {
            role,
            replication_id: parse_id(&text, "master_replid"),
            previous_replication_id: parse_id(&text, "master_replid2"),
            connected_replicas: field(&text, "connected_slaves").and_then(|count| count.parse().ok()).unwrap_or(0),
            offset: field(&text, offset).and_then(|offset| offset.parse().ok()).unwrap_or(0),
            promotion_seen: false,
            flushes: 0,
            loading: false,
        })
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

    /// Returns true if the node was certainly promoted, and not just restarted: this process saw the promotion, or
    /// replicas follow the node.
    pub fn is_confirmed_promotion(&self) -> bool {
        self.promotion_seen || self.connected_replicas > 0
    }

    /// Returns true if this master, rather than the live master `current`, is to receive the writes.
    pub fn supersedes(&self, current: &Self) -> bool {
        if self.continues_history_of(&current.replication_id) {
            return self.is_confirmed_promotion();
        }
        if current.continues_history_of(&self.replication_id) {
            // The master whose history `current` branched off is still there.
            return !current.is_confirmed_promotion();
        }
        // The history of another node counts only against a restarted node that no replica follows.
        let is_newer = self.connected_replicas > 0
            || !current.was_promoted()
            || (self.previous_replication_id == current.previous_replication_id && self.offset > current.offset);
        current.connected_replicas == 0 && !current.promotion_seen && self.was_promoted() && is_newer
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

/// Returns a replication id; an id of zeros only means that there is none.
fn parse_id(text: &str, name: &str) -> String {
    field(text, name).filter(|id| id.contains(|c| c != '0')).unwrap_or_default().to_owned()
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(text: &str) -> ReplicationInfo {
        ReplicationInfo::parse(&Value::BulkString(text.as_bytes().to_vec())).expect("an answer")
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
    fn a_refusal_tells_nothing() {
        assert_eq!(ReplicationInfo::parse(&Value::Nil), None);
    }
}
