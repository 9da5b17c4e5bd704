//! A node's answer to `INFO replication`.

use redis::Value;
use std::time::Duration;

/// A node's answer to `INFO replication`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicationInfo {
    pub role: ReplicationRole,
    /// Names the history of writes that the node's data comes from (`master_replid`).
    pub replication_id: String,
    /// The history that it followed before it was promoted (`master_replid2`); empty if it never was.
    pub previous_replication_id: String,
    /// Replicas that are connected to it.
    pub connected_replicas: u32,
    /// How far it has come in its history.
    pub offset: u64,
    /// It was seen to turn from a replica into a master, without having been restarted in between.
    pub promotion_seen: bool,
    /// It is still reading its data from its file and refuses commands: what it says of its history does not count yet.
    pub loading: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplicationRole {
    Master,
    Replica {
        /// It has had its master's data. Before that it would report every key as missing.
        synced: bool,
        /// How long it has been out of touch with its master; `None` while it is in touch.
        down_for: Option<Duration>,
    },
}

impl ReplicationInfo {
    /// `None` if it is no answer to `INFO`, as for a user who may not ask: nothing is known then.
    pub fn parse(info: &Value) -> Option<Self> {
        let text = match info {
            Value::BulkString(bytes) => String::from_utf8_lossy(bytes),
            Value::VerbatimString { text, .. } => text.into(),
            _ => return None,
        };
        let field = |name: &str| text.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'));
        // Redis tells since when a link is down, and -1 as long as it never was up.
        let down_since = field("master_link_down_since_seconds");
        let up = field("master_link_status") == Some("up");
        let down_secs = down_since.and_then(|secs| secs.parse().ok()).unwrap_or_default();
        let role = match field("role")? {
            "master" => ReplicationRole::Master,
            _ => ReplicationRole::Replica {
                synced: up || down_since != Some("-1"),
                down_for: (!up).then(|| Duration::from_secs(down_secs)),
            },
        };
        let history = |name: &str| field(name).filter(|id| id.contains(|c| c != '0')).unwrap_or_default().to_owned();
        let followers = field("connected_slaves").and_then(|count| count.parse().ok()).unwrap_or(0);
        // What a replica has applied, which may be less than what it has received.
        let offset = if role == ReplicationRole::Master { "master_repl_offset" } else { "slave_repl_offset" };
        let offset = field(offset).and_then(|offset| offset.parse().ok()).unwrap_or(0);
        let (history, previous) = (history("master_replid"), history("master_replid2"));
        Some(Self {
            role,
            replication_id: history,
            previous_replication_id: previous,
            connected_replicas: followers,
            offset,
            promotion_seen: false,
            loading: false,
        })
    }

    pub fn is_master(&self) -> bool {
        self.role == ReplicationRole::Master
    }

    /// True if this node's history goes on where `history` ended. A promoted replica's does, but so does that of a
    /// replica that was started again, from a file, as a master.
    pub fn continues_history_of(&self, history: &str) -> bool {
        self.is_master() && !history.is_empty() && self.previous_replication_id == history
    }

    pub fn was_promoted(&self) -> bool {
        !self.previous_replication_id.is_empty()
    }

    /// True if it is certain that it is no restarted replica but one that others, or we, know as promoted.
    pub fn is_confirmed_promotion(&self) -> bool {
        self.promotion_seen || self.connected_replicas > 0
    }

    /// True if it should be written to rather than `now`, which calls itself a master, too, and is alive.
    pub fn supersedes(&self, now: &Self) -> bool {
        if self.continues_history_of(&now.replication_id) {
            return self.is_confirmed_promotion();
        }
        if now.continues_history_of(&self.replication_id) {
            // What `now` branched off from is still there.
            return !now.is_confirmed_promotion();
        }
        // Another one's history counts only against a node that was started anew, and that nobody follows.
        let newer = self.connected_replicas > 0
            || !now.was_promoted()
            || (self.previous_replication_id == now.previous_replication_id && self.offset > now.offset);
        now.connected_replicas == 0 && !now.promotion_seen && self.was_promoted() && newer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(text: &str) -> ReplicationInfo {
        ReplicationInfo::parse(&Value::BulkString(text.as_bytes().to_vec())).expect("an answer")
    }

    #[test]
    fn only_a_replica_whose_link_was_never_up_lacks_its_data() {
        let replica = |text: &str| says(&format!("# Replication\r\nrole:slave\r\n{text}")).role;
        let never = "master_link_status:down\r\nslave_repl_offset:1\r\nmaster_link_down_since_seconds:-1\r\n";
        let down_for = |secs| Some(Duration::from_secs(secs));
        assert_eq!(replica(never), ReplicationRole::Replica { synced: false, down_for: down_for(0) });
        let lost = "master_link_status:down\r\nslave_repl_offset:0\r\nmaster_link_down_since_seconds:3\r\n";
        assert_eq!(replica(lost), ReplicationRole::Replica { synced: true, down_for: down_for(3) });
        let up = "master_link_status:up\r\nslave_repl_offset:0\r\n";
        assert_eq!(replica(up), ReplicationRole::Replica { synced: true, down_for: None });
        let promoted = says("role:master\r\nmaster_replid:ab\r\nmaster_replid2:cd\r\n");
        assert_eq!(
            (promoted.role, &*promoted.replication_id, &*promoted.previous_replication_id),
            (ReplicationRole::Master, "ab", "cd")
        );
        let never = says("role:master\r\nmaster_replid:ab0\r\nmaster_replid2:0000000000000000\r\n");
        assert_eq!((&*never.replication_id, &*never.previous_replication_id), ("ab0", ""));
        assert_eq!(ReplicationInfo::parse(&Value::Nil), None);
    }
}
