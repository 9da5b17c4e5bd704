//! Three real Sentinels that watch the masters of a group, and promote a replica when one is gone.

use super::eventually;
use cachefront::{
    cli::dev::local_redis::{Group, Node},
    types::Address,
};
use std::fmt::Write;

const SENTINELS: usize = 3;
const QUORUM: usize = 2;
/// A master that answers nothing for so long is taken for gone.
const DOWN_AFTER_MS: u32 = 500;
/// A failover that did not succeed is tried again after twice as long.
const FAILOVER_TIMEOUT_MS: u32 = 3000;

pub struct Sentinels {
    nodes: Vec<Node>,
    /// Names of the masters, which are those of the shards.
    names: Vec<String>,
}

impl Sentinels {
    /// Starts them, and waits until they know each other and every replica.
    pub async fn start(group: &Group) -> Self {
        let start = |_| {
            let arguments = |port: u16| {
                let path = group.folder().join(format!("sentinel-{port}.conf"));
                std::fs::write(&path, configuration(group, port))?;
                Ok(vec![path.to_string_lossy().into_owned(), "--sentinel".to_owned()])
            };
            group.start_node(("127.0.0.1", None), &arguments).unwrap_or_else(|problem| panic!("{problem}"))
        };
        let nodes: Vec<Node> = (0..SENTINELS).map(start).collect();
        let names = group.shards().map(|(name, _, _)| name).collect();
        let sentinels = Self { nodes, names };
        for (shard, name) in sentinels.names.iter().enumerate() {
            let whole = format!(",slaves={},sentinels={SENTINELS}", group.replicas(shard).len());
            for node in &sentinels.nodes {
                eventually("the Sentinels know each other", async || line(node, name)?.ends_with(&whole).then_some(()))
                    .await;
            }
        }
        sentinels
    }

    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Where a Sentinel says that a master is.
    pub fn master(&self, sentinel: usize, name: &str) -> Option<Address> {
        let line = line(&self.nodes[sentinel], name)?;
        line.split(',').find_map(|field| field.strip_prefix("address="))?.parse().ok()
    }

    /// Waits until all Sentinels that `asked` names agree that another node than `old` is the master.
    pub async fn until_failed_over(&self, asked: &[usize], name: &str, old: &Address) -> Address {
        eventually("the Sentinels promote a replica", async || {
            let mut masters = asked.iter().map(|sentinel| self.master(*sentinel, name));
            let first = masters.next()??;
            (first != *old && masters.all(|other| other.as_ref() == Some(&first))).then_some(first)
        })
        .await
    }

    /// The settings of a service that asks them where its masters are.
    pub fn sections(&self, password: &str) -> String {
        let addresses: Vec<String> = self.nodes.iter().map(|node| node.address.to_string()).collect();
        let mut text = format!("[redis]\nsentinels={}\n", addresses.join(", "));
        if !password.is_empty() {
            let _ = writeln!(text, "password={password}\nsentinel_password={password}");
        }
        for name in &self.names {
            let _ = write!(text, "\n[shard:{name}]\nsentinel_master={name}\n");
        }
        text
    }
}

/// What a Sentinel says of a master: `name=…,status=…,address=…,slaves=…,sentinels=…`.
fn line(sentinel: &Node, name: &str) -> Option<String> {
    let info = sentinel.ask("INFO sentinel").ok()?;
    let start = format!("name={name},");
    info.lines()
        .find_map(|line| line.split_once(':').map(|(_, rest)| rest).filter(|rest| rest.starts_with(&start)))
        .map(str::to_owned)
}

fn configuration(group: &Group, port: u16) -> String {
    let folder = group.folder().display();
    let mut text = format!("port {port}\nbind 127.0.0.1\ndir {folder}\ndaemonize no\nloglevel warning\n");
    let password = group.password();
    if !password.is_empty() {
        let _ = write!(text, "requirepass {password}\nsentinel sentinel-pass {password}\n");
    }
    for (name, master, _) in group.shards() {
        let Address { host, port } = master;
        let _ = write!(
            text,
            "sentinel monitor {name} {host} {port} {QUORUM}\n\
             sentinel down-after-milliseconds {name} {DOWN_AFTER_MS}\n\
             sentinel failover-timeout {name} {FAILOVER_TIMEOUT_MS}\n\
             sentinel parallel-syncs {name} 4\n"
        );
        if !password.is_empty() {
            let _ = writeln!(text, "sentinel auth-pass {name} {password}");
        }
    }
    text
}
