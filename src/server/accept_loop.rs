//! The connections of one worker: each is accepted, served by a task of its own, and ended politely.

use super::{
    connection_limit::LimitedAcceptor,
    shared_listener::{AcceptedConnection, SharedListener},
    shutdown::Shutdown,
};
use crate::{
    api::CommandRoute,
    http::{ClientConnection, CommandLane, HttpService, LaneEnd, RewoundStream, run_lane},
    telemetry::metrics::Listener,
};
use axum_server::accept::Accept;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
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
pub struct AcceptLoop<A> {
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
    /// Each connection begins in a lane.
    pub lane: bool,
}

impl<A> AcceptLoop<A>
where
    A: Accept<TcpStream, HttpService, Service = HttpService> + Clone + Send + Sync + 'static,
    A::Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A::Future: Send,
{
    /// Runs the loop.
    pub async fn run(self) {
        let Self { listener, acceptor, builder, http, stop, lane } = self;
        let builders = Arc::new(Builders { http1: builder.clone().http1_only(), any: builder });
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = stop.requested() => break,
                Some(_ended) = connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok(accepted) => {
                        let (acceptor, http) = (acceptor.clone(), http.for_new_connection());
                        connections.spawn(serve(acceptor, accepted, http, Arc::clone(&builders), stop.clone(), lane));
                    }
                    Err(_) => sleep(ACCEPT_RETRY_WAIT).await,
                },
            }
        }
        // Clients are refused at once, not left waiting in the queue of a listener that nobody asks.
        drop(listener);
        while connections.join_next().await.is_some() {}
    }
}

/// Serves one connection to its end. From the request to stop, or from the connection's maximum age, no further requests
/// are taken on it: HTTP/2 says so with GOAWAY, and HTTP/1 with `Connection: close` in the next response.
async fn serve<A>(
    acceptor: LimitedAcceptor<A>,
    accepted: AcceptedConnection,
    http: HttpService,
    builders: Arc<Builders>,
    stop: Shutdown,
    lane: bool,
) where
    A: Accept<TcpStream, HttpService, Service = HttpService> + Clone + Send + Sync + 'static,
    A::Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A::Future: Send,
{
    // Held to the end: the number of handles tells whether a request is in progress.
    let state = Arc::clone(http.connection());
    // The counters have its failure.
    let Ok((mut stream, mut http)) = acceptor.accept(accepted, http).await else { return };
    let (mut read_before, mut is_http1) = (Vec::new(), false);
    if lane {
        let service = CommandLane::<CommandRoute>::new(http);
        match in_lane(&mut stream, &service, &stop).await {
            LaneEnd::Closed => return,
            LaneEnd::HandedOver { bytes, has_answered } => (read_before, is_http1) = (bytes, has_answered),
        }
        http = service.into_inner();
        http.state().metrics.connections(Listener::Service).left_lane.count();
    }
    // On a connection of HTTP/1.1, the preface of HTTP/2 is a malformed request.
    let builder = if is_http1 { &builders.http1 } else { &builders.any };
    // Boxed, so that a connection in its lane keeps no room for it.
    Box::pin(serve_by_hyper(RewoundStream::new(stream, read_before), http, &state, builder, &stop)).await;
}

/// Serves a connection in its lane. The future has one type whatever the stream is, so that it is checked once.
fn in_lane<'a, S>(
    stream: &'a mut S,
    service: &'a CommandLane<CommandRoute>,
    stop: &'a Shutdown,
) -> Pin<Box<dyn Future<Output = LaneEnd> + Send + 'a>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    Box::pin(run_lane(stream, service, stop.requested()))
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
