//! The permissions of the service's user at a node. Each command is sent in a form that changes nothing.

use crate::store::protocol::{refusal::ServerRefusal, reply::ReplyError};
use redis::{Pipeline, Value};

/// A permission as ACL rules have it, and the command that needs it.
type Permission = (&'static str, &'static [&'static str]);

/// The place of the key in a command.
const KEY: &str = "{key}";

/// The commands that every node is sent.
const NODE: [Permission; 17] = [
    ("+get", &["GET", KEY]),
    // Only a key that exists would be written, and this one does not.
    ("+set", &["SET", KEY, "", "XX", "PX", "1"]),
    ("+unlink", &["UNLINK", KEY]),
    ("+pttl", &["PTTL", KEY]),
    ("+info", &["INFO", "replication"]),
    ("+ping", &["PING"]),
    ("+wait", &["WAIT", "0", "0"]),
    ("+client|tracking", &["CLIENT", "TRACKING", "ON", "OPTIN"]),
    ("+client|caching", &["CLIENT", "CACHING", "YES"]),
    ("+getex", &["GETEX", KEY, "PERSIST"]),
    ("+expire", &["EXPIRE", KEY, "1"]),
    ("+persist", &["PERSIST", KEY]),
    ("+exists", &["EXISTS", KEY]),
    ("+del", &["DEL", KEY]),
    // It is no number, so that nothing is added.
    ("+incrby", &["INCRBY", KEY, "x"]),
    ("+time", &["TIME"]),
    ("+eval", &["EVAL", "return 1", "0"]),
];

/// The commands that a node of a Redis Cluster is sent as well.
const CLUSTER_NODE: [Permission; 5] = [
    ("+cluster|slots", &["CLUSTER", "SLOTS"]),
    ("+cluster|nodes", &["CLUSTER", "NODES"]),
    ("+readonly", &["READONLY"]),
    ("+readwrite", &["READWRITE"]),
    ("+asking", &["ASKING"]),
];

/// Returns the permissions that the service needs at a node.
pub fn needed(in_cluster: bool) -> impl Iterator<Item = &'static Permission> {
    NODE.iter().chain(CLUSTER_NODE.iter().filter(move |_| in_cluster))
}

/// Adds a command for each permission.
pub fn add_commands(commands: &mut Pipeline, in_cluster: bool, key: &str) {
    for (_, words) in needed(in_cluster) {
        let (command, arguments) = words.split_first().expect("each command has a name");
        commands.cmd(command);
        for argument in arguments {
            commands.arg(if *argument == KEY { key } else { argument });
        }
    }
}

/// Returns the problems that the replies show, each as a sentence about the node.
pub fn problems(replies: &[Value], in_cluster: bool) -> Vec<String> {
    let (mut missing, mut unknown, mut keys) = (Vec::new(), Vec::new(), false);
    for ((permission, words), reply) in needed(in_cluster).zip(replies) {
        let Value::ServerError(error) = reply else { continue };
        match ReplyError::from(error) {
            ReplyError::Refused { refusal: ServerRefusal::NoPermission, detail } => {
                // Redis writes "to run the 'get' command", or "to access one of the keys", or "to access the 'k' key".
                if detail.as_str().contains(" to access ") {
                    keys = true;
                } else {
                    missing.push(*permission);
                }
            }
            ReplyError::Refused { refusal: ServerRefusal::Generic, detail }
                if detail.as_str().starts_with("unknown command") =>
            {
                unknown.push(words[0]);
            }
            _ => {}
        }
    }
    let missing = (!missing.is_empty())
        .then(|| format!("the user lacks the permissions {}: add them with ACL SETUSER", missing.join(" ")));
    let keys = keys.then(|| "the user may not use the keys that clients write: give it the pattern ~*".to_owned());
    let unknown =
        (!unknown.is_empty()).then(|| format!("it does not know {}: is the command renamed?", unknown.join(", ")));
    missing.into_iter().chain(keys).chain(unknown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_commands_and_of_keys_differ() {
        let refused = |text: &str| redis::parse_redis_value(format!("-{text}\r\n").as_bytes()).expect("a reply");
        let mut replies = vec![Value::Nil; NODE.len()];
        assert!(problems(&replies, false).is_empty());
        replies[3] = refused("NOPERM User cachefront has no permissions to access the 'k' key");
        assert!(problems(&replies, false)[0].contains("~*"));
        replies[0] = refused("NOPERM this user has no permissions to access one of the keys used as arguments");
        replies[6] = refused("NOPERM this user has no permissions to run the 'wait' command");
        replies[8] = refused("NOPERM this user has no permissions to run the 'client|caching' command");
        replies[1] = refused("ERR unknown command 'SET', with args beginning with: 'k' ");
        replies[2] = refused("READONLY You can't write against a read only replica.");
        let found = problems(&replies, false);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].contains("permissions +wait +client|caching:") && found[1].contains("~*"), "{found:?}");
        assert!(found[2].contains("know SET:"), "{found:?}");
    }
}
