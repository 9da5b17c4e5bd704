//! What a node says of its part in replication, and which node a shard's writes go to.
//!
//! Roles are asked, not believed: whoever promotes a replica, be it an operator or a program, the shard follows.

use redis::Value;
use std::time::Duration;

/// A node's answer to `INFO replication`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub role: Role,
    /// Names the history of writes that the node's data comes from (`master_replid`).
    pub history: String,
    /// The history that it followed before it was promoted (`master_replid2`); empty if it never was.
    previous: String,
    /// Replicas that are connected to it.
    pub followers: u32,
    /// How far it has come in its history.
    pub offset: u64,
    /// It was seen to turn from a replica into a master, without having been restarted in between.
    pub promotion_seen: bool,
    /// It is still reading its data from its file and refuses commands: what it says of its history does not count yet.
    pub loading: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Master,
    Replica {
        /// It has had its master's data. Before that it would report every key as missing.
        synced: bool,
        /// How long it has been out of touch with its master; `None` while it is in touch.
        down_for: Option<Duration>,
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
        let down_since = field("master_link_down_since_seconds");
        let up = field("master_link_status") == Some("up");
        let down_secs = down_since.and_then(|secs| secs.parse().ok()).unwrap_or_default();
        let role = match field("role")? {
            "master" => Role::Master,
            _ => Role::Replica {
                synced: up || down_since != Some("-1"),
                down_for: (!up).then(|| Duration::from_secs(down_secs)),
            },
        };
        let history = |name: &str| field(name).filter(|id| id.contains(|c| c != '0')).unwrap_or_default().to_owned();
        let followers = field("connected_slaves").and_then(|count| count.parse().ok()).unwrap_or(0);
        // What a replica has applied, which may be less than what it has received.
        let offset = if role == Role::Master { "master_repl_offset" } else { "slave_repl_offset" };
        let offset = field(offset).and_then(|offset| offset.parse().ok()).unwrap_or(0);
        let (history, previous) = (history("master_replid"), history("master_replid2"));
        Some(Self { role, history, previous, followers, offset, promotion_seen: false, loading: false })
    }

    fn is_master(&self) -> bool {
        self.role == Role::Master
    }

    /// True if this node's history goes on where `history` ended. A promoted replica's does, but so does that of a
    /// replica that was started again, from a file, as a master.
    fn continues(&self, history: &str) -> bool {
        self.is_master() && !history.is_empty() && self.previous == history
    }

    fn was_promoted(&self) -> bool {
        !self.previous.is_empty()
    }

    /// True if it is certain that it is no restarted replica but one that others, or we, know as promoted.
    fn is_acknowledged(&self) -> bool {
        self.promotion_seen || self.followers > 0
    }

    /// True if it should be written to rather than `now`, which calls itself a master, too, and is alive.
    fn supersedes(&self, now: &Self) -> bool {
        if self.continues(&now.history) {
            return self.is_acknowledged();
        }
        if now.continues(&self.history) {
            // What `now` branched off from is still there.
            return !now.is_acknowledged();
        }
        // Another one's history counts only against a node that was started anew, and that nobody follows.
        let newer =
            self.followers > 0 || !now.was_promoted() || (self.previous == now.previous && self.offset > now.offset);
        now.followers == 0 && !now.promotion_seen && self.was_promoted() && newer
    }
}

/// What is known of the node that writes go to, besides its standing.
#[derive(Clone, Copy)]
pub struct Incumbent<'a> {
    pub node: usize,
    /// The history that it was last known to write, empty if it was never seen.
    pub history: &'a str,
    /// It cannot be connected to.
    pub is_down: bool,
}

