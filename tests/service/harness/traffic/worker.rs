//! The readers and writers of a load.

use super::{
    Load,
    ledger::{Ledger, ReadCheck, value},
    summary::LoadSummary,
};
use crate::harness::{API_KEY, Caller};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};
use std::{
    collections::HashSet,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

/// Codes of refusals without any change. After any other code a write may have been done.
const REFUSALS: [&str; 4] = ["shard_unavailable", "overloaded", "out_of_memory", "no_connection"];
/// Number of turns after which a writer sends a batch.
const BATCH_EVERY: u64 = 4;

/// The kind of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Read,
    Write,
}

/// The state that all clients of a load share.
pub struct Shared {
    /// The parameters of the load.
    pub load: Load,
    /// The ledger of all writes.
    pub ledger: Ledger,
    /// Number of successful reads of each reader.
    reads: Vec<AtomicU64>,
    /// Number of successful writes of each writer.
    writes: Vec<AtomicU64>,
    /// The key of each slot; it is replaced when it must not be written any more.
    keys: Vec<Mutex<Key>>,
    codes: Mutex<HashSet<String>>,
}

/// The current key of a slot.
#[derive(Clone, Default)]
struct Key {
    name: String,
    generation: u64,
}

/// Locks a mutex, even after a panic of another thread.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Returns the state of a load that has not begun.
    pub fn new(load: Load) -> Self {
        let zeros = |count| (0..count).map(|_| AtomicU64::new(0)).collect::<Vec<_>>();
        let first = |slot| Mutex::new(Key { name: format!("load:{slot}:0"), generation: 0 });
        Self {
            ledger: Ledger::default(),
            reads: zeros(load.pairs),
            writes: zeros(load.pairs),
            keys: (0..load.pairs * load.keys).map(first).collect(),
            codes: Mutex::default(),
            load,
        }
    }

    /// Returns the number of successes of each reader or of each writer.
    pub fn successes(&self, operation: Operation) -> Vec<u64> {
        let all = if operation == Operation::Read { &self.reads } else { &self.writes };
        all.iter().map(|count| count.load(Relaxed)).collect()
    }

    /// Returns whether a command has failed with this code.
    pub fn has_failed_with(&self, code: &str) -> bool {
        locked(&self.codes).contains(code)
    }

    fn key(&self, slot: usize) -> Key {
        locked(&self.keys[slot % self.keys.len()]).clone()
    }

    /// Replaces the key of a slot, because its last write may still be done.
    fn retire(&self, slot: usize) {
        let mut key = locked(&self.keys[slot % self.keys.len()]);
        key.generation += 1;
        key.name = format!("load:{slot}:{}", key.generation);
    }
}

/// Runs the load until it is stopped.
pub async fn run(shared: &Shared, stop: &AtomicBool) -> LoadSummary {
    let token = Caller::log_in_at(&shared.load.instances[0], API_KEY, None).await.token;
    let mut clients: Vec<Client> =
        (0..shared.load.pairs * 2).map(|number| Client::new(shared, &token, number)).collect();
    // Every key exists before it is read.
    for slot in 0..shared.keys.len() {
        let written = clients[0].write(slot).await;
        assert!(written, "the load cannot begin: {:?}", clients[0].summary);
    }
    let tasks = clients.into_iter().map(async |mut client| {
        client.last_success = Instant::now();
        while !stop.load(Relaxed) {
            client.turn().await;
            // The pace of the load.
            tokio::time::sleep(shared.load.pause).await;
        }
        client.record_stall();
        client.summary
    });
    let mut summary = LoadSummary::default();
    for one in futures_util::future::join_all(tasks).await {
        summary.merge(one);
    }
    summary
}

/// Reasons for the lack of a reply.
enum Failed {
    /// The service answered with this error code.
    Code(String),
    /// The service did not accept the request.
    NoConnection,
    NoAnswer,
}

/// One reader or writer.
struct Client<'a> {
    shared: &'a Shared,
    http: reqwest::Client,
    token: &'a str,
    operation: Operation,
    /// Number of this client among the readers or among the writers.
    number: usize,
    /// Position of the instance to which requests are sent.
    instance: usize,
    turns: u64,
    last_success: Instant,
    summary: LoadSummary,
}

