//! A continuous load that checks everything it is told, for as long as a fault lasts.
//!
//! Writers change keys of their own, readers read everybody's. Each value carries its key and a version, so that a
//! reply that reached the wrong caller, a write that was refused and done all the same, and an acknowledged write that
//! was lost are all seen. A key whose write had an unknown outcome is written no more: a late write could otherwise
//! pass for a loss.

mod ledger;
mod summary;
mod worker;

pub use summary::LoadSummary;

use super::{API_KEY, Caller, Service, WAIT_TIMEOUT, eventually};
use ledger::Ledger;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};
use worker::{Operation, Shared};

/// What a load is like.
#[derive(Clone)]
pub struct Load {
    /// Base URLs of the instances. Callers are spread over them, and go to the next one when theirs does not answer.
    pub instances: Vec<String>,
    /// So many readers, and as many writers.
    pub pairs: usize,
    /// Keys of each writer.
    pub keys: usize,
    /// Between two requests of a reader or writer, so that the machine is not what is measured.
    pub pause: Duration,
    /// Added to each value.
    pub padding_bytes: usize,
    /// Ask that so many replicas have a write before it is acknowledged.
    pub replicas: Option<u32>,
    /// How long a caller waits for an answer.
    pub timeout: Duration,
    /// A reader that sees less than what was acknowledged before it asked fails the test.
    pub reads_own_writes: bool,
}

impl Load {
    pub fn on(service: &Service) -> Self {
        Self::on_all([service.url("")])
    }

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

    /// Lets the load run on: a fault has to last for a while.
    pub async fn run_for(&self, time: Duration) {
        // The behaviour under test is that of a fault that lasts: time itself is the condition.
        tokio::time::sleep(time).await;
        self.shared.ledger.expect_no_violation();
    }

    /// Waits until some requests have failed with `code`.
    pub async fn until_failed_with(&self, code: &str) {
        eventually(&format!("requests fail with {code}"), async || self.shared.has_failed_with(code).then_some(()))
            .await;
    }

    /// Ends the load, reads everything that was written and counts what is lost. To be called when what was broken
    /// is whole again.
    pub async fn finish(mut self) -> LoadSummary {
        self.stop.store(true, Relaxed);
        let thread = self.thread.take().expect("it runs");
        let joined = tokio::task::spawn_blocking(move || thread.join()).await.expect("it ends");
        let mut summary = joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        self.shared.ledger.expect_no_violation();
        summary.acknowledged = self.shared.ledger.acknowledged();
        summary.lost = self.lost().await;
        self.shared.ledger.expect_no_violation();
        assert!(summary.acknowledged > 0, "nothing was written: {summary:?}");
        summary
    }

    async fn until_all_succeed(&self, operations: &[Operation]) -> Duration {
        // The one that is under way now was sent before.
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

    /// Acknowledged writes that are gone, with what is there instead.
    async fn lost(&self) -> Vec<String> {
        /// Replicas may be a moment behind even when nothing is broken any more.
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
                // Until the next look: replicas get what they lack meanwhile.
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
            // A test that failed is told about that failure, not about this one.
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