/// The node that writes go to: the incumbent, unless there is proof that another one took over.
///
/// A node whose standing is `None` is not reachable or does not tell. A node that merely calls itself a master proves
/// nothing: it may have been started alone, or again, and be empty or old.
pub fn elect(incumbent: Incumbent<'_>, standings: &[Option<Standing>]) -> usize {
    let Incumbent { node: current, history, is_down } = incumbent;
    let known = |node: usize| standings.get(node).and_then(Option::as_ref);
    let others = || (0..standings.len()).filter(|node| *node != current).filter_map(|node| Some((node, known(node)?)));
    let find = |proves: &dyn Fn(&Standing) -> bool| {
        others().find(|(_, other)| other.is_master() && proves(other)).map(|(node, _)| node)
    };
    let elected = match known(current) {
        Some(now) if now.is_master() => find(&|other| other.supersedes(now)),
        // Demoted: whom it follows is the master.
        Some(now) => find(&|other| other.history == now.history).or_else(|| find(&|other| other.continues(history))),
        // Several promotions may have passed unseen; then those who follow tell.
        None => find(&|other| other.was_promoted() && other.is_acknowledged()).or_else(|| {
            find(&|other| is_down && (other.continues(history) || (history.is_empty() && other.was_promoted())))
        }),
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
    fn with(role: Role, history: &str, previous: &str) -> Option<Standing> {
        let (history, previous) = (history.to_owned(), previous.to_owned());
        Some(Standing { role, history, previous, followers: 0, offset: 0, promotion_seen: false, loading: false })
    }

    fn master(history: &str, previous: &str) -> Option<Standing> {
        with(Role::Master, history, previous)
    }

    fn replica(history: &str) -> Option<Standing> {
        with(Role::Replica { synced: true, down_for: None }, history, "")
    }

    fn followed(standing: Option<Standing>) -> Option<Standing> {
        standing.map(|standing| Standing { followers: 1, ..standing })
    }

    fn seen(standing: Option<Standing>) -> Option<Standing> {
        standing.map(|standing| Standing { promotion_seen: true, ..standing })
    }

    /// The election when nothing is known to be down.
    fn elect(node: usize, history: &str, standings: &[Option<Standing>]) -> usize {
        super::elect(Incumbent { node, history, is_down: false }, standings)
    }

    fn elect_without(node: usize, history: &str, standings: &[Option<Standing>]) -> usize {
        super::elect(Incumbent { node, history, is_down: true }, standings)
    }

    #[test]
    fn only_a_replica_whose_link_was_never_up_lacks_its_data() {
        let replica = |text: &str| says(&format!("# Replication\r\nrole:slave\r\n{text}")).role;
        let never = "master_link_status:down\r\nslave_repl_offset:1\r\nmaster_link_down_since_seconds:-1\r\n";
        let down_for = |secs| Some(Duration::from_secs(secs));
        assert_eq!(replica(never), Role::Replica { synced: false, down_for: down_for(0) });
        let lost = "master_link_status:down\r\nslave_repl_offset:0\r\nmaster_link_down_since_seconds:3\r\n";
        assert_eq!(replica(lost), Role::Replica { synced: true, down_for: down_for(3) });
        let up = "master_link_status:up\r\nslave_repl_offset:0\r\n";
        assert_eq!(replica(up), Role::Replica { synced: true, down_for: None });
        let promoted = says("role:master\r\nmaster_replid:ab\r\nmaster_replid2:cd\r\n");
        assert_eq!(Some(promoted), master("ab", "cd"));
        let never = says("role:master\r\nmaster_replid:ab0\r\nmaster_replid2:0000000000000000\r\n");
        assert_eq!(Some(never), master("ab0", ""));
        assert_eq!(Standing::parse(&Value::Nil), None);
    }

    #[test]
    fn the_master_stays_while_nobody_proves_to_have_taken_over() {
        assert_eq!(elect(0, "a", &[master("a", ""), replica("a"), replica("a")]), 0);
        assert_eq!(elect_without(0, "a", &[None, replica("a"), replica("a")]), 0);
        assert_eq!(elect_without(0, "", &[None, None]), 0);
        // Somebody else's master is no successor while this one is followed.
        assert_eq!(elect(0, "a", &[followed(master("a", "")), master("x", "y"), replica("a")]), 0);
    }

    #[test]
    fn a_node_that_was_started_alone_is_never_elected() {
        assert_eq!(elect_without(0, "", &[None, master("x", ""), None]), 0);
        assert_eq!(elect_without(0, "a", &[None, master("x", ""), replica("a")]), 0);
        assert_eq!(elect(0, "a", &[master("a", ""), master("x", ""), replica("a")]), 0);
    }

    #[test]
    fn a_replica_that_was_started_again_as_a_master_is_not_taken_for_promoted() {
        // Its file says whose history it had, as a promoted one's would.
        assert_eq!(elect(0, "a", &[followed(master("a", "")), master("c", "a"), replica("a")]), 0);
        assert_eq!(elect(0, "a", &[master("a", ""), master("c", "a")]), 0);
        // While the master is merely out of touch, nor when it comes back later than the other.
        assert_eq!(elect(0, "a", &[None, master("c", "a"), replica("a")]), 0);
        assert_eq!(elect(1, "c", &[master("a", ""), master("c", "a")]), 0);
    }

    #[test]
    fn a_promoted_replica_is_followed() {
        // The old one died, was demoted, or does not know yet.
        assert_eq!(elect_without(0, "a", &[None, master("b", "a"), replica("a")]), 1);
        assert_eq!(elect(0, "a", &[None, seen(master("b", "a")), replica("a")]), 1);
        assert_eq!(elect(0, "a", &[replica("b"), master("b", "a"), replica("b")]), 1);
        assert_eq!(elect(0, "a", &[master("a", ""), seen(master("b", "a")), replica("a")]), 1);
        assert_eq!(elect(0, "a", &[master("a", ""), followed(master("b", "a")), replica("b")]), 1);
        // Promoted twice while nobody looked.
        assert_eq!(elect(0, "a", &[None, followed(master("c", "b")), replica("c")]), 1);
        assert_eq!(elect_without(0, "a", &[None, master("y", "x"), replica("a")]), 0);
    }

    #[test]
    fn the_old_master_that_comes_back_is_not_taken_back() {
        assert_eq!(elect(1, "b", &[master("fresh", ""), master("b", "a")]), 1);
        assert_eq!(elect(1, "b", &[master("a", ""), seen(master("b", "a"))]), 1);
        // From its file, so that its history seems to go on where the old one ended.
        assert_eq!(elect(1, "b", &[master("fresh", "a"), followed(master("b", "a"))]), 1);
        assert_eq!(elect(1, "b", &[master("a", ""), None]), 1);
        // Unless it was promoted again.
        assert_eq!(elect(1, "b", &[seen(master("c", "b")), replica("c")]), 0);
    }

    #[test]
    fn an_instance_that_starts_after_a_failover_finds_the_promoted_node() {
        assert_eq!(elect(0, "fresh", &[master("fresh", ""), followed(master("b", "a"))]), 1);
        assert_eq!(elect(0, "fresh", &[master("fresh", ""), master("b", "a")]), 1);
        assert_eq!(elect(0, "fresh", &[master("fresh", "a"), followed(master("b", "a"))]), 1);
        let further = master("b", "a").map(|standing| Standing { offset: 9, ..standing });
        assert_eq!(elect(0, "fresh", &[master("fresh", "a"), further]), 1);
        assert_eq!(elect_without(0, "", &[None, master("b", "a")]), 1);
        assert_eq!(elect(0, "", &[None, followed(master("b", "a"))]), 1);
    }
}
