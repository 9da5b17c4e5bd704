//! The lanes of all workers, between which connections move.

use super::{
    movable::Movable,
    shutdown::Shutdown,
    worker_balance::{ConnectionTraffic, WorkerBalance},
};
use crate::{
    api::CommandRoute,
    http::{ClientConnection, CommandLane, HttpService, LaneEnd, run_lane},
};
use std::{pin::Pin, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
};

/// The connections that other workers send to one.
pub type Arrivals<S> = mpsc::UnboundedReceiver<LaneConnection<S>>;

/// A connection, and what serves it.
pub struct LaneConnection<S> {
    /// The stream. In a box, because several futures have room for the connection.
    pub stream: Box<S>,
    /// The service of the connection.
    pub http: HttpService,
    /// The state of the connection. Held to the end: the number of handles tells whether a request is in progress.
    pub state: Arc<ClientConnection>,
    /// Requests were answered in another lane, so that the connection is one of HTTP/1.1.
    pub has_answered: bool,
}

/// The lanes of one worker: the ways to all others, and the connections that come from them.
pub struct WorkerLanes<S> {
    /// The ways to all workers.
    pub links: LaneLinks<S>,
    /// The connections that come from other workers.
    pub arrivals: Arrivals<S>,
}

/// The ways to the lanes of all workers.
pub struct LaneLinks<S> {
    workers: Arc<[mpsc::UnboundedSender<LaneConnection<S>>]>,
    balance: Arc<WorkerBalance>,
}

/// Creates the lanes of as many workers as `balance` has.
pub fn worker_lanes<S>(balance: &Arc<WorkerBalance>) -> Vec<WorkerLanes<S>> {
    let (workers, arrivals): (Vec<_>, Vec<_>) = (0..balance.workers()).map(|_| mpsc::unbounded_channel()).unzip();
    let workers: Arc<[_]> = workers.into();
    let links = || LaneLinks { workers: Arc::clone(&workers), balance: Arc::clone(balance) };
    arrivals.into_iter().map(|arrivals| WorkerLanes { links: links(), arrivals }).collect()
}

impl<S> LaneLinks<S>
where
    S: AsyncRead + AsyncWrite + Movable + Unpin + Send,
{
    /// Serves a connection in its lane. Returns it if hyper has to go on, with the bytes that were read.
    pub async fn serve(
        &self,
        mut connection: LaneConnection<S>,
        stop: &Shutdown,
    ) -> Option<(LaneConnection<S>, Vec<u8>)> {
        let mut traffic = ConnectionTraffic::new(Arc::clone(&self.balance));
        loop {
            let LaneConnection { mut stream, http, state, has_answered } = connection;
            let service = CommandLane::<CommandRoute>::new(http);
            let end = in_lane(&mut *stream, &service, stop, &mut traffic).await;
            connection = LaneConnection { stream, http: service.into_inner(), state, has_answered };
            match end {
                LaneEnd::Closed => return None,
                LaneEnd::HandedOver { bytes, has_answered } => {
                    connection.has_answered |= has_answered;
                    return Some((connection, bytes));
                }
                LaneEnd::Moves => connection = self.send(connection, traffic.move_to())?,
            }
        }
    }

    /// Sends a connection to another worker. Returns it if that worker is about to end.
    fn send(&self, mut connection: LaneConnection<S>, worker: usize) -> Option<LaneConnection<S>> {
        connection.has_answered = true;
        // A connection that has no event loop is of no use.
        connection.stream.leave().ok()?;
        let refused = self.workers.get(worker)?.send(connection).err()?;
        let mut connection = refused.0;
        connection.stream.join().ok()?;
        Some(connection)
    }
}

/// Serves a connection in its lane. The future has one type whatever the stream is, so that it is checked once.
fn in_lane<'a, S>(
    stream: &'a mut S,
    service: &'a CommandLane<CommandRoute>,
    stop: &'a Shutdown,
    traffic: &'a mut ConnectionTraffic,
) -> Pin<Box<dyn Future<Output = LaneEnd> + Send + 'a>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    Box::pin(run_lane(stream, service, stop.requested(), traffic))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::DuplexStream;

    type Service = CommandLane<CommandRoute>;

    fn future_bytes<F: Future>(
        _: impl Fn(&'static mut DuplexStream, &'static Service, &'static Shutdown, &'static mut ConnectionTraffic) -> F,
    ) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_connection_in_its_lane_takes_little_memory() {
        let bytes = future_bytes(|stream, service, stop, traffic| run_lane(stream, service, stop.requested(), traffic));
        assert!(bytes <= 4096, "{bytes} bytes are allocated for each connection");
    }
}
