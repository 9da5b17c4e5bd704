//! Routers → running HTTP servers.

use super::{
    accept::{ConnectionCounters, IdleTimeoutAcceptor},
    balance::{Peer, SharedListener, WorkerLoad},
};
use crate::{
    http::HttpService,
    settings,
    telemetry::metrics::{Listener, Metrics},
};
use axum_server::{
    Handle, Server,
    accept::{Accept, DefaultAcceptor},
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use hyper_util::{
    rt::{TokioExecutor, TokioTimer},
    server::conn::auto::Builder,
};
use std::{convert::Infallible, future::ready, io, net, pin::Pin, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tower::service_fn;

/// Most bytes of the head of an HTTP/1 request; a token and some headers are far below.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Requests that one HTTP/2 connection may have open.
const STREAMS_MAX: u32 = 256;
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections to the admin port: probes and scrapers are few.
const ADMIN_CONNECTIONS_MAX: usize = 256;

/// A server that is ready to run, and the handle that stops it.
pub struct HttpServer {
    pub handle: Handle<Peer>,
    pub run: Pin<Box<dyn Future<Output = io::Result<()>> + Send>>,
}

/// The HTTPS port: one server for each listener, with limits that they share.
pub fn service(
    settings: &settings::ServiceConfig,
    listeners: Vec<net::TcpListener>,
    tls: RustlsConfig,
    front: &HttpService,
    metrics: &Arc<Metrics>,
) -> Vec<HttpServer> {
    let acceptor = RustlsAcceptor::new(tls).handshake_timeout(HANDSHAKE_TIMEOUT);
    let counts = ConnectionCounters::new(metrics, Listener::Service);
    let acceptor = IdleTimeoutAcceptor::new(acceptor, settings.connections_max, settings.idle_timeout, counts);
    let loads = WorkerLoad::new(listeners.len());
    let place = |worker| WorkerSlot { loads: Arc::clone(&loads), worker };
    let serving = |(worker, listener)| serving(listener, place(worker), acceptor.clone(), settings, front.clone());
    listeners.into_iter().enumerate().map(serving).collect()
}

/// The admin port: plain HTTP.
pub fn admin(
    settings: &settings::ServiceConfig,
    listener: net::TcpListener,
    front: HttpService,
    metrics: &Arc<Metrics>,
) -> HttpServer {
    let counts = ConnectionCounters::new(metrics, Listener::Admin);
    let acceptor =
        IdleTimeoutAcceptor::new(DefaultAcceptor::new(), ADMIN_CONNECTIONS_MAX, settings.idle_timeout, counts);
    serving(listener, WorkerSlot { loads: WorkerLoad::new(1), worker: 0 }, acceptor, settings, front)
}

/// Who serves, among whom.
struct WorkerSlot {
    loads: Arc<WorkerLoad>,
    worker: usize,
}

fn serving<A>(
    listener: net::TcpListener,
    WorkerSlot { loads, worker }: WorkerSlot,
    acceptor: IdleTimeoutAcceptor<A>,
    settings: &settings::ServiceConfig,
    front: HttpService,
) -> HttpServer
where
    A: Accept<TcpStream, HttpService, Service = HttpService> + Clone + Send + Sync + 'static,
    A::Stream: AsyncRead + AsyncWrite + Unpin + Send,
    A::Future: Send,
{
    let (handle, idle_timeout) = (Handle::new(), settings.idle_timeout);
    let stop = handle.clone();
    // Made where it runs, so that accepting wakes nobody elsewhere.
    let run = async move {
        let shared = SharedListener::new(listener, &loads, worker)?;
        let mut server = Server::<Peer>::from_listener(shared).acceptor(acceptor).handle(stop);
        limit(server.http_builder(), idle_timeout);
        server.serve(service_fn(move |_: Peer| ready(Ok::<_, Infallible>(front.clone())))).await
    };
    HttpServer { handle, run: Box::pin(run) }
}

/// Sets what hyper leaves open: without a timer none of its timeouts runs.
fn limit(builder: &mut Builder<TokioExecutor>, idle_timeout: Duration) {
    // hyper counts the wait for the next request as part of reading its head.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(idle_timeout).max_buf_size(HEAD_BYTES_MAX);
    // A client may give up all of its open requests at once, as many do when their own deadline passes; h2's own
    // limit of 20 would end the connection, and with it the requests of others that share it.
    let resets_max = STREAMS_MAX as usize;
    // No pings: their acknowledgements would keep a connection open on which nothing is asked.
    builder
        .http2()
        .max_pending_accept_reset_streams(Some(resets_max))
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX);
}
