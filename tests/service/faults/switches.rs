//! Strict reads while the master changes and replicas lag.

#![expect(clippy::print_stderr, reason = "it prints what it measured")]

use super::{expect_ok, follow_address};
use crate::harness::{Caller, Mode, Proxy, Service, redis};
use crate::local_redis::RedisProcess;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::json;
use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    time::{Duration, Instant},
};

const SWITCHES: usize = 6;
const READERS: usize = 8;
/// The time by which a replica is behind its master.
const LAG: Duration = Duration::from_millis(300);
/// Time for which the new master is written to after each switch.
const WRITING: Duration = Duration::from_millis(600);

/// The writes of the current master.
#[derive(Default)]
struct Progress {
    /// The number of switches so far.
    switches: AtomicU64,
    /// The last value that the master of the last switch has acknowledged; 0 if there is none.
    acknowledged: AtomicU64,
    ended: AtomicBool,
}

/// The way in which a reader requires fresh values.
#[derive(Clone, Copy, Debug)]
enum Strictness {
    Master,
    MasterInBatch,
    SyncToken,
}

/// The reads of one reader.
#[derive(Default)]
struct StrictReads {
    answered: u64,
    refused: u64,
    /// The answers that were older than what the new master had acknowledged before, as sentences.
    stale: Vec<String>,
}

/// Sends a command with a sync token that is given out just before it.
async fn with_new_token(caller: &Caller, command: String) -> reqwest::Response {
    // Only the response to a change has a token that covers anything, whether or not the change was made.
    let before = caller.send(json!({"command": "DELETE", "key": "other"}).to_string()).await;
    let token = before.header("cache-sync-token");
    assert_ne!(token.split('.').nth(1), Some("0"), "the token covers nothing");
    let request = caller.http.post(&caller.url).header(AUTHORIZATION, format!("Bearer {}", caller.token));
    let request = request.header(CONTENT_TYPE, "application/json");
    let request = request.header("cache-sync-token", token);
    request.body(command).send().await.expect("an answer")
}

/// Reads the value once. Returns `None` if the read is refused.
async fn read_strictly(caller: &Caller, strictness: Strictness) -> Option<u64> {
    let mut read = json!({"command": "READ", "key": "k", "consistency": "master"});
    let reply = match strictness {
        Strictness::Master => caller.send(read.to_string()).await.json(),
        Strictness::MasterInBatch => caller.run(json!([{"command": "READ", "key": "other"}, read])).await[1].take(),
        Strictness::SyncToken => {
            read.as_object_mut().expect("an object").remove("consistency");
            with_new_token(caller, read.to_string()).await.json().await.expect("a reply")
        }
    };
    match reply["status"].as_str() {
        Some("SUCCESS") => reply["value"].as_str()?.parse().ok(),
        Some("NOT_FOUND") => Some(0),
        _ => None,
    }
}

async fn read_until_ended(caller: &Caller, strictness: Strictness, progress: &Progress) -> StrictReads {
    let mut reads = StrictReads::default();
    while !progress.ended.load(SeqCst) {
        let (switches, floor) = (progress.switches.load(SeqCst), progress.acknowledged.load(SeqCst));
        let start = Instant::now();
        let read = read_strictly(caller, strictness).await;
        // What the former master acknowledged last is lost.
        if progress.switches.load(SeqCst) != switches {
            continue;
        }
        match read {
            Some(value) if value < floor => {
                let took = start.elapsed();
                reads.stale.push(format!("{strictness:?}: {value} after {floor}, switch {switches}, {took:?}"));
            }
            Some(_) => reads.answered += 1,
            None => reads.refused += 1,
        }
    }
    reads
}

/// Makes each of two nodes the master of the other in turn, and writes ascending numbers to it.
fn switch_masters(nodes: [&RedisProcess; 2], paths: [&Proxy; 2], progress: &Progress) {
    let mut value = 0;
    for switch in 0..SWITCHES {
        let (old, new) = (switch % 2, (switch + 1) % 2);
        progress.switches.fetch_add(1, SeqCst);
        progress.acknowledged.store(0, SeqCst);
        follow_address(nodes[old], &paths[new].address);
        expect_ok(nodes[new], "REPLICAOF NO ONE");
        let start = Instant::now();
        while start.elapsed() < WRITING {
            value += 1;
            expect_ok(nodes[new], &format!("SET k {value}"));
            progress.acknowledged.store(value, SeqCst);
            // The pace of the writes.
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    progress.ended.store(true, SeqCst);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_strict_read_is_older_than_what_the_new_master_acknowledged() {
    let group = redis(1, 0);
    let first = group.master(0);
    let to_first = Proxy::in_front_of(&first.address);
    let second =
        group.add(&["--replicaof", &to_first.address.host, &to_first.address.port.to_string()]).expect("a second node");
    first.wait_for_replicas(1).expect("it is online");
    let to_second = Proxy::in_front_of(&second.address);
    let nodes = format!("[shard:a]\nmaster={}\nreplicas={}\n", first.address, second.address);
    // With a near cache, because a kept value must be proven as well.
    let service = Service::start(&nodes);
    let caller = service.caller().await;
    for path in [&to_first, &to_second] {
        path.set(Mode::Delay(LAG));
    }
    let progress = Progress::default();
    let kinds = [Strictness::Master, Strictness::MasterInBatch, Strictness::SyncToken];
    let readers = (0..READERS).map(|number| read_until_ended(&caller, kinds[number % kinds.len()], &progress));
    let readers = futures_util::future::join_all(readers);
    let reads = std::thread::scope(|scope| {
        scope.spawn(|| switch_masters([first, &second], [&to_first, &to_second], &progress));
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(readers))
    });
    let stale: Vec<&String> = reads.iter().flat_map(|reads| &reads.stale).collect();
    let answered: u64 = reads.iter().map(|reads| reads.answered).sum();
    let refused: u64 = reads.iter().map(|reads| reads.refused).sum();
    eprintln!("{answered} strict reads answered, {refused} refused, {} stale", stale.len());
    assert!(stale.is_empty(), "{} of {answered} were stale: {:#?}", stale.len(), &stale[..stale.len().min(8)]);
    assert!(answered > 200, "{answered} answered, {refused} refused");
}
