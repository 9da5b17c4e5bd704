//! What a node says of its part in replication, and which node a shard's writes go to.
//!
//! Roles are asked, not believed: whoever promotes a replica, be it an operator or a program, the shard follows.

use redis::Value;

/// A node's answer to `INFO replication`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub role: Role,
    /// Names the history of writes that the node's data comes from (`master_replid`).
    pub history: String,
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
        // Redis tells since when a link is down, and -1 as long as it never was up.
        let never_up = field("master_link_down_since_seconds") == Some("-1");
        let synced = field("master_link_status") == Some("up") || !never_up;
        let role = match field("role")? {
            "master" => Role::Master,
            _ => Role::Replica { synced },
        };
        let history = |name: &str| field(name).filter(|id| id.contains(|c| c != '0')).unwrap_or_default().to_owned();
        let followers = field("connected_slaves").and_then(|count| count.parse().ok()).unwrap_or(0);
        Some(Self { role, history: history("master_replid"), previous: history("master_replid2"), followers })
    }

    fn is_master(&self) -> bool {
        self.role == Role::Master
    }

    /// True if this node was promoted while it followed `history`: its own goes on where that one ended.
    fn succeeds(&self, history: &str) -> bool {
        self.is_master() && !history.is_empty() && self.previous == history
    }

    fn was_promoted(&self) -> bool {
        !self.previous.is_empty()
    }
}

/// The node that writes go to: `current`, unless there is proof that another one took over.
///
/// `history` is the one that the master was last known to write, empty if it was never seen. A node whose standing
/// is `None` is not reachable or does not tell. A node that merely calls itself a master proves nothing: it may
/// have been started alone, or again, and be empty.
pub fn elect(current: usize, history: &str, standings: &[Option<Standing>]) -> usize {
    let known = |node: usize| standings.get(node).and_then(Option::as_ref);
    let others = || (0..standings.len()).filter(|node| *node != current).filter_map(|node| Some((node, known(node)?)));
    let find = |proves: &dyn Fn(&Standing) -> bool| {
        others().find(|(_, other)| other.is_master() && proves(other)).map(|(node, _)| node)
    };
    let followed = |other: &Standing| others().any(|(_, it)| !it.is_master() && it.history == other.history);
    let elected = match known(current) {
        Some(now) if now.is_master() => {
            // One that started again, empty and alone, has no claim against one that was promoted.
            let forsaken = now.followers == 0 && !now.was_promoted();
            let taken_over = |other: &Standing| other.succeeds(&now.history) || other.succeeds(history);
            find(&taken_over).or_else(|| forsaken.then(|| find(&Standing::was_promoted)).flatten())
        }
        // Demoted: whom it follows is the master.
        Some(now) => find(&|other| other.history == now.history || other.succeeds(history)),
        None if history.is_empty() => find(&Standing::was_promoted),
        // Several promotions may have passed unseen; then the other replicas tell.
        None => find(&|other| other.succeeds(history) || (other.was_promoted() && followed(other))),
    };
    elected.unwrap_or(current)
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
    fn only_a_replica_whose_link_was_never_up_lacks_its_data() {
        let replica = |text: &str| says(&format!("# Replication\r\nrole:slave\r\n{text}")).role;
        let never = "master_link_status:down\r\nslave_repl_offset:1\r\nmaster_link_down_since_seconds:-1\r\n";
        assert_eq!(replica(never), Role::Replica { synced: false });
        let lost = "master_link_status:down\r\nslave_repl_offset:0\r\nmaster_link_down_since_seconds:3\r\n";
        assert_eq!(replica(lost), Role::Replica { synced: true });
        assert_eq!(replica("master_link_status:up\r\nslave_repl_offset:0\r\n"), Role::Replica { synced: true });
        let promoted = says("role:master\r\nmaster_replid:ab\r\nmaster_replid2:cd\r\n");
        assert_eq!(Some(promoted), master("ab", "cd"));
        let never = says("role:master\r\nmaster_replid:ab0\r\nmaster_replid2:0000000000000000\r\n");
        assert_eq!(Some(never), master("ab0", ""));
        assert_eq!(Standing::parse(&Value::Nil), None);
    }

    #[test]
    fn the_master_stays_while_nobody_proves_to_have_taken_over() {
        assert_eq!(elect(0, "a", &[master("a", ""), replica("a"), replica("a")]), 0);
        assert_eq!(elect(0, "a", &[None, replica("a"), replica("a")]), 0);
        assert_eq!(elect(0, "", &[None, None]), 0);
        // Somebody else's master is no successor while this one is followed.
        assert_eq!(elect(0, "a", &[followed(master("a", "")), master("x", "y"), replica("a")]), 0);
    }

    #[test]
    fn a_node_that_was_started_alone_is_never_elected() {
        assert_eq!(elect(0, "", &[None, master("x", ""), None]), 0);
        assert_eq!(elect(0, "a", &[None, master("x", ""), replica("a")]), 0);
        assert_eq!(elect(0, "a", &[master("a", ""), master("x", ""), replica("a")]), 0);
    }

    #[test]
    fn a_promoted_replica_is_followed() {
        // The old one died, was demoted, or does not know yet.
        assert_eq!(elect(0, "a", &[None, master("b", "a"), replica("a")]), 1);
        assert_eq!(elect(0, "a", &[replica("b"), master("b", "a"), replica("b")]), 1);
        assert_eq!(elect(0, "a", &[master("a", ""), master("b", "a"), replica("a")]), 1);
        // Promoted twice while nobody looked.
        assert_eq!(elect(0, "a", &[None, master("c", "b"), replica("c")]), 1);
        assert_eq!(elect(0, "a", &[None, master("y", "x"), replica("a")]), 0);
    }

    #[test]
    fn the_old_master_that_comes_back_is_not_taken_back() {
        assert_eq!(elect(1, "b", &[master("fresh", ""), master("b", "a")]), 1);
        assert_eq!(elect(1, "b", &[master("a", ""), master("b", "a")]), 1);
        assert_eq!(elect(1, "b", &[master("a", ""), None]), 1);
        // Unless it was promoted again.
        assert_eq!(elect(1, "b", &[master("c", "b"), replica("c")]), 0);
        // An instance that starts now and only knows the file finds the promoted one, too, followed or not.
        assert_eq!(elect(0, "", &[master("fresh", ""), followed(master("b", "a"))]), 1);
        assert_eq!(elect(0, "", &[master("fresh", ""), master("b", "a")]), 1);
        assert_eq!(elect(0, "", &[master("a", ""), master("b", "a")]), 1);
        assert_eq!(elect(0, "", &[None, master("b", "a")]), 1);
    }
}
