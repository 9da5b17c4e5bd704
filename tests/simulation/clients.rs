//! Clients: they use the API of a store and record what they asked for and what they were answered.

use crate::{
    history::{Action, Answer, Record, Wanted},
    rng::Rng,
    world::{Ms, Sim},
};
use cachefront::{
    store::{self, Freshness, Operation, OperationKind, REPLY_BYTES_MAX, Store, StoreError, SyncToken},
    types::{Deadline, FullKey, Key, Ttl},
};
use std::{
    borrow::Cow,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::sleep;

/// The time that a request may take.
pub const DEADLINE: Duration = Duration::from_secs(1);

/// Values of clients have greater numbers; the first ones are there before all clients.
const FIRST_VALUE: u32 = 1000;

/// The key that is never deleted and whose values never expire.
const KEPT_KEY: &str = "key0";

/// Everything that clients share.
#[derive(Default)]
pub struct Shared {
    pub records: Mutex<Vec<Record>>,
    /// The last token of each client, with the instance and the time of its issue.
    tokens: Mutex<Vec<(SyncToken, usize, Ms)>>,
    values: Mutex<u32>,
    batches: Mutex<usize>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Returns a number that no other value has.
    pub fn next_value(&self) -> u32 {
        let mut values = lock(&self.values);
        *values += 1;
        FIRST_VALUE + *values
    }
}

/// A client.
pub struct Caller {
    pub sim: Arc<Sim>,
    pub rng: Rng,
    pub number: usize,
    pub instance: usize,
    pub store: Store,
    pub shared: Arc<Shared>,
    pub keys: usize,
    pub end: Ms,
    /// The longest time between two requests.
    pub think_max: Ms,
}

impl Caller {
    /// Asks until the end.
    pub async fn run(mut self) {
        while self.sim.now() < self.end {
            let key = self.key();
            match self.rng.below(100) {
                0..50 => self.read(key).await,
                50..82 => {
                    let write = self.write_action(&key);
                    self.change(key, write).await;
                }
                82..90 if key != KEPT_KEY => {
                    self.change(key, Action::Delete).await;
                }
                _ => self.batch().await,
            }
            sleep(Duration::from_millis(self.rng.range((0, self.think_max)))).await;
        }
    }

    fn key(&mut self) -> String {
        format!("key{}", self.rng.below(self.keys))
    }

    fn write_action(&mut self, key: &str) -> Action {
        let ttl_secs = (key != KEPT_KEY && self.rng.chance(15)).then(|| self.rng.range((1, 3)));
        let replicas = if self.rng.chance(15) { u32::try_from(self.rng.range((1, 2))).expect("small") } else { 0 };
        Action::Write { value: self.shared.next_value(), ttl_secs, replicas }
    }

    /// Draws the freshness of a read; tokens come from any client.
    fn wanted(&mut self) -> (Wanted, Freshness) {
        match self.rng.below(10) {
            0..6 => (Wanted::Own, Freshness::ReadYourWrites),
            6..8 => (Wanted::Strict, Freshness::Master),
            _ => {
                let tokens = lock(&self.shared.tokens);
                let Some((token, instance, issued)) = tokens.get(self.rng.below(tokens.len())).copied() else {
                    return (Wanted::Own, Freshness::ReadYourWrites);
                };
                (Wanted::Token { issued, instance }, self.store.freshness(&token))
            }
        }
    }

    /// Reads a key.
    pub async fn read(&mut self, key: String) {
        let (wanted, freshness) = self.wanted();
        self.read_as(key, wanted, freshness).await;
    }

    /// Reads a key with this freshness.
    pub async fn read_as(&mut self, key: String, wanted: Wanted, freshness: Freshness) -> Answer {
        let asked = self.sim.now();
        let found = self.store.get(&full(&key), freshness, Deadline::within(DEADLINE)).await;
        let answer = answer(found.map(|bytes| Answer::Value(bytes.map(|bytes| number(&bytes)))));
        self.record(None, key, Action::Read(wanted), asked, answer.clone());
        answer
    }

    /// Writes or deletes a key.
    pub async fn change(&mut self, key: String, action: Action) -> Answer {
        let asked = self.sim.now();
        let (full_key, deadline) = (full(&key), Deadline::within(DEADLINE));
        let result = match &action {
            Action::Delete => self.store.delete(&full_key, deadline).await.map(Answer::Deleted),
            _ => {
                self.store.set(&full_key, &operation(&action, Freshness::Master), deadline).await.map(|_| Answer::Done)
            }
        };
        let answer = answer(result);
        self.record(None, key, action, asked, answer.clone());
        self.take_token();
        answer
    }

    /// Runs up to five operations at once, often several on the same key.
    async fn batch(&mut self) {
        let asked = self.sim.now();
        let (first, second) = (self.key(), self.key());
        let mut actions = Vec::new();
        for _ in 0..=self.rng.range((1, 4)) {
            let key = if self.rng.chance(60) { first.clone() } else { second.clone() };
            let (action, freshness) = match self.rng.below(10) {
                0..5 => {
                    let (wanted, freshness) = self.wanted();
                    (Action::Read(wanted), freshness)
                }
                5..9 => (self.write_action(&key), Freshness::Master),
                _ if key == KEPT_KEY => (Action::Read(Wanted::Own), Freshness::ReadYourWrites),
                _ => (Action::Delete, Freshness::Master),
            };
            actions.push((key, action, freshness));
        }
        let keys: Vec<FullKey<'_>> = actions.iter().map(|(key, ..)| full(key)).collect();
        let operations: Vec<Operation<'_>> = keys
            .iter()
            .zip(&actions)
            .map(|(key, (_, action, freshness))| Operation { key, kind: operation(action, *freshness) })
            .collect();
        let deadline = Deadline::within(DEADLINE);
        let (results, ()) = self.store.batch(&operations, REPLY_BYTES_MAX, std::future::ready(()), deadline).await;
        let number_of_batch = {
            let mut batches = lock(&self.shared.batches);
            *batches += 1;
            *batches
        };
        for ((key, action, _), result) in actions.iter().zip(results) {
            let answer = answer(result.map(|answer| match answer {
                store::Answer::Got(bytes) => Answer::Value(bytes.map(|bytes| number(&bytes))),
                store::Answer::Stored { .. } => Answer::Done,
                store::Answer::Deleted(existed) => Answer::Deleted(existed),
            }));
            self.record(Some(number_of_batch), key.clone(), action.clone(), asked, answer);
        }
        self.take_token();
    }

    /// Keeps a token of what was acknowledged until now, for any client to use.
    fn take_token(&mut self) {
        let token = (self.store.sync_token(), self.instance, self.sim.now());
        let mut tokens = lock(&self.shared.tokens);
        if tokens.len() < 6 {
            tokens.push(token);
        } else {
            let replaced = self.rng.below(tokens.len());
            tokens[replaced] = token;
        }
    }

    fn record(&self, batch: Option<usize>, key: String, action: Action, asked: Ms, answer: Answer) {
        let (client, instance, answered) = (self.number, self.instance, self.sim.now());
        lock(&self.shared.records).push(Record { client, instance, batch, key, action, asked, answered, answer });
    }
}

/// Returns the key as the store takes it.
fn full(key: &str) -> FullKey<'static> {
    Key::new(Cow::Owned(key.to_owned())).expect("a valid key").within(None).to_owned()
}

fn operation(action: &Action, freshness: Freshness) -> OperationKind<'static> {
    match action {
        Action::Read(_) => OperationKind::Get(freshness),
        Action::Delete => OperationKind::Delete,
        Action::Write { value, ttl_secs, replicas } => OperationKind::Set {
            bytes: Cow::Owned(format!("v{value}").into_bytes()),
            ttl: ttl_secs.and_then(|secs| Ttl::from_secs(i64::try_from(secs).ok()?)).unwrap_or(Ttl::Never),
            replicas: *replicas,
        },
    }
}

/// Returns the number of a value.
fn number(bytes: &[u8]) -> u32 {
    let text = std::str::from_utf8(bytes).expect("a text");
    text.strip_prefix('v').and_then(|number| number.parse().ok()).expect("a value of a client")
}

fn answer(result: Result<Answer, StoreError>) -> Answer {
    match result {
        Ok(answer) => answer,
        Err(error @ (StoreError::Unconfirmed { .. } | StoreError::DeadlinePassed { .. })) => {
            Answer::Unknown(error.to_string())
        }
        Err(error) => Answer::Refused(error.to_string()),
    }
}
