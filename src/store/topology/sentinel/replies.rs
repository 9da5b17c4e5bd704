//! Commands to a sentinel, its replies, and its events.

use crate::{
    store::{error::NodeError, protocol::server_text::is_host},
    types::Address,
};
use redis::{Pipeline, Value};
use std::time::Duration;

/// Maximum number of replicas that are read from one reply.
const REPLICAS_MAX: usize = 64;

/// The events after which the replies of a sentinel may be different.
pub const CHANNELS: [&str; 15] = [
    "+switch-master",
    // The leader of a failover sends this one when it has told the replica to become the master.
    "+failover-state-wait-promotion",
    // The sentinel that leads a failover sends this one at the promotion itself, before the other sentinels know of it.
    "+promoted-slave",
    "+failover-end",
    "+config-update-from",
    "+reset-master",
    "+monitor",
    "-monitor",
    "+slave",
    "+convert-to-slave",
    "+reboot",
    "+sdown",
    "-sdown",
    "+odown",
    "-odown",
];
/// Number of commands for each master.
const COMMANDS_PER_MASTER: usize = 3;

/// The reply of a sentinel about one master.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MasterReply {
    /// The sentinel monitors the master.
    Report(MasterReport),
    /// The sentinel monitors no master of that name.
    UnknownName,
    /// The sentinel refused a command, or its reply cannot be read. The text says why.
    Error(String),
}

/// The state of a master as one sentinel reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterReport {
    /// The address of the master.
    pub master: Address,
    /// The configuration epoch. It rises with every failover; a sentinel that missed one reports a lower epoch.
    pub epoch: u64,
    /// The replicas of the master.
    pub replicas: Vec<Replica>,
}

/// A replica as one sentinel reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    /// The address of the replica.
    pub address: Address,
    /// The time for which the sentinel has considered the replica down; `None` if it is up.
    pub down_for: Option<Duration>,
}

/// Returns the commands that ask about these masters. [`parse`] reads the replies.
pub fn commands<'a>(masters: impl Iterator<Item = &'a str>) -> Pipeline {
    let mut commands = Pipeline::new();
    for master in masters {
        // The order matters if a failover happens in between: a new address with an old epoch has no effect, while an
        // old address with a new epoch would win.
        commands.cmd("SENTINEL").arg("MASTER").arg(master);
        commands.cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(master);
        commands.cmd("SENTINEL").arg("REPLICAS").arg(master);
    }
    commands
}

/// Parses the replies to [`commands`]: one for each master.
pub fn parse(values: &[Value]) -> Vec<MasterReply> {
    values.chunks(COMMANDS_PER_MASTER).map(parse_reply).collect()
}

fn parse_reply(values: &[Value]) -> MasterReply {
    let [master, address, replicas] = values else { return MasterReply::Error("a reply is missing".to_owned()) };
    if matches!((master, address), (Value::ServerError(_), Value::Nil)) {
        return MasterReply::UnknownName;
    }
    if let Some(Value::ServerError(error)) = values.iter().find(|value| matches!(value, Value::ServerError(_))) {
        return MasterReply::Error(NodeError::from(error).to_string());
    }
    parse_report(master, address, replicas)
        .map_or_else(|| MasterReply::Error("its reply cannot be read".to_owned()), MasterReply::Report)
}

fn parse_report(master: &Value, address: &Value, replicas: &Value) -> Option<MasterReport> {
    let Value::Array(host_and_port) = address else { return None };
    let [host, port] = &host_and_port[..] else { return None };
    let Value::Array(listed) = replicas else { return None };
    Some(MasterReport {
        master: parse_address(&text(host)?, &text(port)?)?,
        epoch: field(master, "config-epoch")?.parse().ok()?,
        replicas: listed.iter().filter_map(parse_replica).take(REPLICAS_MAX).collect(),
    })
}

/// Parses the fields of a replica; `None` also for a replica whose address the sentinel does not know yet.
fn parse_replica(fields: &Value) -> Option<Replica> {
    let address = parse_address(&field(fields, "ip")?, &field(fields, "port")?)?;
    let is_down = field(fields, "flags")?.split(',').any(|flag| flag == "s_down" || flag == "o_down");
    let down_ms = field(fields, "s-down-time").and_then(|ms| ms.parse().ok()).unwrap_or_default();
    Some(Replica { address, down_for: is_down.then(|| Duration::from_millis(down_ms)) })
}

fn parse_address(host: &str, port: &str) -> Option<Address> {
    let port = port.parse().ok().filter(|port| *port != 0)?;
    is_host(host).then(|| Address { host: host.to_owned(), port })
}

/// Returns a field of an object, which is a map in RESP3 and an alternating list of names and values in RESP2.
fn field(fields: &Value, name: &str) -> Option<String> {
    let (_, value) = match fields {
        Value::Map(pairs) => pairs.iter().map(|(key, value)| (key, value)).find(|(key, _)| is_text(key, name))?,
        Value::Array(flat) => {
            flat.chunks_exact(2).map(|pair| (&pair[0], &pair[1])).find(|(key, _)| is_text(key, name))?
        }
        _ => return None,
    };
    text(value)
}

