//! The threads that serve, each with an event loop that shares nothing with the others': no request changes threads,
//! and nobody is woken across them.

use crate::types::worker;
use std::{io, thread::JoinHandle};
use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

/// Dropped, they have ended, and what ran on them with them.
pub struct Workers(Vec<WorkerThread>);

struct WorkerThread {
    handle: Handle,
    /// Dropped, the thread ends.
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Workers {
    pub fn start(count: usize) -> io::Result<Self> {
        (0..count).map(WorkerThread::start).collect::<io::Result<_>>().map(Self)
    }

    /// Where tasks are started on them, in their order.
    pub fn handles(&self) -> Vec<Handle> {
        self.0.iter().map(|worker| worker.handle.clone()).collect()
    }
}

impl WorkerThread {
    fn start(number: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel();
        let thread = std::thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
            worker::enter(number);
            // Nobody says anything; the other end is dropped.
            let _dropped = runtime.block_on(ended);
            // What a blocking call does not end must not hold up the end.
            runtime.shutdown_background();
        })?;
        Ok(Self { handle, end: Some(end), thread: Some(thread) })
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for worker in &mut self.0 {
            drop(worker.end.take());
        }
        for worker in &mut self.0 {
            // One that panicked has ended, too.
            let _ended = worker.thread.take().map(JoinHandle::join);
        }
    }
}
