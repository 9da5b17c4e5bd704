//! Cuts of the master's connections while a replica lags: the master lives, so its changes must be seen.

#![expect(clippy::print_stderr, reason = "it prints what it measured")]

use crate::harness::{Caller, Lagging, Mode, Proxy, Service, eventually};
use serde_json::json;
use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// The time by which the replica is behind its master.
const LAG: Duration = Duration::from_secs(1);
/// The number of clients, each with a key of its own.
const CLIENTS: usize = 4;

/// The reads of one client.
#[derive(Default)]
struct Reads {
    answered: u64,
    failed: u64,
    /// The answers that were older than the last acknowledged write, as sentences.
    stale: Vec<String>,
}

/// Writes ascending numbers under one key, and reads them back alone and in a batch, until told to stop.
async fn write_and_read_back(caller: &Caller, key: &str, stop: &AtomicBool) -> Reads {
    let mut reads = Reads::default();
    let (mut acknowledged, mut next) = (0, 1);
    while !stop.load(Relaxed) {
        let write = json!({"command": "WRITE", "key": key, "value": next}).to_string();
        if caller.send(write).await.status == 200 {
            acknowledged = next;
        }
        next += 1;
        let read = json!({"command": "READ", "key": key});
        let other = json!({"command": "READ", "key": "other"});
        let answer = caller.send(read.to_string()).await;
        let batch = caller.run(json!([other, read])).await;
        let single = if answer.status == 200 { Some(answer.json()) } else { None };
        let batched = Some(batch[1].clone()).filter(|answer| answer["status"] != "ERROR");
        for (answer, way) in [(single, "alone"), (batched, "in a batch")] {
            let Some(answer) = answer else {
                reads.failed += 1;
                continue;
            };
            reads.answered += 1;
            let value = answer["value"].as_u64().unwrap_or(0);
            if value < acknowledged {
                reads.stale.push(format!("{key} read {way} is {value} after {acknowledged} was acknowledged"));
            }
        }
    }
    reads
}

/// Cuts the connections of the service to the master: many times in a row, and some times with a second in between.
async fn cut_connections(lagging: &Lagging) {
    for pause_ms in [150; 20].into_iter().chain([1500; 2]) {
        lagging.master().ask("CLIENT KILL TYPE normal SKIPME yes").expect("an answer");
        // The rhythm of the cuts.
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
    }
}

async fn no_cut_shows_an_older_value(service: Service, lagging: Lagging) {
    let caller = service.caller().await;
    caller.fill(&["other".to_owned()]).await;
    lagging.stream.set(Mode::Delay(LAG));
    let stop = AtomicBool::new(false);
    let keys: Vec<String> = (0..CLIENTS).map(|number| format!("k{number}")).collect();
    let clients = keys.iter().map(|key| write_and_read_back(&caller, key, &stop));
    let cuts = async {
        cut_connections(&lagging).await;
        stop.store(true, Relaxed);
    };
    let (reads, ()) = futures_util::future::join(futures_util::future::join_all(clients), cuts).await;
    let stale: Vec<&String> = reads.iter().flat_map(|reads| &reads.stale).collect();
    let answered: u64 = reads.iter().map(|reads| reads.answered).sum();
    let failed: u64 = reads.iter().map(|reads| reads.failed).sum();
    eprintln!("{answered} reads answered, {failed} failed, {} stale", stale.len());
    assert!(stale.is_empty(), "{} of {answered} reads were stale: {:?}", stale.len(), &stale[..stale.len().min(5)]);
    // A read waits for the connection, so few fail.
    assert!(answered > 100 && failed * 50 <= answered, "{failed} failed, {answered} answered");
}

#[tokio::test]
async fn a_cut_of_the_masters_connections_shows_no_older_value() {
    let lagging = Lagging::start();
    no_cut_shows_an_older_value(Service::plain(&lagging.section()), lagging).await;
}

#[tokio::test]
async fn a_cut_of_the_masters_connections_shows_no_older_value_with_a_near_cache() {
    let lagging = Lagging::start();
    no_cut_shows_an_older_value(Service::start(&lagging.section()), lagging).await;
}

#[tokio::test]
async fn a_master_that_cuts_every_attempt_to_connect_is_given_up() {
    let lagging = Lagging::start();
    let path = Proxy::in_front_of(&lagging.master().address);
    let nodes = format!("[shard:a]\nmaster={}\nreplicas={}\n", path.address, lagging.replica.address);
    let service = Service::plain(&nodes);
    let caller = service.caller().await;
    caller.fill(&["k".to_owned()]).await;
    eventually("the replica has the value", async || (lagging.replica.ask("GET k").ok()? == "k").then_some(())).await;
    lagging.stream.set(Mode::BlackHole);
    caller.write("k", &json!("new")).await;
    // As a proxy in front of a dead node does.
    path.set(Mode::CutAfter(0));
    path.cut();
    let read = json!({"command": "READ", "key": "k"}).to_string();
    assert_ne!(caller.send(read.clone()).await.status, 200, "the master may still be alive");
    eventually("the replica answers", async || {
        let answer = caller.send(read.clone()).await;
        (answer.status == 200 && answer.json()["value"] == "k").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_dead_master_does_not_delay_reads_of_what_it_alone_had() {
    let lagging = Lagging::start();
    let service = Service::plain(&lagging.section());
    let caller = service.caller().await;
    caller.fill(&["k".to_owned()]).await;
    eventually("the replica has the value", async || (lagging.replica.ask("GET k").ok()? == "k").then_some(())).await;
    lagging.stream.set(Mode::BlackHole);
    caller.write("k", &json!("new")).await;
    lagging.master().kill();
    let start = Instant::now();
    assert_eq!(caller.read("k").await, Some(json!("k")));
    assert!(start.elapsed() < Duration::from_millis(300), "the read took {:?}", start.elapsed());
}
