//! A real Redis Cluster: three masters with a replica each.

use super::{eventually, start};
use cachefront::cli::dev::local_redis::{Group, Layout, Node, free_port};

const MASTERS: usize = 3;
const SLOTS: usize = 16384;
/// A node that is out of touch for so long is taken for gone.
const NODE_TIMEOUT_MS: u32 = 1000;

pub struct Cluster {
    /// The masters first, then their replicas, as they were at the beginning.
    nodes: Vec<Node>,
    /// What the nodes call each other.
    ids: Vec<String>,
    password: String,
    /// What ends with it; dropped after the nodes.
    _group: Group,
}

impl Cluster {
    pub async fn start() -> Self {
        Self::start_with("").await
    }

    /// Starts the nodes with a password, empty for none, and waits until all of them agree.
    pub async fn start_with(password: &str) -> Self {
        let password = password.to_owned();
        let group = start(&Layout { shards: 0, password: password.clone(), ..Layout::default() });
        let nodes: Vec<Node> = (0..2 * MASTERS).map(|_| node(&group)).collect();
        let ids: Vec<String> = nodes.iter().map(|node| node.ask("CLUSTER MYID").expect("an answer")).collect();
        let cluster = Self { nodes, ids, password, _group: group };
        for (number, node) in cluster.nodes.iter().enumerate() {
            // Else they would have to agree on who is first, which takes its time.
            tell(node, &format!("CLUSTER SET-CONFIG-EPOCH {}", number + 1));
            if number < MASTERS {
                let (first, end) = (number * SLOTS / MASTERS, (number + 1) * SLOTS / MASTERS);
                tell(node, &format!("CLUSTER ADDSLOTSRANGE {first} {}", end - 1));
            }
            if number > 0 {
                let first = &cluster.nodes[0];
                let bus = first.ask("CONFIG GET cluster-port").expect("an answer");
                let bus = bus.lines().last().expect("a port");
                tell(node, &format!("CLUSTER MEET {} {} {bus}", first.address.host, first.address.port));
            }
        }
        for replica in MASTERS..2 * MASTERS {
            let master = &cluster.ids[replica - MASTERS];
            let replicate = format!("CLUSTER REPLICATE {master}");
            // It has to have heard of its master.
            let heard = async || (cluster.nodes[replica].ask(&replicate).ok()? == "+OK").then_some(());
            eventually("a replica knows its master", heard).await;
        }
        for node in &cluster.nodes {
            eventually("the cluster is whole", async || cluster.is_whole_for(node).then_some(())).await;
        }
        cluster
    }

    fn is_whole_for(&self, node: &Node) -> bool {
        let info = node.ask("CLUSTER INFO").unwrap_or_default();
        let all = self.nodes.len();
        let table = node.ask("CLUSTER NODES").unwrap_or_default();
        let replicas = table.lines().filter(|line| line.contains("slave")).count();
        let online =
            node.info("role").as_deref() == Some("master") || node.info("master_link_status").as_deref() == Some("up");
        info.contains("cluster_state:ok")
            && info.contains(&format!("cluster_known_nodes:{all}"))
            && replicas == all - MASTERS
            && online
    }

    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Position of the node that has a slot, as the node at `asked` sees it.
    pub fn owner(&self, asked: usize, slot: usize) -> Option<usize> {
        let table = self.nodes[asked].ask("CLUSTER NODES").ok()?;
        let owns = |line: &&str| {
            line.split(' ').skip(8).any(|range| {
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                matches!((first.parse::<usize>(), last.parse::<usize>()), (Ok(a), Ok(b)) if (a..=b).contains(&slot))
            })
        };
        let line = table.lines().find(owns)?;
        self.ids.iter().position(|id| line.starts_with(id.as_str()))
    }

    /// A replica takes over from its master, with that one's consent.
    pub async fn fail_over(&self, replica: usize) {
        tell(&self.nodes[replica], "CLUSTER FAILOVER");
        self.until_master(replica).await;
    }

    pub async fn until_master(&self, node: usize) {
        let node = &self.nodes[node];
        eventually("the replica has taken over", async || (node.info("role")? == "master").then_some(())).await;
    }

    /// Moves a slot with all its keys, as resharding does.
    pub async fn move_slot(&self, slot: usize, from: usize, to: usize) {
        let (source, target) = (&self.nodes[from], &self.nodes[to]);
        tell(target, &format!("CLUSTER SETSLOT {slot} IMPORTING {}", self.ids[from]));
        tell(source, &format!("CLUSTER SETSLOT {slot} MIGRATING {}", self.ids[to]));
        let auth = if self.password.is_empty() { String::new() } else { format!("AUTH {} ", self.password) };
        loop {
            let keys = source.ask(&format!("CLUSTER GETKEYSINSLOT {slot} 10")).expect("an answer");
            if keys.is_empty() {
                break;
            }
            let (host, port) = (&target.address.host, target.address.port);
            let keys = keys.replace('\n', " ");
            let moved = source.ask(&format!("MIGRATE {host} {port} \"\" 0 5000 {auth}KEYS {keys}")).expect("an answer");
            // A key may have expired or been deleted in the meantime.
            assert!(moved == "+OK" || moved == "+NOKEY", "{moved}");
            // What is asked for in the meantime is on either side.
            tokio::task::yield_now().await;
        }
        for node in [target, source] {
            tell(node, &format!("CLUSTER SETSLOT {slot} NODE {}", self.ids[to]));
        }
        for asked in 0..self.nodes.len() {
            eventually("all nodes know who has the slot", async || (self.owner(asked, slot)? == to).then_some(()))
                .await;
        }
    }

    pub fn slot_of(&self, key: &str) -> usize {
        let slot = self.nodes[0].ask(&format!("CLUSTER KEYSLOT {key}")).expect("an answer");
        slot.trim_start_matches(':').parse().expect("a number")
    }

    /// The settings of a service in front of it.
    pub fn sections(&self) -> String {
        let addresses: Vec<String> = self.nodes.iter().map(|node| node.address.to_string()).collect();
        let password = if self.password.is_empty() { String::new() } else { format!("password={}\n", self.password) };
        format!("[redis]\ncluster={}\n{password}", addresses.join(", "))
    }
}

fn node(group: &Group) -> Node {
    let arguments = |port: u16| {
        let mut arguments = group.usual_arguments(port);
        // Redis's own choice, 10,000 above, may not exist.
        let bus = free_port("127.0.0.1")?.to_string();
        let (file, timeout) = (format!("nodes-{port}.conf"), NODE_TIMEOUT_MS.to_string());
        let own = ["--cluster-enabled", "yes", "--cluster-config-file", &file, "--cluster-node-timeout", &timeout];
        arguments.extend(own.into_iter().chain(["--cluster-port", &bus]).map(str::to_owned));
        Ok(arguments)
    };
    group.start_node(("127.0.0.1", None), &arguments).unwrap_or_else(|problem| panic!("{problem}"))
}

fn tell(node: &Node, command: &str) {
    assert_eq!(node.ask(command).expect("an answer"), "+OK", "{command}");
}