fn is_text(value: &Value, expected: &str) -> bool {
    text(value).is_some_and(|text| text == expected)
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::SimpleString(text) => Some(text.clone()),
        Value::Int(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Returns true if an event concerns one of these masters or one of their nodes, or if it names nothing.
pub fn concerns<'a>(event: &[Value], mut masters: impl Iterator<Item = &'a str>) -> bool {
    let Some(message) = event.last().and_then(text) else { return true };
    masters.any(|master| message.split_whitespace().any(|word| word == master))
}

/// Returns the addresses that an event names.
pub fn named_addresses(event: &[Value]) -> Vec<Address> {
    let message = event.last().and_then(text).unwrap_or_default();
    let words: Vec<&str> = message.split_whitespace().collect();
    words.windows(2).filter_map(|pair| parse_address(pair[0], pair[1])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn flat(fields: &str) -> Value {
        Value::Array(fields.split(' ').map(bulk).collect())
    }

    fn map(fields: &str) -> Value {
        let words: Vec<&str> = fields.split(' ').collect();
        Value::Map(words.chunks_exact(2).map(|pair| (bulk(pair[0]), bulk(pair[1]))).collect())
    }

    fn error(text: &str) -> Value {
        let error = redis::parse_redis_value(format!("-{text}\r\n").as_bytes()).expect("the value is well-formed");
        assert!(matches!(error, Value::ServerError(_)), "{error:?}");
        error
    }

    fn at(port: u16) -> Address {
        Address { host: "10.0.0.1".to_owned(), port }
    }

    #[test]
    fn replies_of_both_protocol_versions_are_parsed() {
        for fields in [flat, map] {
            let replicas = Value::Array(vec![
                fields("name x ip 10.0.0.1 port 2 flags slave"),
                fields("name y ip 10.0.0.1 port 3 flags s_down,slave,disconnected s-down-time 1500"),
                fields("name z ip 10.0.0.1 port 0 flags slave"),
            ]);
            let values = [fields("name m ip 10.0.0.1 port 1 config-epoch 7"), flat("10.0.0.1 9"), replicas];
            let replicas = vec![
                Replica { address: at(2), down_for: None },
                Replica { address: at(3), down_for: Some(Duration::from_millis(1500)) },
            ];
            assert_eq!(parse(&values), [MasterReply::Report(MasterReport { master: at(9), epoch: 7, replicas })]);
        }
    }

    #[test]
    fn an_unknown_name_differs_from_an_error() {
        let unknown = error("ERR No such master with that name");
        assert_eq!(parse(&[unknown.clone(), Value::Nil, unknown]), [MasterReply::UnknownName]);
        let refused = error("NOPERM this user has no permissions");
        let known = Value::Array(vec![bulk("10.0.0.1"), bulk("1")]);
        let refusals = parse(&[refused.clone(), known, refused]);
        assert!(matches!(&refusals[0], MasterReply::Error(why) if why.contains("NOPERM")), "{refusals:?}");
        let renamed = error("ERR unknown command 'SENTINEL', with args beginning with: 'MASTER' 'the-name' ");
        let refusals = parse(&[renamed.clone(), renamed.clone(), renamed]);
        assert!(
            matches!(&refusals[0], MasterReply::Error(why) if why.ends_with("unknown command 'SENTINEL'")),
            "{refusals:?}"
        );
        let nonsense = [Value::Okay, Value::Okay, Value::Okay];
        assert!(matches!(parse(&nonsense)[0], MasterReply::Error(_)));
    }

    #[test]
    fn host_names_are_addresses_too() {
        let values = [map("config-epoch 0"), flat("redis-0.redis 6379"), Value::Array(Vec::new())];
        let MasterReply::Report(report) = &parse(&values)[0] else { panic!("{values:?}") };
        assert_eq!(report.master.to_string(), "redis-0.redis:6379");
    }

    #[test]
    fn only_events_of_monitored_masters_are_relevant() {
        for (message, is_relevant) in [
            ("m 10.0.0.1 1 10.0.0.1 2", true),
            ("slave 10.0.0.1:2 10.0.0.1 2 @ n 10.0.0.1 1", true),
            ("slave 10.0.0.1:2 10.0.0.1 2 @ other 10.0.0.1 1", false),
        ] {
            assert_eq!(concerns(&[bulk("+sdown"), bulk(message)], ["m", "n"].into_iter()), is_relevant, "{message}");
        }
    }

    #[test]
    fn the_addresses_in_an_event_are_those_of_its_nodes() {
        for (message, nodes) in [
            ("m 10.0.0.1 1 10.0.0.1 2", vec![at(1), at(2)]),
            ("slave 10.0.0.1:2 10.0.0.1 2 @ m 10.0.0.1 1", vec![at(2), at(1)]),
            ("", Vec::new()),
        ] {
            assert_eq!(named_addresses(&[bulk("+event"), bulk(message)]), nodes, "{message}");
        }
    }
}
