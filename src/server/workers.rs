//! The threads that serve requests. Each has an event loop of its own: no request changes threads, and no thread wakes
//! another, but for connections that move.

use crate::types::worker;
use std::{io, thread::JoinHandle};
use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

/// The running workers. On drop, all of them and their tasks end.
pub struct Workers(Vec<WorkerThread>);

struct WorkerThread {
    handle: Handle,
    /// The thread ends when this sender is dropped.
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Workers {
    /// Starts `count` workers.
    pub fn start(count: usize) -> io::Result<Self> {
        (0..count).map(|number| WorkerThread::start(number, count)).collect::<io::Result<_>>().map(Self)
    }

    /// Returns handles for starting tasks on the workers, in the order of the workers.
    pub fn handles(&self) -> Vec<Handle> {
        self.0.iter().map(|worker| worker.handle.clone()).collect()
    }
}

impl WorkerThread {
    fn start(number: usize, count: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel();
        let thread = std::thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
            worker::enter(number, count);
            // The channel carries no message; its sender is dropped.
            let _dropped = runtime.block_on(ended);
            // A blocking call that does not return must not delay the end.
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
            // A worker that panicked has ended, too.
            let _ended = worker.thread.take().map(JoinHandle::join);
        }
    }
}
