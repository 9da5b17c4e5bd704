//! A continuous load that checks every reply while a fault lasts.
//!
//! Writers write their own keys, readers read all keys. Each value contains its key and a version. This reveals a
//! reply that reached the wrong caller, a write that was refused and done nevertheless, and an acknowledged write that
//! was lost. A key whose write had an unknown outcome is not written any more: a late write could otherwise be
//! mistaken for a loss.

mod ledger;
mod summary;
mod worker;

pub use summary::LoadSummary;

use super::{API_KEY, Caller, MetricsPage, Service, WAIT_TIMEOUT, eventually};
use ledger::Ledger;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};
use worker::{Operation, Shared};

/// Parameters of a load.
#[derive(Clone)]
pub struct Load {
    /// Base URLs of the instances. Callers are spread over them, and use the next one if theirs does not answer.
    pub instances: Vec<String>,
    /// Number of readers, and of writers.
    pub pairs: usize,
    /// Number of keys of each writer.
    pub keys: usize,
    /// Pause between two requests of a reader or writer, so that the machine is not the bottleneck.
    pub pause: Duration,
    /// Number of bytes that are added to each value.
    pub padding_bytes: usize,
    /// Number of replicas that have to confirm a write before it is acknowledged.
    pub replicas: Option<u32>,
    /// Time that a caller waits for an answer.
    pub timeout: Duration,
    /// Fail the test if a read returns an older version than one acknowledged before.
    pub reads_own_writes: bool,
    /// The admin port of the service that inspects its answers: none of them may have been older than promised.
    pub inspected_by: Option<SocketAddr>,
}

impl Load {
    /// Returns the default load on one service.
    pub fn on(service: &Service) -> Self {
        Self::on_all([service.url("")])
    }

    /// Returns the default load on several instances.
    pub fn on_all(instances: impl IntoIterator<Item = String>) -> Self {
        Self {
            instances: instances.into_iter().collect(),
            pairs: 4,
            keys: 4,
            pause: Duration::from_millis(10),
            padding_bytes: 0,
            replicas: None,
            timeout: Duration::from_secs(3),
            reads_own_writes: false,
            inspected_by: None,
        }
    }
}

/// A load that is running.
pub struct Traffic {
    shared: Arc<Shared>,
    stop: Arc<AtomicBool>,
    /// A runtime of its own, so that a test that waits for a process does not hold up the load.
    thread: Option<JoinHandle<LoadSummary>>,
}

impl Traffic {
    /// Starts the load; returns when every reader and writer has had a few answers.
    pub async fn start(load: Load) -> Self {
        let shared = Arc::new(Shared::new(load));
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (shared, stop) = (Arc::clone(&shared), Arc::clone(&stop));
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(worker::run(&shared, &stop))
            }
        });
        let traffic = Self { shared, stop, thread: Some(thread) };
        traffic.until_all_succeed(&[Operation::Read, Operation::Write]).await;
        traffic
    }

    /// Waits until every reader has had answers to a few requests that it sent from now on.
    pub async fn until_read(&self) -> Duration {
        self.until_all_succeed(&[Operation::Read]).await
    }

    /// Waits until every writer has had a few writes acknowledged that it sent from now on.
    pub async fn until_written(&self) -> Duration {
        self.until_all_succeed(&[Operation::Write]).await
    }

    /// Lets the load run on while a fault lasts.
    pub async fn run_for(&self, time: Duration) {
        // Real time has to pass: the test is about a fault that lasts.
        tokio::time::sleep(time).await;
        self.shared.ledger.expect_no_violation();
    }

    /// Waits until some requests have failed with `code`.
    pub async fn until_failed_with(&self, code: &str) {
        eventually(&format!("requests fail with {code}"), async || self.shared.has_failed_with(code).then_some(()))
            .await;
    }

    /// Ends the load, reads everything that was written and counts the losses. Call it after the broken part
    /// is repaired.
    pub async fn finish(mut self) -> LoadSummary {
        self.stop.store(true, Relaxed);
        let thread = self.thread.take().expect("it runs");
        let joined = tokio::task::spawn_blocking(move || thread.join()).await.expect("it ends");
        let mut summary = joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        self.shared.ledger.expect_no_violation();
        summary.acknowledged = self.shared.ledger.acknowledged();
        summary.lost = self.lost().await;
        self.shared.ledger.expect_no_violation();
        if let Some(admin) = self.shared.load.inspected_by {
            MetricsPage::expect_no_old_answer(admin).await;
        }
        assert!(summary.acknowledged > 0, "nothing was written: {summary:?}");
        summary
    }

    async fn until_all_succeed(&self, operations: &[Operation]) -> Duration {
        // The request in flight was sent before.
        const ANSWERS: u64 = 3;
        let start = Instant::now();
        for operation in operations {
            let before = self.shared.successes(*operation);
            eventually(&format!("every caller's {operation:?} succeeds again"), async || {
                assert!(self.thread.as_ref().is_some_and(|thread| !thread.is_finished()), "the load has ended");
                self.shared.ledger.expect_no_violation();
                let now = self.shared.successes(*operation);
                before.iter().zip(now).all(|(before, now)| now >= before + ANSWERS).then_some(())
            })
            .await;
        }
        start.elapsed()
    }

    /// Returns acknowledged writes that are lost, with the values found instead.
    async fn lost(&self) -> Vec<String> {
        /// Replicas may lag a little even when nothing is broken any more.
        const LAG_MAX: Duration = Duration::from_secs(3);
        let ledger = &self.shared.ledger;
        let caller = Caller::log_in_at(&self.shared.load.instances[0], API_KEY, None).await;
        let mut keys = ledger.acknowledged_keys();
        let mut missed = Vec::new();
        let start = Instant::now();
        let mut all_answered = None;
        while !keys.is_empty() && all_answered.is_none_or(|since: Instant| since.elapsed() < LAG_MAX) {
            let mut answered = true;
            missed.clear();
            for part in keys.chunks(100) {
                let reads = part.iter().map(|key| serde_json::json!({"command": "READ", "key": key})).collect();
                let replies = caller.run(reads).await;
                for (key, reply) in part.iter().zip(replies.as_array().expect("replies")) {
                    answered &= reply["status"] != "ERROR";
                    if let Some(problem) = ledger.final_problem(key, reply) {
                        missed.push((key.clone(), problem));
                    }
                }
            }
            keys = missed.iter().map(|(key, _)| key.clone()).collect();
            if answered {
                all_answered.get_or_insert_with(Instant::now);
            }
            assert!(start.elapsed() < WAIT_TIMEOUT, "the written values cannot be read: {missed:?}");
            if !keys.is_empty() {
                // Pause before the next look, while replicas catch up.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        if keys.is_empty() {
            Vec::new()
        } else {
            missed.into_iter().map(|(key, problem)| format!("{key}: {problem}")).collect()
        }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            // A failed test reports its own failure and not this one.
            let _ended = thread.join();
        }
    }
}

impl Ledger {
    /// Fails the test if a reply was wrong.
    fn expect_no_violation(&self) {
        let violations = self.violations();
        assert!(violations.is_empty(), "{} replies were wrong: {violations:#?}", violations.len());
    }
}
