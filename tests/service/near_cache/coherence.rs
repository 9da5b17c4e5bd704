//! Many writers and readers through several instances with near caches, while connections are cut and a replica
//! restarts.
//!
//! Versions of a key only grow. Through the instance that acknowledged a version, no reader may read an older one; and
//! after the last write of a round is replicated, no reader may read an older one through any instance. Values
//! are cached for an hour, so that a stale one stays. `make soak` runs the test for long.

#![allow(clippy::print_stderr, reason = "it prints what it measured")]

use super::CACHED_FOR_AN_HOUR;
use crate::harness::{Caller, INSPECTED, MetricsPage, Service, eventually, redis, redis_section, until_replicated};
use crate::local_redis::{RedisGroup, RedisProcess};
use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

const KEYS: usize = 12;
const INSTANCES: usize = 2;
const READERS: usize = 8;
/// Number of reads of each key through each instance at the end of a round.
const LAST_READINGS: usize = 25;
/// Environment variable with the duration of the test in seconds; without it, the test runs for some rounds.
const SOAK: &str = "CACHEFRONT_SOAK_SECS";
const ROUNDS: usize = 8;

/// The acknowledged versions of one key.
#[derive(Default)]
struct Record {
    /// The last version that each instance has acknowledged.
    acknowledged: [AtomicU64; INSTANCES],
}

struct Workload {
    callers: Vec<Caller>,
    records: Vec<Record>,
    writing: AtomicBool,
    reads: AtomicU64,
}

fn key(number: usize) -> String {
    format!("key-{number}")
}

/// Returns the version of a value; a missing value is older than the first version.
fn version(value: Option<Value>) -> u64 {
    value.map_or(0, |value| value.as_u64().expect("a version"))
}

impl Workload {
    /// Writes ascending versions of a key, those of every third key through alternating instances; returns the last
    /// one.
    async fn write(&self, number: usize, first: u64, writes: u64) -> u64 {
        for version in first..first + writes {
            let turn = usize::try_from(version).expect("a small number");
            let instance = if number.is_multiple_of(3) { turn } else { number } % INSTANCES;
            let write = json!({"command": "WRITE", "key": key(number), "value": version}).to_string();
            // After a cut connection the outcome is unknown, so that the write is repeated.
            eventually("a write succeeds", async || {
                (self.callers[instance].send(write.clone()).await.status.as_u16() == 200).then_some(())
            })
            .await;
            self.records[number].acknowledged[instance].store(version, SeqCst);
        }
        first + writes - 1
    }

    /// Reads keys while writers write.
    async fn read(&self, reader: usize) {
        let mut turn = reader;
        while self.writing.load(SeqCst) {
            turn = turn.wrapping_mul(31).wrapping_add(7);
            let (number, instance) = (turn % KEYS, (turn / KEYS) % INSTANCES);
            let least = self.records[number].acknowledged[instance].load(SeqCst);
            let read = json!({"command": "READ", "key": key(number)}).to_string();
            let answer = self.callers[instance].send(read).await;
            // While nodes come and go a read may fail, but not return an older value.
            if answer.status.as_u16() != 200 {
                continue;
            }
            let version = version(answer.json().get("value").cloned());
            assert!(version >= least, "{} reads as {version} after {least} through the same instance", key(number));
            self.reads.fetch_add(1, SeqCst);
        }
    }

    /// Waits until each instance reads these versions; afterwards no other version may be read.
    async fn expect(&self, versions: &[u64]) {
        for (instance, caller) in self.callers.iter().enumerate() {
            for (number, last) in versions.iter().enumerate() {
                eventually(&format!("instance {instance} reads {last} of {}", key(number)), async || {
                    (version(caller.read(&key(number)).await) == *last).then_some(())
                })
                .await;
            }
        }
        for _ in 0..LAST_READINGS {
            let readings = self.callers.iter().flat_map(|caller| {
                versions.iter().enumerate().map(move |(number, last)| async move {
                    assert_eq!(version(caller.read(&key(number)).await), *last, "an older value of {}", key(number));
                })
            });
            join_all(readings).await;
        }
    }
}

