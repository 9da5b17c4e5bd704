//! The balance of the workers: one that is much busier than another one gives it a connection.
//!
//! Each worker has as many connections as any other, but some connections send far more requests. If those are with one
//! worker, their requests wait for each other while other workers idle.

mod plan;

use crate::{http::Turns, types::worker};
use crossbeam_utils::CachePadded;
use plan::{Move, Skew, WorkerWindow};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    runtime::Handle,
    time::{Instant, MissedTickBehavior, interval},
};

/// Time for which the load of the workers is added up.
const WINDOW: Duration = Duration::from_millis(200);
/// Stands for no worker.
const NONE: usize = usize::MAX;

/// The traffic of all workers of a port.
pub struct WorkerBalance {
    /// The number of the current window.
    window: CachePadded<AtomicU64>,
    workers: Box<[CachePadded<WorkerTraffic>]>,
}

/// The traffic of one worker.
struct WorkerTraffic {
    /// The number of requests so far. Only the worker writes it.
    requests: AtomicU64,
    /// The worker that a connection may move to.
    move_to: AtomicUsize,
    /// The requests that a connection that moves has to have answered in the window before.
    requests_min: AtomicU64,
    requests_max: AtomicU64,
}

impl WorkerBalance {
    /// Starts without traffic.
    pub fn new(workers: usize) -> Arc<Self> {
        let traffic = || WorkerTraffic {
            requests: AtomicU64::new(0),
            move_to: AtomicUsize::new(NONE),
            requests_min: AtomicU64::new(0),
            requests_max: AtomicU64::new(0),
        };
        Arc::new(Self {
            window: CachePadded::new(AtomicU64::new(0)),
            workers: (0..workers).map(|_| CachePadded::new(traffic())).collect(),
        })
    }

    /// Returns the number of workers.
    pub fn workers(&self) -> usize {
        self.workers.len()
    }

    /// Keeps the workers in balance, given their event loops.
    pub async fn run(self: Arc<Self>, runtimes: Vec<Handle>) {
        let busy_times = || runtimes.iter().map(|runtime| runtime.metrics().worker_total_busy_duration(0));
        let requests = || self.workers.iter().map(|worker| worker.requests.load(Relaxed));
        let (mut skew, mut ticks) = (Skew::default(), interval(WINDOW));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut before: Vec<_> = busy_times().zip(requests()).collect();
        let mut start = Instant::now();
        loop {
            ticks.tick().await;
            let now: Vec<_> = busy_times().zip(requests()).collect();
            let time = start.elapsed().max(Duration::from_millis(1));
            start = Instant::now();
            let windows =
                before.iter().zip(&now).map(|((busy_before, requests_before), (busy, requests))| WorkerWindow {
                    busy: busy.saturating_sub(*busy_before).div_duration_f64(time),
                    requests: requests - requests_before,
                });
            self.begin_window(skew.next_move(&windows.collect::<Vec<_>>()).as_ref());
            before = now;
        }
    }

    /// Begins a window in which this move may happen.
    fn begin_window(&self, planned: Option<&Move>) {
        self.window.fetch_add(1, Relaxed);
        for (number, worker) in self.workers.iter().enumerate() {
            match planned.filter(|planned| planned.from == number) {
                Some(planned) => {
                    worker.requests_min.store(*planned.requests.start(), Relaxed);
                    worker.requests_max.store(*planned.requests.end(), Relaxed);
                    worker.move_to.store(planned.to, Relaxed);
                }
                None => worker.move_to.store(NONE, Relaxed),
            }
        }
    }
}

/// The traffic of one connection in its lane.
pub struct ConnectionTraffic {
    balance: Arc<WorkerBalance>,
    /// The window of the last request.
    window: u64,
    /// The requests in that window, and in the one before.
    requests: u64,
    requests_before: u64,
    /// The worker that the connection is to move to.
    move_to: usize,
}

impl ConnectionTraffic {
    /// Starts without traffic.
    pub fn new(balance: Arc<WorkerBalance>) -> Self {
        Self { balance, window: 0, requests: 0, requests_before: 0, move_to: NONE }
    }

    /// Returns the worker that the connection is to move to, once it has to.
    pub fn move_to(&self) -> usize {
        self.move_to
    }

    fn add(&mut self, answered: u64) {
        let window = self.balance.window.load(Relaxed);
        if window != self.window {
            self.requests_before = if window == self.window + 1 { self.requests } else { 0 };
            (self.window, self.requests) = (window, 0);
        }
        self.requests += answered;
    }
}

impl Turns for ConnectionTraffic {
    fn record(&mut self, answered: u32) {
        self.add(answered.into());
        if let Some(own) = self.balance.workers.get(worker::current()) {
            own.requests.store(own.requests.load(Relaxed) + u64::from(answered), Relaxed);
        }
    }

    fn moves(&mut self) -> bool {
        let Some(own) = self.balance.workers.get(worker::current()) else { return false };
        let move_to = own.move_to.load(Relaxed);
        if move_to == NONE {
            return false;
        }
        let range = own.requests_min.load(Relaxed)..=own.requests_max.load(Relaxed);
        if !range.contains(&self.requests_before) {
            return false;
        }
        // One connection for each window.
        own.move_to.store(NONE, Relaxed);
        self.move_to = move_to;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers requests on a connection. Returns true if it moves then.
    fn answer(connection: &mut ConnectionTraffic, requests: u32) -> bool {
        connection.record(requests);
        connection.moves()
    }

    #[test]
    fn one_connection_with_enough_requests_moves_in_a_window() {
        let balance = WorkerBalance::new(2);
        let connection = || ConnectionTraffic::new(Arc::clone(&balance));
        let (mut hot, mut other, mut cold, mut hottest) = (connection(), connection(), connection(), connection());
        balance.begin_window(None);
        for (connection, requests) in [(&mut hot, 20), (&mut other, 30), (&mut cold, 1), (&mut hottest, 90)] {
            assert!(!answer(connection, requests));
        }
        assert_eq!(balance.workers[0].requests.load(Relaxed), 141);
        balance.begin_window(Some(&Move { from: 0, to: 1, requests: 10..=50 }));
        assert!(!answer(&mut cold, 1) && !answer(&mut hottest, 1));
        assert!(answer(&mut hot, 1));
        assert_eq!(hot.move_to(), 1);
        assert!(!answer(&mut other, 1), "one has moved");
        balance.begin_window(Some(&Move { from: 1, to: 0, requests: 1..=50 }));
        assert!(!answer(&mut other, 1), "it is not with that worker");
        balance.begin_window(None);
        balance.begin_window(Some(&Move { from: 0, to: 1, requests: 1..=50 }));
        assert!(!answer(&mut other, 1), "it had no requests in the window before");
    }
}
