//! Changes that are in flight while a reload gives their keys to another shard.

#![expect(clippy::float_cmp, reason = "what is compared are whole numbers")]

use crate::harness::{Caller, MetricsPage, Mode, Proxy, Service, eventually, redis};
use crate::local_redis::{RedisGroup, RedisProcess};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::task::JoinHandle;

/// Settings under which a paused node counts as busy for as long as a test needs, and reloads happen on request.
const PATIENT: &str = "RELOAD_EVERY_SECS=0\nREQUEST_DEADLINE_MS=30000";
/// Number of keys that a test writes, and of keys that it deletes.
const KEYS: usize = 20;

fn shard(name: &str, nodes: &str) -> String {
    format!("\n[shard:{name}]\nmaster={nodes}\n")
}

fn write(key: &str) -> Value {
    json!({"command": "WRITE", "key": key, "value": key})
}

fn delete(key: &str) -> Value {
    json!({"command": "DELETE", "key": key})
}

fn read(key: &str) -> Value {
    json!({"command": "READ", "key": key})
}

/// Waits until the first reload was applied.
async fn until_reloaded(service: &Service) {
    MetricsPage::until(service, "cachefront_settings_reloads_total", "outcome=\"applied\"", |count| count == 1.0).await;
}

/// A service whose only master accepts no writes for now, and a second master that is not in use yet.
struct Paused {
    group: RedisGroup,
    service: Service,
    caller: Caller,
    /// Keys without a value.
    written: Vec<String>,
    /// Keys with a value on the first master, and with an old one on the second.
    deleted: Vec<String>,
}

impl Paused {
    async fn start() -> Self {
        let group = redis(2, 0);
        let sections =
            format!("[redis]\nattempt_timeout_ms=20000\n{}", shard("a", &group.master(0).address.to_string()));
        let service = Service::plain_with(PATIENT, &sections);
        let caller = service.caller().await;
        let names = |kind: &str| (0..KEYS).map(|number| format!("{kind}:{number}")).collect::<Vec<_>>();
        let (written, deleted) = (names("written"), names("deleted"));
        caller.fill(&deleted).await;
        for key in &deleted {
            assert_eq!(group.master(1).ask(&format!("SET {key} old")).expect("an answer"), "+OK");
        }
        assert_eq!(group.master(0).ask("CLIENT PAUSE 60000 WRITE").expect("an answer"), "+OK");
        Self { group, service, caller, written, deleted }
    }

    /// Sends all requests and waits until the first master has all their commands.
    async fn send(&self, requests: impl IntoIterator<Item = Value>, commands: usize) -> Vec<JoinHandle<Value>> {
        let sent = requests.into_iter().map(|request| {
            let caller = self.caller.clone();
            tokio::spawn(async move { caller.run(request).await })
        });
        let sent = sent.collect();
        #[expect(clippy::cast_precision_loss, reason = "there are few")]
        let commands = commands as f64;
        MetricsPage::until(&self.service, "cachefront_node_commands_in_flight", "", |count| count >= commands).await;
        sent
    }

    /// Replaces the shards of the service.
    async fn reload(&self, shards: &str) {
        let first = shard("a", &self.group.master(0).address.to_string());
        self.service.edit(|text| text.replace(&first, shards));
        self.service.reload();
        until_reloaded(&self.service).await;
    }

    /// Returns the sections of both shards.
    fn both(&self) -> String {
        shard("a", &self.group.master(0).address.to_string()) + &shard("b", &self.group.master(1).address.to_string())
    }

    fn resume(&self) {
        assert_eq!(self.group.master(0).ask("CLIENT UNPAUSE").expect("an answer"), "+OK");
    }

    /// Asserts that all changes are seen through the service, and that some of the keys are on the second master.
    async fn expect_changed(&self) {
        for key in &self.written {
            assert_eq!(self.caller.read(key).await, Some(json!(key)), "{key} was written");
        }
        for key in &self.deleted {
            assert_eq!(self.caller.read(key).await, None, "{key} was deleted");
        }
        let moved = self.group.master(1).ask(&format!("EXISTS {}", self.written.join(" "))).expect("an answer");
        assert_ne!(moved, ":0", "no key has moved");
    }
}

