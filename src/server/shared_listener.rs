//! One listener for all workers. The worker with the fewest connections accepts the next one.
//!
//! Few connections change workers later, so an uneven distribution would last. Without turns, the first worker to wake
//! accepts a whole burst; with a listener for each worker, the kernel would distribute connections at random.

use super::{
    connection_counters::ConnectionCounters,
    movable::{Movable, MovableTcp},
};
use crate::types::worker;
use std::{
    io,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::{net::TcpListener, sync::Notify, time::timeout};

/// Time that other workers wait for the one whose turn it is, which may be busy.
const TURN: Duration = Duration::from_millis(5);

/// The number of connections of each worker.
pub struct WorkerLoad {
    counts: Vec<AtomicUsize>,
    changed: Notify,
}

impl WorkerLoad {
    /// Starts with no connections.
    pub fn new(workers: usize) -> Arc<Self> {
        Arc::new(Self { counts: (0..workers).map(|_| AtomicUsize::new(0)).collect(), changed: Notify::new() })
    }

    fn is_turn_of(&self, worker: usize) -> bool {
        let own = self.counts[worker].load(SeqCst);
        self.counts.iter().all(|count| own <= count.load(SeqCst))
    }

    /// Waits until it is the worker's turn, or until nobody took a turn for a while.
    async fn wait_for_turn(&self, worker: usize) {
        let waiting = async {
            loop {
                // Subscribed before the check, so that no change is missed between check and wait.
                let changed = self.changed.notified();
                if self.is_turn_of(worker) {
                    return;
                }
                changed.await;
            }
        };
        // After a timeout this worker accepts out of turn.
        let _in_turn = timeout(TURN, waiting).await;
    }
}

/// The share of one connection in the load of its worker; it is subtracted on drop.
pub struct LoadGuard {
    loads: Arc<WorkerLoad>,
    worker: usize,
}

impl LoadGuard {
    /// Adds a connection to the load of a worker.
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

impl Movable for LoadGuard {
    fn leave(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Counts the connection for the calling worker from now on.
    fn join(&mut self) -> io::Result<()> {
        *self = Self::new(&Arc::clone(&self.loads), worker::current());
        Ok(())
    }
}

/// A worker's handle on the listener.
pub struct SharedListener {
    listener: TcpListener,
    loads: Arc<WorkerLoad>,
    worker: usize,
    counters: ConnectionCounters,
}

impl SharedListener {
    /// Registers the listener with the event loop of the calling worker.
    pub fn new(
        listener: std::net::TcpListener,
        loads: &Arc<WorkerLoad>,
        worker: usize,
        counters: ConnectionCounters,
    ) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::from_std(listener)?, loads: Arc::clone(loads), worker, counters })
    }

    /// Waits for the next connection. Counts and logs an error, after which the caller should wait for a moment.
    pub async fn accept(&self) -> io::Result<AcceptedConnection> {
        loop {
            self.loads.wait_for_turn(self.worker).await;
            // The wait is limited, because the turn can pass to another worker meanwhile.
            if let Ok(accepted) = timeout(TURN * 200, self.listener.accept()).await {
                let (stream, peer) = accepted.inspect_err(|error| self.counters.fail_accept(error))?;
                let load = LoadGuard::new(&self.loads, self.worker);
                return Ok(AcceptedConnection { stream: MovableTcp::new(stream), peer: peer.ip(), load });
            }
        }
    }
}

/// An accepted connection.
pub struct AcceptedConnection {
    /// The TCP connection.
    pub stream: MovableTcp,
    /// The address of the client, or of the proxy in front of it.
    pub peer: IpAddr,
    /// Its share in the load of its worker.
    pub load: LoadGuard,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metrics::Listener;
    use tokio::{net::TcpStream, sync::mpsc, task::yield_now};

    #[tokio::test]
    async fn connections_are_distributed_evenly_and_an_idle_worker_delays_nobody() {
        let first = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        first.set_nonblocking(true).expect("it is set");
        let address = first.local_addr().expect("an address");
        let loads = WorkerLoad::new(3);
        let counters = ConnectionCounters::new(&Arc::default(), Listener::Service);
        let (sender, mut receiver) = mpsc::unbounded_channel();
        // The third one never accepts.
        for worker in 0..2 {
            let listener = first.try_clone().expect("a handle");
            let shared = SharedListener::new(listener, &loads, worker, counters.clone()).expect("a listener");
            let sender = sender.clone();
            tokio::spawn(async move {
                while let Ok(accepted) = shared.accept().await {
                    sender.send(accepted).expect("the test listens");
                }
            });
        }
        let (mut clients, mut accepted) = (Vec::new(), Vec::new());
        for _ in 0..20 {
            clients.push(TcpStream::connect(address).await.expect("it connects"));
        }
        while accepted.len() < 20 {
            accepted.push(receiver.recv().await.expect("it is accepted"));
        }
        let counts: Vec<usize> = loads.counts.iter().map(|count| count.load(SeqCst)).collect();
        assert_eq!((counts[0] + counts[1], counts[2]), (20, 0));
        assert!(counts[0].abs_diff(counts[1]) <= 10, "{counts:?}");
        drop(accepted);
        yield_now().await;
        assert!(loads.counts.iter().all(|count| count.load(SeqCst) == 0));
    }
}