impl<'a> Client<'a> {
    fn new(shared: &'a Shared, token: &'a str, number: usize) -> Self {
        let builder = Caller::http().timeout(shared.load.timeout);
        // Replies could be mixed up over both protocols.
        let builder = if number % 4 < 2 { builder } else { builder.http1_only() };
        Self {
            shared,
            http: builder.build().expect("a client"),
            token,
            operation: if number.is_multiple_of(2) { Operation::Read } else { Operation::Write },
            number: number / 2,
            instance: number / 2 % shared.load.instances.len(),
            turns: 0,
            last_success: Instant::now(),
            summary: LoadSummary::default(),
        }
    }

    async fn turn(&mut self) {
        self.turns += 1;
        let turn = usize::try_from(self.turns).unwrap_or(0);
        let own = self.number * self.shared.load.keys + turn % self.shared.load.keys;
        let succeeded = match self.operation {
            // Another order of keys than that of the writers, so that they do not go in step.
            Operation::Read => self.read(turn * 7 + self.number).await,
            Operation::Write if self.turns.is_multiple_of(BATCH_EVERY) => self.batch(own, own + turn).await,
            Operation::Write if self.turns % 2 == 1 => self.write_once().await,
            Operation::Write => self.write(own).await,
        };
        if succeeded {
            self.record_stall();
            let count = if self.operation == Operation::Read { &self.shared.reads } else { &self.shared.writes };
            count[self.number].fetch_add(1, Relaxed);
        }
    }

    fn record_stall(&mut self) {
        let stall = self.last_success.elapsed();
        let longest = match self.operation {
            Operation::Read => &mut self.summary.read_stall,
            Operation::Write => &mut self.summary.write_stall,
        };
        *longest = stall.max(*longest);
        self.last_success = Instant::now();
    }

    async fn read(&mut self, slot: usize) -> bool {
        let key = self.shared.key(slot);
        let floor = self.shared.ledger.last_acknowledged(&key.name);
        self.summary.requests += 1;
        let answer = self.ask(&json!({"command": "READ", "key": key.name}), true).await;
        match answer {
            Ok(reply) => {
                self.check_read(&key, floor, &reply);
                true
            }
            Err(failed) => self.fail(Operation::Read, failed),
        }
    }

    /// Writes the next version of a slot's key.
    async fn write(&mut self, slot: usize) -> bool {
        let key = self.shared.key(slot).name;
        self.write_key(Some(slot), &key).await
    }

    /// Writes a key that is never written again, so that no later write covers the loss of this one.
    async fn write_once(&mut self) -> bool {
        let key = format!("once:{}:{}", self.number, self.turns);
        self.write_key(None, &key).await
    }

    async fn write_key(&mut self, slot: Option<usize>, key: &str) -> bool {
        let (version, value, command) = self.next_write(key);
        self.summary.requests += 1;
        let answer = self.ask(&command, false).await;
        self.settle_write(slot, key, version, &value, answer)
    }

    /// Writes a key and reads it and another one in one request.
    async fn batch(&mut self, slot: usize, other: usize) -> bool {
        let (own, other) = (self.shared.key(slot), self.shared.key(other));
        let (version, value, command) = self.next_write(&own.name);
        let floor = self.shared.ledger.last_acknowledged(&other.name);
        let read = |key: &Key| json!({"command": "READ", "key": key.name});
        self.summary.requests += 3;
        let mut replies = match self.ask(&json!([command, read(&own), read(&other)]), false).await {
            Ok(replies) => replies,
            Err(failed) => return self.settle_write(Some(slot), &own.name, version, &value, Err(failed)),
        };
        if replies.as_array().map(Vec::len) != Some(3) {
            self.shared.ledger.add_violation(format!("a batch of three was answered {replies}"));
            return false;
        }
        let mut take = |position: usize| checked(replies[position].take());
        let (written, changed, others) = (take(0), take(1), take(2));
        let succeeded = self.settle_write(Some(slot), &own.name, version, &value, written);
        // A batch sees its own changes.
        let own_floor = if succeeded { Some(version) } else { None };
        for (key, floor, reply) in [(&own, own_floor, changed), (&other, floor, others)] {
            match reply {
                Ok(reply) if key.name == other.name => self.check_read(key, floor, &reply),
                Ok(reply) => {
                    if matches!(self.shared.ledger.check_read(&key.name, floor, &reply), ReadCheck::Stale) {
                        self.shared
                            .ledger
                            .add_violation(format!("a batch did not see its own write {version}: {reply}"));
                    }
                }
                // The key that the batch writes is read from the master.
                Err(failed) => {
                    self.fail(if key.name == own.name { Operation::Write } else { Operation::Read }, failed);
                }
            }
        }
        succeeded
    }

