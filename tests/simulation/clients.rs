//! Clients: they use the API of a store and record what they asked for and what they were answered.

use crate::{
    frontend::Frontend,
    history::{Action, Answer, Record, Wanted},
    rng::Rng,
    world::{Ms, Sim},
};
use cachefront::store::{Freshness, SyncToken};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::sleep;

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

    fn next_batch(&self) -> usize {
        let mut batches = lock(&self.batches);
        *batches += 1;
        *batches
    }
}

/// A client.
pub struct Caller {
    pub sim: Arc<Sim>,
    pub rng: Rng,
    pub number: usize,
    pub instance: usize,
    pub frontend: Frontend,
    pub shared: Arc<Shared>,
    pub keys: usize,
    /// No client changes [`KEPT_KEY`], so that replicas may always answer its reads.
    pub spares_kept_key: bool,
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
                50..90 if self.is_spared(&key) => self.read(key).await,
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

    fn is_spared(&self, key: &str) -> bool {
        self.spares_kept_key && key == KEPT_KEY
    }

    fn write_action(&mut self, key: &str) -> Action {
        let ttl_secs = (key != KEPT_KEY && self.rng.chance(15)).then(|| self.rng.range((1, 3)));
        let replicas = if self.rng.chance(15) { u32::try_from(self.rng.range((1, 2))).expect("small") } else { 0 };
        Action::Write { value: self.shared.next_value(), ttl_secs, replicas }
    }

    /// Draws the freshness of a request; tokens come from any client.
    fn wanted(&mut self) -> (Wanted, Freshness) {
        let tokens = lock(&self.shared.tokens);
        let drawn = tokens.get(self.rng.below(tokens.len())).copied().filter(|_| self.rng.chance(25));
        drawn.map_or((Wanted::Own, Freshness::ReadYourWrites), |(token, instance, issued)| {
            (Wanted::Token { issued, instance }, self.frontend.store.freshness(&token))
        })
    }

    /// Returns a read with this freshness, or a strict one.
    fn read_action(&mut self, wanted: &Wanted) -> Action {
        Action::Read(if self.rng.chance(20) { Wanted::Strict } else { wanted.clone() })
    }

    /// Reads a key.
    async fn read(&mut self, key: String) {
        let (wanted, freshness) = self.wanted();
        let action = self.read_action(&wanted);
        self.run_one(key, action, freshness).await;
    }

    /// Writes or deletes a key.
    pub async fn change(&mut self, key: String, action: Action) -> Answer {
        let answer = self.run_one(key, action, Freshness::ReadYourWrites).await;
        self.take_token();
        answer
    }

    /// Runs one operation; a read has at least this freshness.
    pub async fn run_one(&mut self, key: String, action: Action, freshness: Freshness) -> Answer {
        let asked = self.sim.now();
        let answer = self.frontend.run(&key, &action, freshness).await;
        self.record(None, key, action, asked, answer.clone());
        answer
    }

    /// Runs up to five operations at once, often several on the same key.
    async fn batch(&mut self) {
        let asked = self.sim.now();
        let (first, second, (wanted, freshness)) = (self.key(), self.key(), self.wanted());
        let mut actions = Vec::new();
        for _ in 0..=self.rng.range((1, 4)) {
            let key = if self.rng.chance(60) { first.clone() } else { second.clone() };
            let action = match self.rng.below(10) {
                _ if self.is_spared(&key) => self.read_action(&wanted),
                5..9 => self.write_action(&key),
                9 if key != KEPT_KEY => Action::Delete,
                _ => self.read_action(&wanted),
            };
            actions.push((key, action));
        }
        let answers = self.frontend.batch(&actions, freshness).await;
        let number = self.shared.next_batch();
        for ((key, action), answer) in actions.into_iter().zip(answers) {
            self.record(Some(number), key, action, asked, answer);
        }
        self.take_token();
    }

    /// Keeps a token of what was acknowledged until now, for any client to use.
    fn take_token(&mut self) {
        let token = (self.frontend.store.sync_token(), self.instance, self.sim.now());
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
