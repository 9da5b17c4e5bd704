//! What a node says of its part in replication, and which node a shard's writes go to.
//!
//! Roles are asked, not believed: whoever promotes a replica, be it an operator or a program, the shard follows.

use redis::Value;

/// A node's answer to `INFO replication`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub role: Role,
    /// Names the history of writes that the node's data comes from (`master_replid`).
    history: String,
    /// The history that it followed before it was promoted (`master_replid2`); empty if it never was.
    previous: String,
    /// Replicas that are connected to it.
    followers: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Master,
    Replica {
        /// It has had its master's data. Before that it would report every key as missing.
        synced: bool,
    },
}

impl Standing {
    /// `None` if it is no answer to `INFO`, as for a user who may not ask: nothing is known then.
    pub fn parse(info: &Value) -> Option<Self> {
        let text = match info {
            Value::BulkString(bytes) => String::from_utf8_lossy(bytes),
            Value::VerbatimString { text, .. } => text.into(),
            _ => return None,
        };
        let field = |name: &str| text.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'));
        let synced = field("master_link_status") == Some("up") || field("slave_repl_offset") != Some("0");
        let role = match field("role")? {
            "master" => Role::Master,
            _ => Role::Replica { synced },
        };
        let history = |name: &str| field(name).unwrap_or_default().trim_matches('0').to_owned();
        let followers = field("connected_slaves").and_then(|count| count.parse().ok()).unwrap_or(0);
        Some(Self { role, history: history("master_replid"), previous: history("master_replid2"), followers })
    }

    fn is_master(&self) -> bool {
        self.role == Role::Master
    }

    /// True if this node was promoted while it followed `other`: its history goes on where that one's ended.
    fn succeeds(&self, other: &Self) -> bool {
        self.is_master() && !other.history.is_empty() && self.previous == other.history
    }
}

/// The node that writes go to: `current`, unless it is known to be a replica or to have a successor, or it is gone
/// and another node says that it is a master. A node whose standing is `None` is not reachable or does not tell.
pub fn elect(current: usize, standings: &[Option<Standing>]) -> usize {
    let known = |node: usize| standings.get(node).and_then(Option::as_ref);
    let masters =
        || (0..standings.len()).filter_map(|node| Some((node, known(node)?))).filter(|(_, it)| it.is_master());
    if let Some(now) = known(current).filter(|now| now.is_master()) {
        // One that merely started again, empty and alone, has no claim against one that was promoted and is followed.
        let forsaken = now.followers == 0 && now.previous.is_empty();
        let better =
            |other: &Standing| other.succeeds(now) || (forsaken && !other.previous.is_empty() && other.followers > 0);
        return masters().find(|(_, other)| better(other)).map_or(current, |(node, _)| node);
    }
    let promoted = masters().find(|(_, other)| !other.previous.is_empty());
    promoted.or_else(|| masters().next()).map_or(current, |(node, _)| node)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(text: &str) -> Standing {
        Standing::parse(&Value::BulkString(text.as_bytes().to_vec())).expect("an answer")
    }

    #[expect(clippy::unnecessary_wraps, reason = "an election is among what is known and what is not")]
    fn master(history: &str, previous: &str) -> Option<Standing> {
        Some(Standing { role: Role::Master, history: history.to_owned(), previous: previous.to_owned(), followers: 0 })
    }

    fn followed(standing: Option<Standing>) -> Option<Standing> {
        standing.map(|standing| Standing { followers: 1, ..standing })
    }

    #[expect(clippy::unnecessary_wraps, reason = "an election is among what is known and what is not")]
    fn replica(history: &str) -> Option<Standing> {
        let role = Role::Replica { synced: true };
        Some(Standing { role, history: history.to_owned(), previous: String::new(), followers: 0 })
    }

    #[test]
    fn only_a_replica_without_an_offset_never_synced() {
        let replica = |text: &str| says(&format!("# Replication\r\nrole:slave\r\n{text}")).role;
        assert_eq!(replica("master_link_status:down\r\nslave_repl_offset:0\r\n"), Role::Replica { synced: false });
        assert_eq!(replica("master_link_status:down\r\nslave_repl_offset:47\r\n"), Role::Replica { synced: true });
        assert_eq!(replica("master_link_status:up\r\nslave_repl_offset:0\r\n"), Role::Replica { synced: true });
        let promoted = says("role:master\r\nmaster_replid:ab\r\nmaster_replid2:cd\r\n");
        assert_eq!(Some(promoted), master("ab", "cd"));
        let never = says("role:master\r\nmaster_replid:ab\r\nmaster_replid2:0000000000000000\r\n");
        assert_eq!(Some(never), master("ab", ""));
        assert_eq!(Standing::parse(&Value::Nil), None);
    }

    #[test]
    fn the_master_stays_while_nobody_succeeds_it() {
        assert_eq!(elect(0, &[master("a", ""), replica("a"), replica("a")]), 0);
        assert_eq!(elect(0, &[None, replica("a"), replica("a")]), 0);
        assert_eq!(elect(0, &[None, None]), 0);
        // Somebody else's master is no successor.
        assert_eq!(elect(0, &[master("a", ""), master("x", "y")]), 0);
    }

    #[test]
    fn a_promoted_replica_is_followed() {
        // The old one died, was demoted, or does not know yet.
        assert_eq!(elect(0, &[None, master("b", "a"), replica("a")]), 1);
        assert_eq!(elect(0, &[replica("b"), master("b", "a"), replica("b")]), 1);
        assert_eq!(elect(0, &[master("a", ""), master("b", "a"), replica("a")]), 1);
    }

    #[test]
    fn the_old_master_that_comes_back_is_not_taken_back() {
        assert_eq!(elect(1, &[master("fresh", ""), master("b", "a")]), 1);
        assert_eq!(elect(1, &[master("a", ""), master("b", "a")]), 1);
        // Unless it was promoted again.
        assert_eq!(elect(1, &[master("c", "b"), replica("c")]), 0);
        // An instance that starts now and only knows the file finds the promoted one, too.
        assert_eq!(elect(0, &[master("fresh", ""), followed(master("b", "a"))]), 1);
        assert_eq!(elect(0, &[master("a", ""), master("b", "a")]), 1);
    }
}