    /// Returns version, value and command of the next write of a key.
    fn next_write(&self, key: &str) -> (u64, String, Value) {
        let version = self.shared.ledger.send(key);
        let value = value(key, version, self.shared.load.padding_bytes);
        let mut command = json!({"command": "WRITE", "key": key, "value": value});
        if let Some(replicas) = self.shared.load.replicas {
            command["replicas"] = json!(replicas);
        }
        (version, value, command)
    }

    fn settle_write(
        &mut self,
        slot: Option<usize>,
        key: &str,
        version: u64,
        value: &str,
        answer: Result<Value, Failed>,
    ) -> bool {
        let failed = match answer {
            Ok(reply) => {
                self.shared.ledger.check_write(value, &reply);
                self.shared.ledger.acknowledge(key, version);
                return true;
            }
            Err(failed) => failed,
        };
        match &failed {
            Failed::Code(code) if REFUSALS.contains(&code.as_str()) => self.shared.ledger.refuse(key, version),
            Failed::NoConnection => self.shared.ledger.refuse(key, version),
            Failed::Code(_) | Failed::NoAnswer => {
                if let Some(slot) = slot {
                    self.shared.retire(slot);
                }
            }
        }
        self.fail(Operation::Write, failed)
    }

    fn check_read(&mut self, key: &Key, floor: Option<u64>, reply: &Value) {
        // A key that replaced another one may not be on the replica yet.
        if key.generation > 0 && reply["status"] == "NOT_FOUND" && !self.shared.load.reads_own_writes {
            self.summary.stale += u64::from(floor.is_some());
            return;
        }
        if matches!(self.shared.ledger.check_read(&key.name, floor, reply), ReadCheck::Stale) {
            self.summary.stale += 1;
            if self.shared.load.reads_own_writes {
                let version = floor.unwrap_or(0);
                self.shared.ledger.add_violation(format!("version {version} was acknowledged, then came {reply}"));
            }
        }
    }

    /// Records a failure; returns false, for it is no success.
    fn fail(&mut self, operation: Operation, failed: Failed) -> bool {
        let code = match failed {
            Failed::Code(code) => code,
            Failed::NoConnection => "no_connection".to_owned(),
            Failed::NoAnswer => "no_answer".to_owned(),
        };
        locked(&self.shared.codes).insert(code.clone());
        let failed = match operation {
            Operation::Read => &mut self.summary.reads_failed,
            Operation::Write => &mut self.summary.writes_failed,
        };
        *failed.entry(code).or_default() += 1;
        false
    }

    /// Sends a body to the instance of this caller, and to the next one if the first does not accept it, or, if it
    /// `may_be_repeated`, does not answer.
    async fn ask(&mut self, body: &Value, may_be_repeated: bool) -> Result<Value, Failed> {
        let mut answer = self.ask_one(body).await;
        for _ in 1..self.shared.load.instances.len() {
            match answer {
                Err(Failed::NoConnection) => {}
                Err(Failed::NoAnswer) if may_be_repeated => {}
                answer => return answer,
            }
            self.summary.moved += 1;
            answer = self.ask_one(body).await;
        }
        answer
    }

    /// Sends a body to the instance of this caller. After an instance without an answer the next one is used.
    async fn ask_one(&mut self, body: &Value) -> Result<Value, Failed> {
        let url = format!("{}/cache", self.shared.load.instances[self.instance]);
        let request = self.http.post(url).header(AUTHORIZATION, format!("Bearer {}", self.token));
        let request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        let answer = async { request.send().await?.json::<Value>().await };
        match answer.await {
            Ok(reply) => checked(reply),
            Err(error) => {
                self.instance = (self.instance + 1) % self.shared.load.instances.len();
                Err(if error.is_connect() { Failed::NoConnection } else { Failed::NoAnswer })
            }
        }
    }
}

/// Returns the reply, unless it is an error.
fn checked(reply: Value) -> Result<Value, Failed> {
    if reply["status"] == "ERROR" {
        Err(Failed::Code(reply["code"].as_str().unwrap_or("no code").to_owned()))
    } else {
        Ok(reply)
    }
}
