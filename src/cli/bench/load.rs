//! The load itself: one task per connection, each with one request at a time.
//!
//! Without a rate a connection asks again as soon as it has its answer. With one, each request has a time at which it
//! is due, whatever became of those before: its latency counts from there, so that a service that stalls is seen to.

use super::{
    account::Account,
    figures::Figures,
    keys::{Keys, contains},
    target::{Connection, HttpAnswer, ServiceUrl},
};
use crate::server::Shutdown;
use bytes::Bytes;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

/// After a failure a connection rests for so long, unless the answer says how long.
const REST: Duration = Duration::from_millis(100);

/// What is to be done.
#[derive(Clone)]
pub struct LoadTest {
    pub target: ServiceUrl,
    pub account: Arc<Account>,
    pub keys: Arc<Keys>,
    pub connections: u32,
    pub duration: Duration,
    /// Requests per second of all connections together.
    pub rate: Option<f64>,
    /// Of 100 requests.
    pub writes_percent: u64,
    pub live: Arc<LiveFigures>,
}

/// How far it has come.
#[derive(Default)]
pub struct LiveFigures {
    pub answered: AtomicU64,
    pub failed: AtomicU64,
}

impl LoadTest {
    /// Runs to the end, or until `stop` is asked. Returns how long that took, and all that was seen.
    pub async fn run(&self, stop: &Shutdown) -> (Duration, Figures) {
        let mut tasks = JoinSet::new();
        let start = Instant::now();
        for number in 0..self.connections {
            let worker = LoadWorker::new(self.clone(), number, start);
            let stop = stop.clone();
            tasks.spawn(worker.run(stop));
        }
        let mut all = Figures::default();
        while let Some(figures) = tasks.join_next().await {
            all.add(figures.unwrap_or_default());
        }
        (start.elapsed(), all)
    }
}

struct LoadWorker {
    load: LoadTest,
    end: Instant,
    /// The next request is due then, where there is a rate.
    due: Instant,
    /// From one that is due to the next.
    step: Option<Duration>,
    random: u64,
    connection: Option<Connection>,
    figures: Figures,
}

impl LoadWorker {
    fn new(load: LoadTest, number: u32, start: Instant) -> Self {
        let step = load.rate.map(|rate| Duration::from_secs_f64(f64::from(load.connections) / rate));
        let offset = step.unwrap_or_default().mul_f64(f64::from(number) / f64::from(load.connections));
        Self {
            end: start + load.duration,
            due: start + offset,
            step,
            random: u64::from(number) << 32,
            connection: None,
            figures: Figures::default(),
            load,
        }
    }

    async fn run(mut self, stop: Shutdown) -> Figures {
        let end = self.end;
        tokio::select! {
            biased;
            // What is on its way is not counted.
            () = stop.requested() => {}
            () = self.work() => {
                // What was due by then, and would have been late, was not sent.
                while self.step.is_some_and(|_| self.due < end) {
                    self.figures.not_sent += 1;
                    self.next();
                }
            }
        }
        self.figures
    }

    async fn work(&mut self) {
        loop {
            if self.step.is_some() {
                sleep_until(self.due.min(self.end)).await;
            }
            if Instant::now() >= self.end || (self.step.is_some() && self.due >= self.end) {
                return;
            }
            let rest = self.one().await;
            self.next();
            if let Some(rest) = rest {
                self.rest(rest).await;
            }
        }
    }

    fn next(&mut self) {
        self.due += self.step.unwrap_or_default();
    }

    /// Sends nothing for so long. What would have been due is left out: it was not the service that stalled.
    async fn rest(&mut self, time: Duration) {
        let until = (Instant::now() + time).min(self.end);
        self.figures.rested += until.saturating_duration_since(Instant::now());
        sleep_until(until).await;
        while self.step.is_some() && self.due < until {
            self.figures.held_back += 1;
            self.next();
        }
    }

    /// One request; returns how long to rest after it.
    async fn one(&mut self) -> Option<Duration> {
        let random = self.random();
        let number = usize::try_from((random >> 8) % self.load.keys.count as u64).unwrap_or_default();
        let is_write = random % 100 < self.load.writes_percent;
        let keys = &self.load.keys;
        let command = if is_write { keys.write(number) } else { keys.read(number) };
        let mut from = if self.step.is_some() { self.due } else { Instant::now() };
        let answer = match self.connected().await {
            Err(error) => Err(error),
            Ok(mut connection) => {
                if self.step.is_none() {
                    // Connecting is no part of a request where nothing is due.
                    from = Instant::now();
                }
                let answer = self.ask(&mut connection, command).await;
                self.connection = answer.is_ok().then_some(connection);
                answer
            }
        };
        self.note(is_write, from.elapsed(), answer)
    }

    async fn ask(&self, connection: &mut Connection, command: String) -> Result<HttpAnswer, String> {
        let token = self.load.account.token();
        let request = self.load.target.request("/cache", Some(&token), Bytes::from(command))?;
        connection.ask(request).await.map_err(str::to_owned)
    }

    /// The connection, which is given back if it is of use any longer.
    async fn connected(&mut self) -> Result<Connection, String> {
        if let Some(mut connection) = self.connection.take()
            && connection.is_ready().await
        {
            return Ok(connection);
        }
        self.load.target.connect().await.map_err(|error| format!("cannot connect: {error}"))
    }

    fn note(&mut self, is_write: bool, took: Duration, answer: Result<HttpAnswer, String>) -> Option<Duration> {
        let (code, rest) = match answer {
            Ok(answer) if answer.status == 200 => {
                let command = if is_write { &mut self.figures.writes } else { &mut self.figures.reads };
                command.note(took);
                let missed = !is_write && contains(&answer.body, br#""status":"NOT_FOUND""#);
                self.figures.misses += u64::from(missed);
                self.load.live.answered.fetch_add(1, Relaxed);
                return None;
            }
            Ok(answer) => (answer.code(), answer.retry_after),
            Err(error) => (error, None),
        };
        self.figures.note_failure(code, took);
        self.load.live.failed.fetch_add(1, Relaxed);
        Some(rest.unwrap_or(REST))
    }

    /// The next of a sequence that looks random (`SplitMix64`, Steele et al. 2014).
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
