//! The connections of one worker: each is accepted, served by a task of its own, and ended politely.

use super::{
    connection_limit::{LimitedAcceptor, LimitedStream},
    movable::{Movable, MovableTcp},
    shared_listener::{AcceptedConnection, SharedListener},
    shutdown::Shutdown,
    worker_lanes::{Arrivals, LaneConnection, LaneLinks, WorkerLanes},
};
use crate::{
    http::{ClientConnection, HttpService, RewoundStream},
    telemetry::metrics::Listener,
};
use axum_server::accept::Accept;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use std::{future::poll_fn, pin::pin, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::JoinSet,
    time::sleep,
};

/// Time before the next attempt after the operating system did not hand over a connection.
const ACCEPT_RETRY_WAIT: Duration = Duration::from_millis(50);

/// Serve HTTP.
struct Builders {
    /// The version that the client begins with.
    any: Builder<TokioExecutor>,
    /// HTTP/1 alone.
    http1: Builder<TokioExecutor>,
}

/// Accepts and serves connections until a stop is requested and all of them have ended. Dropping the future cuts them off.
pub struct AcceptLoop<A, S> {
    /// Hands over connections.
    pub listener: SharedListener,
    /// Takes places and does handshakes.
    pub acceptor: LimitedAcceptor<A>,
    /// Serves HTTP.
    pub builder: Builder<TokioExecutor>,
    /// The service of the port.
    pub http: HttpService,
    /// Ends the loop and all connections.
    pub stop: Shutdown,
    /// The lanes in which connections begin; `None` if hyper serves all of them.
    pub lanes: Option<WorkerLanes<S>>,
}

/// Serves the connections of a worker.
struct ConnectionServer<S> {
    builders: Builders,
    stop: Shutdown,
    lanes: Option<LaneLinks<S>>,
}

impl<A> AcceptLoop<A, LimitedStream<A::Stream>>
where
    A: Accept<MovableTcp, HttpService, Service = HttpService> + Clone + Send + Sync + 'static,
    A::Stream: AsyncRead + AsyncWrite + Movable + Unpin + Send + 'static,
    A::Future: Send,
{
    /// Runs the loop.
    pub async fn run(self) {
        let Self { listener, acceptor, builder, http, stop, lanes } = self;
        let builders = Builders { http1: builder.clone().http1_only(), any: builder };
        let (links, mut arrivals) = lanes.map(|WorkerLanes { links, arrivals }| (links, arrivals)).unzip();
        let server = Arc::new(ConnectionServer { builders, stop: stop.clone(), lanes: links });
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = stop.requested() => break,
                Some(_ended) = connections.join_next() => {}
                Some(arrived) = next_arrival(&mut arrivals) => {
                    connections.spawn(Arc::clone(&server).welcome(arrived));
                }
                accepted = listener.accept() => match accepted {
                    Ok(accepted) => {
                        let (acceptor, http) = (acceptor.clone(), http.for_new_connection());
                        connections.spawn(Arc::clone(&server).accept(acceptor, accepted, http));
                    }
                    Err(_) => sleep(ACCEPT_RETRY_WAIT).await,
                },
            }
        }
        // Clients are refused at once, not left waiting in the queue of a listener that nobody asks.
        drop(listener);
        // Connections that were sent here are served; no other ones are sent from now on.
        if let Some(arrivals) = &mut arrivals {
            arrivals.close();
        }
        while let Some(arrived) = next_arrival(&mut arrivals).await {
            connections.spawn(Arc::clone(&server).welcome(arrived));
        }
        while connections.join_next().await.is_some() {}
    }
}

/// Waits for a connection of another worker.
async fn next_arrival<S>(arrivals: &mut Option<Arrivals<S>>) -> Option<LaneConnection<S>> {
    arrivals.as_mut()?.recv().await
}

impl<S> ConnectionServer<S>
where
    S: AsyncRead + AsyncWrite + Movable + Unpin + Send + 'static,
{
    /// Does the handshake of a connection, and serves it to its end.
    async fn accept<A>(self: Arc<Self>, acceptor: A, accepted: AcceptedConnection, http: HttpService)
    where
        A: Accept<AcceptedConnection, HttpService, Stream = S, Service = HttpService>,
        A::Future: Send,
    {
        let state = Arc::clone(http.connection());
        // The counters have its failure.
        let Ok((stream, http)) = acceptor.accept(accepted, http).await else { return };
        self.serve(LaneConnection { stream: Box::new(stream), http, state, has_answered: false }).await;
    }

    /// Serves a connection of another worker to its end.
    async fn welcome(self: Arc<Self>, mut connection: LaneConnection<S>) {
        if connection.stream.join().is_ok() {
            connection.http.state().metrics.connections(Listener::Service).moved.count();
            self.serve(connection).await;
        }
    }

    /// Serves a connection until it ends, or is another worker's. From the request to stop, or from the connection's maximum age,
    /// no further requests are taken on it: HTTP/2 says so with GOAWAY, and HTTP/1 with `Connection: close` in the next response.
    async fn serve(&self, mut connection: LaneConnection<S>) {
        let mut read_before = Vec::new();
        if let Some(lanes) = &self.lanes {
            let Some(left) = lanes.serve(connection, &self.stop).await else { return };
            (connection, read_before) = left;
            connection.http.state().metrics.connections(Listener::Service).left_lane.count();
        }
        // On a connection of HTTP/1.1, the preface of HTTP/2 is a malformed request.
        let builder = if connection.has_answered { &self.builders.http1 } else { &self.builders.any };
        let LaneConnection { stream, http, state, .. } = connection;
        // Boxed, so that a connection in its lane keeps no room for it.
        Box::pin(serve_by_hyper(RewoundStream::new(stream, read_before), http, &state, builder, &self.stop)).await;
    }
}

async fn serve_by_hyper<S>(
    stream: S,
    http: HttpService,
    state: &ClientConnection,
    builder: &Builder<TokioExecutor>,
    stop: &Shutdown,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(http)));
    let mut stopped = pin!(stop.requested());
    let mut is_ending = false;
    let ended = poll_fn(|context| {
        if !is_ending && stopped.as_mut().poll(context).is_ready() {
            is_ending = true;
            connection.as_mut().graceful_shutdown();
        }
        let polled = connection.as_mut().poll(context);
        // The flag is set by a request, so within the poll.
        if is_ending || polled.is_ready() || !state.retirement.is_going_away() {
            return polled;
        }
        is_ending = true;
        connection.as_mut().graceful_shutdown();
        connection.as_mut().poll(context)
    });
    // The end of a connection is the client's affair.
    let _ended = ended.await;
}
