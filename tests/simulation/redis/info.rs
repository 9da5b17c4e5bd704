//! The answers of a node about itself: `INFO`, `ROLE` and `HELLO`.

use super::{MasterLink, Node, resp};
use crate::world::Ms;
use cachefront::types::Address;
use std::fmt::Write;

/// Returns a replication id as Redis writes it.
fn hex(id: u64) -> String {
    format!("{id:040x}")
}

impl Node {
    /// Returns the answer to `INFO` for the named sections; all without a name.
    pub(super) fn info(&self, sections: &[String], nodes: &[Node], now: Ms) -> Vec<u8> {
        let has = |name: &str| sections.is_empty() || sections.iter().any(|section| section.eq_ignore_ascii_case(name));
        let mut text = String::new();
        if has("server") {
            let number = self.address.host.rsplit('.').next().and_then(|number| number.parse().ok());
            let run = hex((number.unwrap_or(0_u64) << 32) + self.incarnation + 1);
            let _written = write!(text, "# Server\r\nredis_version:7.0.15\r\nrun_id:{run}\r\n");
        }
        if has("commandstats") && self.ran_replicaof {
            text.push_str("# Commandstats\r\ncmdstat_replicaof:calls=1,usec=15,usec_per_call=15.00\r\n");
        }
        if has("replication") {
            self.write_replication(&mut text, nodes, now);
        }
        resp::bulk(&text)
    }

    fn write_replication(&self, text: &mut String, nodes: &[Node], now: Ms) {
        let data = &self.data;
        let role = if self.is_master() { "master" } else { "slave" };
        let _written = write!(text, "# Replication\r\nrole:{role}\r\n");
        if let Some(MasterLink { master, is_up, down_since, .. }) = self.link {
            let Address { host, port } = &nodes[master].address;
            let _written = write!(text, "master_host:{host}\r\nmaster_port:{port}\r\n");
            let status = if is_up { "up" } else { "down" };
            let _written = write!(text, "master_link_status:{status}\r\nslave_repl_offset:{}\r\n", data.offset);
            if !is_up {
                let secs = down_since.map_or(-1, |since| i64::try_from((now - since) / 1000).expect("a short time"));
                let _written = write!(text, "master_link_down_since_seconds:{secs}\r\n");
            }
        }
        let (replid2, second) = data.replid2.map_or((0, -1), |(id, end)| (id, i64::try_from(end + 1).expect("small")));
        let _written = write!(
            text,
            "connected_slaves:{}\r\nmaster_replid:{}\r\nmaster_replid2:{}\r\nmaster_repl_offset:{}\r\n\
             second_repl_offset:{second}\r\n",
            self.attached.len(),
            hex(data.replid),
            hex(replid2),
            data.offset
        );
    }

    /// Returns the answer to `ROLE`.
    pub(super) fn role(&self, nodes: &[Node]) -> Vec<u8> {
        let offset = resp::integer(i64::try_from(self.data.offset).expect("a small offset"));
        match self.link {
            None => {
                let replicas = self.attached.iter().map(|attached| {
                    let address = &nodes[attached.node].address;
                    let acknowledged = attached.acknowledged.to_string();
                    resp::array([
                        resp::bulk(&address.host),
                        resp::bulk(&address.port.to_string()),
                        resp::bulk(&acknowledged),
                    ])
                });
                resp::array([resp::bulk("master"), offset, resp::array(replicas.collect::<Vec<_>>())])
            }
            Some(link) => {
                let master = &nodes[link.master].address;
                let state = if link.is_up { "connected" } else { "connect" };
                resp::array([
                    resp::bulk("slave"),
                    resp::bulk(&master.host),
                    resp::integer(master.port.into()),
                    resp::bulk(state),
                    offset,
                ])
            }
        }
    }
}
