//! One listener for all workers: the one with the fewest connections accepts the next.
//!
//! Connections do not change threads, so a worker that took more than its share would keep it. Left to themselves, the
//! first to wake takes all of a burst; a listener for each would spread connections by chance.

use axum_server::{AddrListener, Address};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
    time::timeout,
};

/// A worker whose turn it is may be busy; then another one takes its place.
const TURN: Duration = Duration::from_millis(5);

/// How many connections each worker has.
pub struct WorkerLoad {
    counts: Vec<AtomicUsize>,
    changed: Notify,
}

impl WorkerLoad {
    pub fn new(workers: usize) -> Arc<Self> {
        Arc::new(Self { counts: (0..workers).map(|_| AtomicUsize::new(0)).collect(), changed: Notify::new() })
    }

    fn is_turn_of(&self, worker: usize) -> bool {
        let own = self.counts[worker].load(SeqCst);
        self.counts.iter().all(|count| own <= count.load(SeqCst))
    }

    /// Returns when it is the worker's turn, or has not been anybody's for a while.
    async fn turn_of(&self, worker: usize) {
        let waiting = async {
            loop {
                // Heard of from now on, so that no change falls between the look and the wait.
                let changed = self.changed.notified();
                if self.is_turn_of(worker) {
                    return;
                }
                changed.await;
            }
        };
        // Either way it goes on.
        let _in_turn = timeout(TURN, waiting).await;
    }
}

/// A connection's part of its worker's load.
pub struct LoadGuard {
    loads: Arc<WorkerLoad>,
    worker: usize,
}

impl LoadGuard {
    pub fn new(loads: &Arc<WorkerLoad>, worker: usize) -> Self {
        loads.counts[worker].fetch_add(1, SeqCst);
        loads.changed.notify_waiters();
        Self { loads: Arc::clone(loads), worker }
    }
}

impl Drop for LoadGuard {
    fn drop(&mut self) {
        self.loads.counts[self.worker].fetch_sub(1, SeqCst);
        self.loads.changed.notify_waiters();
    }
}

/// A worker's handle on the listener.
pub struct SharedListener {
    listener: TcpListener,
    loads: Arc<WorkerLoad>,
    worker: usize,
}

impl SharedListener {
    /// To be called on the worker's event loop.
    pub fn new(listener: std::net::TcpListener, loads: &Arc<WorkerLoad>, worker: usize) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::from_std(listener)?, loads: Arc::clone(loads), worker })
    }
}

/// A connection that was accepted in turn.
pub struct AcceptedConnection {
    pub stream: TcpStream,
    pub part: LoadGuard,
}

/// Where a connection comes from, which nobody asks.
#[derive(Clone, Copy, Debug)]
pub struct Peer;

impl Address for Peer {
    type Stream = AcceptedConnection;
    type Listener = SharedListener;
}

impl AddrListener<AcceptedConnection, Peer> for SharedListener {
    async fn bind_to(_: Peer) -> io::Result<Self> {
        // It is made of a listener that is open.
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn accept_stream(&self) -> io::Result<(AcceptedConnection, Peer)> {
        loop {
            self.loads.turn_of(self.worker).await;
            // Not for longer than it is this worker's turn: meanwhile others may have got less to do.
            if let Ok(accepted) = timeout(TURN * 200, self.listener.accept()).await {
                let (stream, _) = accepted?;
                let part = LoadGuard::new(&self.loads, self.worker);
                return Ok((AcceptedConnection { stream, part }, Peer));
            }
        }
    }

    fn get_local_addr(&self) -> io::Result<Peer> {
        self.listener.local_addr().map(|_| Peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{sync::mpsc, task::yield_now};

    #[tokio::test]
    async fn connections_are_spread_evenly_and_a_worker_that_accepts_none_holds_up_nobody() {
        let first = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        first.set_nonblocking(true).expect("it is set");
        let address = first.local_addr().expect("an address");
        let loads = WorkerLoad::new(3);
        let (take, mut taken) = mpsc::unbounded_channel();
        // The third one never accepts.
        for worker in 0..2 {
            let shared = SharedListener::new(first.try_clone().expect("a handle"), &loads, worker).expect("a listener");
            let take = take.clone();
            tokio::spawn(async move {
                while let Ok((accepted, _)) = shared.accept_stream().await {
                    take.send(accepted).expect("the test listens");
                }
            });
        }
        let (mut clients, mut accepted) = (Vec::new(), Vec::new());
        for _ in 0..20 {
            clients.push(TcpStream::connect(address).await.expect("it connects"));
        }
        while accepted.len() < 20 {
            accepted.push(taken.recv().await.expect("it is accepted"));
        }
        let counts: Vec<usize> = loads.counts.iter().map(|count| count.load(SeqCst)).collect();
        assert_eq!((counts[0] + counts[1], counts[2]), (20, 0));
        assert!(counts[0].abs_diff(counts[1]) <= 10, "{counts:?}");
        drop(accepted);
        yield_now().await;
        assert!(loads.counts.iter().all(|count| count.load(SeqCst) == 0));
    }
}