/// Injects faults while writers write: connections are killed, and sometimes a replica restarts empty.
async fn inject_faults(group: &RedisGroup, round: usize) {
    let nodes: Vec<&RedisProcess> = std::iter::once(group.master(0)).chain(group.replicas(0)).collect();
    for step in 0..4 {
        let node = nodes[(round + step) % nodes.len()];
        // Connections of the service, or between master and replica.
        let kind = if step == 2 { "replica" } else { "normal" };
        // A node that is down has no connections.
        let _answer = node.ask(&format!("CLIENT KILL TYPE {kind} SKIPME yes"));
        // Spreads the faults over the time in which the writers write.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    if round % 4 == 3 {
        let replica = &group.replicas(0)[round % group.replicas(0).len()];
        replica.kill();
        tokio::task::block_in_place(|| replica.start_again().expect("it starts again"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_reader_sees_an_older_value_after_writes_have_settled() {
    let group = redis(1, 2);
    until_replicated(&group).await;
    let section = format!("{CACHED_FOR_AN_HOUR}{}{INSPECTED}", redis_section(&group));
    let services: Vec<Service> = (0..INSTANCES).map(|_| Service::start_with("WORKERS=4", &section)).collect();
    let mut workload = Workload {
        callers: Vec::new(),
        records: std::iter::repeat_with(Record::default).take(KEYS).collect(),
        writing: AtomicBool::new(false),
        reads: AtomicU64::new(0),
    };
    for service in &services {
        workload.callers.push(service.caller().await);
    }
    let workload = Arc::new(workload);
    let soak = std::env::var(SOAK).ok().map(|secs| Duration::from_secs(secs.parse().expect("a number of seconds")));
    let start = Instant::now();
    let (mut next, mut round) = (1, 0);
    while soak.map_or(round < ROUNDS, |soak| start.elapsed() < soak) {
        workload.writing.store(true, SeqCst);
        let readers = (0..READERS).map(|reader| {
            let workload = Arc::clone(&workload);
            tokio::spawn(async move { workload.read(reader).await })
        });
        let readers: Vec<_> = readers.collect();
        let writes = 30;
        let written = join_all((0..KEYS).map(|number| workload.write(number, next, writes)));
        let (versions, ()) = join(written, inject_faults(&group, round)).await;
        next += writes;
        until_replicated(&group).await;
        workload.expect(&versions).await;
        workload.writing.store(false, SeqCst);
        for reader in readers {
            reader.await.expect("no reader saw an older value");
        }
        round += 1;
    }
    for service in &services {
        let page = MetricsPage::expect_no_old_answer(service.admin).await;
        assert!(page.sum("cachefront_inspected_answers_total", "source=\"near_cache\"") > 0.0, "{}", page.0);
    }
    eprintln!(
        "{round} rounds, {} readings while {} versions of {KEYS} keys were written",
        workload.reads.load(SeqCst),
        next - 1
    );
}

#[tokio::test]
async fn a_write_becomes_visible_through_another_instance_soon() {
    let group = redis(1, 2);
    until_replicated(&group).await;
    let section = format!("{CACHED_FOR_AN_HOUR}{}", redis_section(&group));
    let services = [Service::start(&section), Service::start(&section)];
    let [writer, reader] = [services[0].caller().await, services[1].caller().await];
    let mut took = Vec::new();
    for round in 0..100 {
        writer.write("k", &json!(round)).await;
        let start = Instant::now();
        // Without a pause, because the service is measured.
        while reader.read("k").await != Some(json!(round)) {
            assert!(start.elapsed() < Duration::from_secs(10), "the write is not seen");
        }
        took.push(start.elapsed());
        // Cached again, so that the next write has a value to invalidate.
        for _ in 0..2 {
            assert_eq!(reader.read("k").await, Some(json!(round)));
        }
    }
    took.sort_unstable();
    eprintln!(
        "seen after the acknowledgement: median {:?}, 99 of 100 within {:?}, at most {:?}",
        took[50], took[98], took[99]
    );
}