async fn expect_success(sent: Vec<JoinHandle<Value>>) {
    for reply in join_all(sent).await {
        let reply = reply.expect("no panic");
        assert_eq!(reply["status"], "SUCCESS", "{reply}");
    }
}

#[tokio::test]
async fn changes_in_flight_are_repeated_on_the_shard_that_a_reload_gives_their_keys() {
    let paused = Paused::start().await;
    let requests = paused.written.iter().map(|key| write(key)).chain(paused.deleted.iter().map(|key| delete(key)));
    let sent = paused.send(requests, 2 * KEYS).await;
    paused.reload(&paused.both()).await;
    paused.resume();
    expect_success(sent).await;
    paused.expect_changed().await;
}

#[tokio::test]
async fn a_batch_in_flight_is_repeated_on_the_shard_that_a_reload_gives_its_keys() {
    let paused = Paused::start().await;
    let (written, deleted) = (paused.written.iter(), paused.deleted.iter());
    let batch: Vec<Value> = written
        .flat_map(|key| [read(key), write(key), read(key)])
        .chain(deleted.flat_map(|key| [read(key), delete(key), read(key)]))
        .collect();
    let sent = paused.send([Value::Array(batch)], 6 * KEYS).await;
    paused.reload(&paused.both()).await;
    paused.resume();
    let replies = join_all(sent).await.remove(0).expect("no panic");
    let replies = replies.as_array().expect("replies");
    for (key, replies) in paused.written.iter().zip(replies[..3 * KEYS].chunks(3)) {
        let statuses: Vec<&Value> = replies.iter().map(|reply| &reply["status"]).collect();
        assert_eq!(statuses, ["NOT_FOUND", "SUCCESS", "SUCCESS"], "{key}: {replies:?}");
        assert_eq!(replies[2]["value"], **key);
    }
    for (key, replies) in paused.deleted.iter().zip(replies[3 * KEYS..].chunks(3)) {
        let statuses: Vec<&Value> = replies.iter().map(|reply| &reply["status"]).collect();
        assert_eq!(statuses, ["SUCCESS", "SUCCESS", "NOT_FOUND"], "{key}: {replies:?}");
        assert_eq!(replies[0]["value"], **key);
    }
    paused.expect_changed().await;
}

#[tokio::test]
async fn changes_in_flight_on_a_lost_shard_run_on_the_shard_that_a_reload_puts_in_its_place() {
    let paused = Paused::start().await;
    let requests = paused.written.iter().map(|key| write(key)).chain(paused.deleted.iter().map(|key| delete(key)));
    let mut batch: Vec<Value> = paused.written.iter().map(|key| write(&format!("batch:{key}"))).collect();
    batch.push(read("batch:written:0"));
    let sent = paused.send(requests.chain([Value::Array(batch)]), 3 * KEYS + 1).await;
    paused.reload(&shard("b", &paused.group.master(1).address.to_string())).await;
    paused.group.master(0).kill();
    let mut sent = sent;
    let batch = sent.pop().expect("a batch").await.expect("no panic");
    let done = batch.as_array().expect("replies").iter().all(|reply| reply["status"] == "SUCCESS");
    assert!(done, "{batch}");
    expect_success(sent).await;
    paused.expect_changed().await;
}

#[tokio::test]
async fn changes_in_flight_are_repeated_on_the_node_that_a_reload_gives_their_shard() {
    let paused = Paused::start().await;
    let requests = paused.written.iter().map(|key| write(key)).chain(paused.deleted.iter().map(|key| delete(key)));
    let mut batch: Vec<Value> = paused.written.iter().map(|key| write(&format!("batch:{key}"))).collect();
    batch.push(read("batch:written:0"));
    let sent = paused.send(requests.chain([Value::Array(batch)]), 3 * KEYS + 1).await;
    paused.reload(&shard("a", &paused.group.master(1).address.to_string())).await;
    paused.resume();
    let mut sent = sent;
    sent.pop().expect("a batch").await.expect("no panic");
    expect_success(sent).await;
    paused.expect_changed().await;
    for key in &paused.written {
        assert_eq!(paused.caller.read(&format!("batch:{key}")).await, Some(json!(format!("batch:{key}"))));
    }
}

