//! What a sentinel answers, and which of its events are of interest.

use crate::types::Address;
use redis::{Pipeline, Value};
use std::time::Duration;

/// Replicas of one master that are taken note of.
const REPLICAS_MAX: usize = 64;

/// After these events a sentinel may answer something else than before.
pub const CHANNELS: [&str; 14] = [
    "+switch-master",
    // On the sentinel that leads a failover: the promotion itself, before the others hear of it.
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
/// Questions about one master.
const QUESTIONS: usize = 3;

/// What a sentinel says of one master.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MasterReply {
    Knows(MasterReport),
    /// It watches no master of that name.
    UnknownName,
    /// It does not tell, which is not about the name.
    Refuses(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterReport {
    pub master: Address,
    /// Rises with every failover; a sentinel that missed one has a lower one than the others.
    pub epoch: u64,
    pub replicas: Vec<Replica>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    pub address: Address,
    /// How long the sentinel has taken it for down; `None` while it does not.
    pub down_for: Option<Duration>,
}

/// Asks about these masters; [`replies`] reads the answers.
pub fn questions<'a>(masters: impl Iterator<Item = &'a str>) -> Pipeline {
    let mut questions = Pipeline::new();
    for master in masters {
        // In this order: a failover between the two may only bring a new address with an old epoch, which wins over
        // nobody, and not an old address with a new epoch.
        questions.cmd("SENTINEL").arg("MASTER").arg(master);
        questions.cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(master);
        questions.cmd("SENTINEL").arg("REPLICAS").arg(master);
    }
    questions
}

/// One for each master that was asked about.
pub fn replies(values: &[Value]) -> Vec<MasterReply> {
    values.chunks(QUESTIONS).map(reply).collect()
}

fn reply(values: &[Value]) -> MasterReply {
    let [master, address, replicas] = values else { return MasterReply::Refuses("an answer is missing".to_owned()) };
    if matches!((master, address), (Value::ServerError(_), Value::Nil)) {
        return MasterReply::UnknownName;
    }
    if let Some(Value::ServerError(error)) = values.iter().find(|value| matches!(value, Value::ServerError(_))) {
        return MasterReply::Refuses(format!("it answered {}: {}", error.code(), error.details().unwrap_or_default()));
    }
    report(master, address, replicas).map_or_else(
        || MasterReply::Refuses("it answered with what a sentinel never answers".to_owned()),
        MasterReply::Knows,
    )
}

fn report(master: &Value, address: &Value, replicas: &Value) -> Option<MasterReport> {
    let Value::Array(place) = address else { return None };
    let [host, port] = &place[..] else { return None };
    let Value::Array(listed) = replicas else { return None };
    Some(MasterReport {
        master: parse_address(&text(host)?, &text(port)?)?,
        epoch: field(master, "config-epoch")?.parse().ok()?,
        replicas: listed.iter().filter_map(replica).take(REPLICAS_MAX).collect(),
    })
}

/// `None` also for one whose address the sentinel does not know yet.
fn replica(fields: &Value) -> Option<Replica> {
    let address = parse_address(&field(fields, "ip")?, &field(fields, "port")?)?;
    let is_down = field(fields, "flags")?.split(',').any(|flag| flag == "s_down" || flag == "o_down");
    let down_ms = field(fields, "s-down-time").and_then(|ms| ms.parse().ok()).unwrap_or_default();
    Some(Replica { address, down_for: is_down.then(|| Duration::from_millis(down_ms)) })
}

fn parse_address(host: &str, port: &str) -> Option<Address> {
    let port = port.parse().ok().filter(|port| *port != 0)?;
    (!host.is_empty()).then(|| Address { host: host.to_owned(), port })
}

/// A field of what is a map in RESP3 and a list of names and values before.
fn field(fields: &Value, name: &str) -> Option<String> {
    let is_it = |key: &Value| text(key).is_some_and(|key| key == name);
    match fields {
        Value::Map(pairs) => pairs.iter().find(|(key, _)| is_it(key)).and_then(|(_, value)| text(value)),
        Value::Array(flat) => flat.chunks_exact(2).find(|pair| is_it(&pair[0])).and_then(|pair| text(&pair[1])),
        _ => None,
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::SimpleString(text) => Some(text.clone()),
        Value::Int(number) => Some(number.to_string()),
        _ => None,
    }
}

/// True if an event is about one of these masters or one of their nodes, or does not tell.
pub fn concerns<'a>(event: &[Value], mut masters: impl Iterator<Item = &'a str>) -> bool {
    let Some(message) = event.last().and_then(text) else { return true };
    masters.any(|master| message.split_whitespace().any(|word| word == master))
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
        let error = redis::parse_redis_value(format!("-{text}\r\n").as_bytes()).expect("it is well formed");
        assert!(matches!(error, Value::ServerError(_)), "{error:?}");
        error
    }

    fn at(port: u16) -> Address {
        Address { host: "10.0.0.1".to_owned(), port }
    }

    #[test]
    fn both_protocols_are_read() {
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
            assert_eq!(replies(&values), [MasterReply::Knows(MasterReport { master: at(9), epoch: 7, replicas })]);
        }
    }

    #[test]
    fn an_unknown_name_is_told_from_a_refusal() {
        let unknown = error("ERR No such master with that name");
        assert_eq!(replies(&[unknown.clone(), Value::Nil, unknown]), [MasterReply::UnknownName]);
        let refused = error("NOPERM this user has no permissions");
        let known = Value::Array(vec![bulk("10.0.0.1"), bulk("1")]);
        assert!(
            matches!(&replies(&[refused.clone(), known, refused])[0], MasterReply::Refuses(why) if why.contains("NOPERM"))
        );
        let nonsense = [Value::Okay, Value::Okay, Value::Okay];
        assert!(matches!(replies(&nonsense)[0], MasterReply::Refuses(_)));
    }

    #[test]
    fn names_of_hosts_are_addresses_too() {
        let values = [map("config-epoch 0"), flat("redis-0.redis 6379"), Value::Array(Vec::new())];
        let MasterReply::Knows(report) = &replies(&values)[0] else { panic!("{values:?}") };
        assert_eq!(report.master.to_string(), "redis-0.redis:6379");
    }

    #[test]
    fn events_of_other_masters_are_of_no_interest() {
        let event = |message: &str| [bulk("+sdown"), bulk(message)];
        let names = || ["m", "n"].into_iter();
        assert!(concerns(&event("m 10.0.0.1 1 10.0.0.1 2"), names()));
        assert!(concerns(&event("slave 10.0.0.1:2 10.0.0.1 2 @ n 10.0.0.1 1"), names()));
        assert!(!concerns(&event("slave 10.0.0.1:2 10.0.0.1 2 @ other 10.0.0.1 1"), names()));
    }
}
