//! Reads that have to show the changes of their own batch while masters change.

use super::{read, serve, until_ready, write};
use crate::harness::{Caller, Cluster, Mode, Proxy, Service, eventually};
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

/// Number of planned failovers.
const FAILOVERS: usize = 12;
/// Number of masters.
const MASTERS: usize = 3;
/// Number of callers that write keys of one master.
const CALLERS: usize = 3;
/// Delay of the answers of a node that takes over. A probe is under way in more than a third of the failovers then.
const SUCCESSOR_DELAY: Duration = Duration::from_millis(200);
/// Number of keys in each batch.
const KEYS: usize = 10;

/// Writes and reads its keys in each batch until it is told to stop. Returns the reads that did not show their own
/// change.
async fn write_and_read(caller: Caller, keys: Vec<String>, stop: Arc<AtomicBool>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut number = 0;
    while !stop.load(Relaxed) {
        number += 1;
        let commands = keys.iter().flat_map(|key| [write(key, &json!(number)), read(key)]);
        let replies = caller.run(commands.collect()).await;
        for (key, replies) in keys.iter().zip(replies.as_array().expect("replies").chunks(2)) {
            if replies[0]["status"] != "SUCCESS" || replies[1]["value"] != json!(number) {
                wrong.push(format!("batch {number}, {key}: {replies:?}"));
            }
        }
    }
    assert!(number > FAILOVERS, "too few batches were sent: {number}");
    wrong
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_shows_its_own_change_during_planned_failovers() {
    let cluster = Cluster::start(MASTERS, 1);
    let paths: Vec<Proxy> = (0..MASTERS * 2).map(|number| Proxy::in_front_of(&cluster.node(number).address)).collect();
    paths.iter().enumerate().for_each(|(number, path)| cluster.put_behind(number, path));
    let service = serve(&cluster);
    until_ready(&service, "READY").await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut callers = Vec::new();
    let mut pairs: Vec<[usize; 2]> = (0..MASTERS).map(|master| [master, cluster.replicas(master).start]).collect();
    for master in 0..MASTERS {
        let mut keys = (0..).map(|number| format!("own:{number}")).filter(|key| cluster.owner(key) == master);
        for _ in 0..CALLERS {
            let (caller, stop) = (service.caller().await, Arc::clone(&stop));
            callers.push(tokio::spawn(write_and_read(caller, keys.by_ref().take(KEYS).collect(), stop)));
        }
    }
    // In turn, because a node votes for the successor of a master only once in two seconds.
    for number in 0..FAILOVERS {
        let [master, replica] = &mut pairs[number % MASTERS];
        // The service learns late that the successor is a master now.
        paths[*master].set(Mode::Pass);
        paths[*replica].set(Mode::Delay(SUCCESSOR_DELAY));
        tokio::task::block_in_place(|| cluster.failover(*replica));
        std::mem::swap(master, replica);
    }
    stop.store(true, Relaxed);
    let mut wrong = Vec::new();
    for caller in callers {
        wrong.extend(caller.await.expect("every batch is answered"));
    }
    assert!(wrong.is_empty(), "{} batches did not show their own change: {wrong:#?}", wrong.len());
}

/// Returns the numbers of a node's connections from the service that are in the mode `READONLY`, and that are not.
fn modes(cluster: &Cluster, node: usize) -> (usize, usize) {
    let clients = cluster.ask(node, "CLIENT LIST TYPE normal");
    let ours = clients.lines().filter(|line| line.contains(" resp=3"));
    let flags = ours.filter_map(|line| line.split(" flags=").nth(1)?.split(' ').next());
    let (read_only, other): (Vec<&str>, Vec<&str>) = flags.partition(|flags| flags.contains('r'));
    (read_only.len(), other.len())
}

/// Only a replica's connections are in the mode `READONLY`: a demoted master must not answer with its old data.
#[tokio::test]
async fn connections_follow_the_role_of_their_node() {
    let cluster = Cluster::start(2, 1);
    let service = Service::plain(&cluster.section());
    until_ready(&service, "READY").await;
    let until_modes_follow = async |master: usize, replica: usize| {
        eventually("the modes are those of the roles", async || {
            let (of_master, of_replica) = (modes(&cluster, master), modes(&cluster, replica));
            (of_master.0 == 0 && of_master.1 > 0 && of_replica.0 > 0 && of_replica.1 == 0).then_some(())
        })
        .await;
    };
    let replica = cluster.replicas(0).start;
    until_modes_follow(0, replica).await;
    cluster.failover(replica);
    until_modes_follow(replica, 0).await;
}

/// A user without the permission for READONLY still reads, from the masters.
#[tokio::test]
async fn a_node_that_refuses_to_be_read_as_a_replica_costs_no_read() {
    let cluster = Cluster::start(2, 1);
    for node in 0..4 {
        cluster.ok(node, "ACL SETUSER limited on >users-password ~* +@all -readonly");
    }
    let section = cluster.section().replace("password=", "username=limited\npassword=users-password");
    let service = Service::plain(&section);
    until_ready(&service, "DEGRADED").await;
    let caller = service.caller().await;
    let keys: Vec<String> = (0..20).map(|number| format!("k{number}")).collect();
    caller.fill(&keys).await;
    // Not even a redirection is answered by a replica.
    let redirected = |node: usize| {
        let errors = cluster.node(node).ask("INFO errorstats").expect("an answer");
        errors.lines().find(|line| line.starts_with("errorstat_MOVED")).map(str::to_owned)
    };
    let replicas = [cluster.replicas(0).start, cluster.replicas(1).start];
    let before = replicas.map(redirected);
    for key in &keys {
        assert_eq!(caller.read(key).await, Some(json!(key)));
    }
    assert_eq!(replicas.map(redirected), before);
}
