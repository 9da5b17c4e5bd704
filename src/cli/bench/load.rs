//! The load: one task for each connection, with one request at a time.
//!
//! Without a rate, a connection sends the next request when it has an answer. With a rate, each request is due at a
//! fixed time, and its latency counts from there, so that the latencies show when the service stalls.

use super::{
    account::Account,
    figures::BenchResult,
    keys::{Keys, contains},
};
use crate::{
    cli::remote::{
        connection::{ANSWER_TIMEOUT, Connection, HttpAnswer},
        error::RemoteError,
        url::ServiceUrl,
    },
    server::Shutdown,
    types::error_chain,
};
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

/// Time for which a connection sends nothing after a failure, unless the answer has a `Retry-After`.
const BACKOFF: Duration = Duration::from_millis(100);

/// The parameters of a load test.
#[derive(Clone)]
pub struct LoadTest {
    /// The tested service.
    pub target: ServiceUrl,
    /// The source of tokens.
    pub account: Arc<Account>,
    /// The keys that are read and written.
    pub keys: Arc<Keys>,
    /// Number of connections.
    pub connections: u32,
    /// Time of the test.
    pub duration: Duration,
    /// Requests per second of all connections together; `None` for as many as are answered.
    pub rate: Option<f64>,
    /// Number of WRITEs among 100 requests.
    pub writes_percent: u64,
    /// Counters for the display of progress.
    pub live: Arc<LiveFigures>,
}

/// Counters of a load test that runs.
#[derive(Default)]
pub struct LiveFigures {
    /// Successful requests.
    pub answered: AtomicU64,
    /// Failed requests.
    pub failed: AtomicU64,
}

impl LoadTest {
    /// Runs to the end or until a shutdown is requested. Returns the elapsed time and the results.
    pub async fn run(&self, shutdown: &Shutdown) -> (Duration, BenchResult) {
        let mut tasks = JoinSet::new();
        let start = Instant::now();
        for number in 0..self.connections {
            let worker = LoadWorker::new(self.clone(), number, start);
            tasks.spawn(worker.run(shutdown.clone()));
        }
        let mut all = BenchResult::default();
        while let Some(figures) = tasks.join_next().await {
            all.add(figures.unwrap_or_default());
        }
        (start.elapsed(), all)
    }
}

/// One connection of the load test.
struct LoadWorker {
    load: LoadTest,
    end: Instant,
    /// Time at which the next request is due, if there is a rate.
    due: Instant,
    /// Time between two due requests.
    interval: Option<Duration>,
    random: u64,
    connection: Option<Connection>,
    figures: BenchResult,
}

impl LoadWorker {
    fn new(load: LoadTest, number: u32, start: Instant) -> Self {
        let interval = load.rate.map(|rate| Duration::from_secs_f64(f64::from(load.connections) / rate));
        let offset = interval.unwrap_or_default().mul_f64(f64::from(number) / f64::from(load.connections));
        Self {
            end: start + load.duration,
            due: start + offset,
            interval,
            random: u64::from(number) << 32,
            connection: None,
            figures: BenchResult::default(),
            load,
        }
    }

    async fn run(mut self, shutdown: Shutdown) -> BenchResult {
        let end = self.end;
        tokio::select! {
            biased;
            // A request in flight is not counted.
            () = shutdown.requested() => {}
            () = self.work() => {
                // Requests that were due before the end and not sent are counted, too.
                while self.interval.is_some_and(|_| self.due < end) {
                    self.figures.not_sent += 1;
                    self.schedule_next();
                }
            }
        }
        self.figures
    }

    /// Sends requests until the end.
    async fn work(&mut self) {
        loop {
            if self.interval.is_some() {
                sleep_until(self.due.min(self.end)).await;
            }
            if Instant::now() >= self.end || (self.interval.is_some() && self.due >= self.end) {
                return;
            }
            let backoff = self.send_one().await;
            self.schedule_next();
            if let Some(backoff) = backoff {
                self.back_off(backoff).await;
            }
        }
    }

    fn schedule_next(&mut self) {
        self.due += self.interval.unwrap_or_default();
    }

    /// Sends nothing for some time. Requests that would have been due are left out: the service did not stall.
    async fn back_off(&mut self, time: Duration) {
        let until = (Instant::now() + time).min(self.end);
        self.figures.backoff += until.saturating_duration_since(Instant::now());
        sleep_until(until).await;
        while self.interval.is_some() && self.due < until {
            self.figures.skipped += 1;
            self.schedule_next();
        }
    }

    /// Sends one request; returns the time to wait after it.
    async fn send_one(&mut self) -> Option<Duration> {
        let random = self.random();
        let number = usize::try_from((random >> 8) % self.load.keys.count as u64).unwrap_or_default();
        let is_write = random % 100 < self.load.writes_percent;
        let keys = &self.load.keys;
        let command = if is_write { keys.write(number) } else { keys.read(number) };
        let mut from = if self.interval.is_some() { self.due } else { Instant::now() };
        let answer = match self.connected().await {
            Err(error) => Err(error),
            Ok(mut connection) => {
                if self.interval.is_none() {
                    // Without a rate, the latency does not include the time for connecting.
                    from = Instant::now();
                }
                let answer = self.send(&mut connection, command).await;
                self.connection = answer.is_ok().then_some(connection);
                answer
            }
        };
        self.record(is_write, from.elapsed(), answer)
    }

    async fn send(&self, connection: &mut Connection, command: String) -> Result<HttpAnswer, RemoteError> {
        let token = self.load.account.token();
        let request = self.load.target.request("/cache", Some(&token), Bytes::from(command))?;
        connection.send(request, ANSWER_TIMEOUT).await
    }

    /// Takes the open connection, or opens a new one. The caller puts it back if it is still usable.
    async fn connected(&mut self) -> Result<Connection, RemoteError> {
        if let Some(mut connection) = self.connection.take()
            && connection.is_ready().await
        {
            return Ok(connection);
        }
        self.load.target.connect().await
    }

    /// Counts a request; returns the time to wait after a failure.
    fn record(&mut self, is_write: bool, took: Duration, answer: Result<HttpAnswer, RemoteError>) -> Option<Duration> {
        let (code, backoff) = match answer {
            Ok(answer) if answer.status == 200 => {
                let command = if is_write { &mut self.figures.writes } else { &mut self.figures.reads };
                command.record(took);
                let missed = !is_write && contains(&answer.body, br#""status":"NOT_FOUND""#);
                self.figures.misses += u64::from(missed);
                self.load.live.answered.fetch_add(1, Relaxed);
                return None;
            }
            Ok(answer) => (answer.code(), answer.retry_after),
            Err(error) => (error_chain(&error), None),
        };
        self.figures.record_failure(code, took);
        self.load.live.failed.fetch_add(1, Relaxed);
        Some(backoff.unwrap_or(BACKOFF))
    }

    /// Returns the next pseudo-random number (`SplitMix64`, Steele et al. 2014).
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