/// Reloads that were requested, and those that are known to have been applied.
#[derive(Default)]
struct Reloads {
    requested: AtomicU64,
    applied: AtomicU64,
}

/// Writers that read each key right after they wrote it.
struct Writers {
    caller: Caller,
    reloads: Arc<Reloads>,
    stop: AtomicBool,
    /// Number of writes.
    written: AtomicU64,
    /// Descriptions of reads that did not return what was written.
    wrong: Mutex<Vec<String>>,
}

impl Writers {
    async fn run_one(&self, number: usize) {
        for round in 0_u64.. {
            if self.stop.load(SeqCst) {
                return;
            }
            let key = format!("writer:{number}:{}", round % 16);
            self.caller.write(&key, &json!(round)).await;
            // All reloads until then happened before the write was acknowledged.
            let applied = self.reloads.applied.load(SeqCst);
            let found = self.caller.read(&key).await;
            let requested = self.reloads.requested.load(SeqCst);
            if applied == requested && found != Some(json!(round)) {
                let wrong = format!("{key}: {round} was acknowledged after reload {applied}, then {found:?} was read");
                self.wrong.lock().expect("no panic").push(wrong);
            }
            self.written.fetch_add(1, SeqCst);
        }
    }
}

/// Records which reloads have been applied.
async fn observe(service: &Service, reloads: &Reloads) {
    loop {
        let page = MetricsPage::of(service).await;
        let applied = page.sum("cachefront_settings_reloads_total", "outcome=\"applied\"");
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is a small count")]
        reloads.applied.store(applied as u64, SeqCst);
    }
}

/// Adds and removes a shard, again and again, while the writers go on.
async fn reload_often(service: &Service, added: &str, writers: &Writers) {
    for _ in 0..5 {
        for change in [|text: String, added: &str| text + added, |text: String, added: &str| text.replace(added, "")] {
            let reloads = &writers.reloads;
            let requested = reloads.requested.fetch_add(1, SeqCst) + 1;
            service.edit(|text| change(text, added));
            service.reload();
            eventually("it is applied", async || (reloads.applied.load(SeqCst) == requested).then_some(())).await;
            let before = writers.written.load(SeqCst);
            eventually("writes go on", async || (writers.written.load(SeqCst) >= before + 32).then_some(())).await;
        }
    }
    writers.stop.store(true, SeqCst);
}

#[tokio::test]
async fn writers_read_what_was_acknowledged_after_a_reload() {
    let group = redis(2, 0);
    let masters: [&RedisProcess; 2] = [group.master(0), group.master(1)];
    let paths = masters.map(|master| Proxy::in_front_of(&master.address));
    // Each write is in flight for long enough to meet a reload.
    for path in &paths {
        path.set(Mode::Delay(Duration::from_millis(40)));
    }
    let [first, second] = &paths;
    let service = Service::plain_with("RELOAD_EVERY_SECS=0", &shard("a", &first.address.to_string()));
    let writers = Writers {
        caller: service.caller().await,
        reloads: Arc::default(),
        stop: AtomicBool::default(),
        written: AtomicU64::default(),
        wrong: Mutex::default(),
    };
    let added = shard("b", &second.address.to_string());
    tokio::select! {
        () = observe(&service, &writers.reloads) => {}
        _ = async {
            tokio::join!(
                join_all((0..8).map(|number| writers.run_one(number))),
                reload_often(&service, &added, &writers),
            )
        } => {}
    }
    let wrong = writers.wrong.into_inner().expect("no panic");
    assert_eq!(wrong, Vec::<String>::new());
}
