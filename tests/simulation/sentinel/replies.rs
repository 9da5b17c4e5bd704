//! The replies of a sentinel, and its events.

use super::MASTER_NAME;
use crate::{redis::resp, world::World};
use cachefront::types::Address;

/// Returns the host and the port of a node, as events have them.
pub(super) fn address(node: &Address) -> String {
    format!("{} {}", node.host, node.port)
}

impl World {
    /// Publishes an event about a node, as sentinels describe it.
    pub(super) fn publish_about(&mut self, event: &str, number: usize, node: usize) {
        let master = self.sentinel(number).config.0;
        let (Address { host, port }, of_master) = (&self.nodes[node].address, address(&self.nodes[master].address));
        let text = if node == master {
            format!("master {MASTER_NAME} {of_master}")
        } else {
            format!("slave {host}:{port} {host} {port} @ {MASTER_NAME} {of_master}")
        };
        self.publish(number, event, &text);
    }

    pub(super) fn publish(&mut self, number: usize, event: &str, text: &str) {
        self.note(&format!("sentinel {number}: {event} {text}"));
        for connection in self.sentinel(number).subscribers.clone() {
            if self.network.connections[connection].session.is_some() {
                let message = resp::push([resp::bulk("message"), resp::bulk(event), resp::bulk(text)]);
                self.send_to_instance(connection, message);
            } else {
                self.sentinel(number).subscribers.remove(&connection);
            }
        }
    }

    /// Runs a command of a client of a sentinel.
    pub fn run_sentinel_command(&mut self, connection: usize, name: &str, arguments: &[String]) -> Vec<u8> {
        let number = self.network.connections[connection].node;
        match (name, arguments.first().map(|word| word.to_ascii_uppercase()).as_deref()) {
            ("SUBSCRIBE", _) => {
                self.sentinel(number).subscribers.insert(connection);
                let confirmed = arguments.iter().zip(1..).flat_map(|(channel, count)| {
                    resp::push([resp::bulk("subscribe"), resp::bulk(channel), resp::integer(count)])
                });
                confirmed.collect()
            }
            ("SENTINEL", Some("MASTER")) => self.describe_master(number),
            ("SENTINEL", Some("GET-MASTER-ADDR-BY-NAME")) => {
                let master = self.sentinel(number).reported_master();
                let Address { host, port } = &self.nodes[master].address;
                resp::array([resp::bulk(host), resp::bulk(&port.to_string())])
            }
            ("SENTINEL", Some("REPLICAS")) => self.describe_replicas(number),
            _ => resp::error(&format!("ERR unknown command '{name}'")),
        }
    }

    fn describe_master(&mut self, number: usize) -> Vec<u8> {
        let (master, epoch) = self.sentinel(number).config;
        let Address { host, port } = &self.nodes[master].address;
        fields(&[
            ("name", MASTER_NAME.to_owned()),
            ("ip", host.clone()),
            ("port", port.to_string()),
            ("flags", "master".to_owned()),
            ("config-epoch", epoch.to_string()),
        ])
    }

    fn describe_replicas(&mut self, number: usize) -> Vec<u8> {
        let now = self.now;
        let (master, down) = (self.sentinel(number).config.0, self.sentinel(number).down.clone());
        let replicas = self.watched().into_iter().filter(|node| *node != master);
        let described = replicas.map(|node| {
            let Address { host, port } = &self.nodes[node].address;
            let flags = if down.contains_key(&node) { "s_down,slave,disconnected" } else { "slave" };
            fields(&[
                ("ip", host.clone()),
                ("port", port.to_string()),
                ("flags", flags.to_owned()),
                ("s-down-time", down.get(&node).map_or(0, |since| now - since).to_string()),
            ])
        });
        resp::array(described.collect::<Vec<_>>())
    }
}

/// Returns an object as a list of names and values.
fn fields(fields: &[(&str, String)]) -> Vec<u8> {
    resp::array(fields.iter().flat_map(|(name, value)| [resp::bulk(name), resp::bulk(value)]))
}
