//! Builds the HTTP servers of both ports from their routers.

use super::{
    connection_limit::{ConnectionCounters, IdleTimeoutAcceptor},
    shared_listener::{Peer, SharedListener, WorkerLoad},
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

/// Longest head of an HTTP/1 request; a token with some headers is far shorter.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Maximum number of concurrent requests on one HTTP/2 connection.
const STREAMS_MAX: u32 = 256;
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum number of connections to the admin port; there are few probes and scrapers.
const ADMIN_CONNECTIONS_MAX: usize = 256;

/// A server that is ready to run.
pub struct HttpServer {
    /// Stops the server gracefully.
    pub handle: Handle<Peer>,
    /// Runs the server until it is stopped.
    pub run: Pin<Box<dyn Future<Output = io::Result<()>> + Send>>,
}

/// Builds the servers of the HTTPS port: one for each listener, with common limits.
pub fn service(
    settings: &settings::ServiceConfig,
    listeners: Vec<net::TcpListener>,
    tls: RustlsConfig,
    http: &HttpService,
    metrics: &Arc<Metrics>,
) -> Vec<HttpServer> {
    let acceptor = RustlsAcceptor::new(tls).handshake_timeout(HANDSHAKE_TIMEOUT);
    let counters = ConnectionCounters::new(metrics, Listener::Service);
    let acceptor = IdleTimeoutAcceptor::new(acceptor, settings.connections_max, settings.idle_timeout, counters);
    let loads = WorkerLoad::new(listeners.len());
    let mut servers = Vec::new();
    for (worker, listener) in listeners.into_iter().enumerate() {
        let slot = WorkerSlot { loads: Arc::clone(&loads), worker };
        servers.push(server(listener, slot, acceptor.clone(), settings, http.clone()));
    }
    servers
}

/// Builds the server of the admin port, which speaks plain HTTP.
pub fn admin(
    settings: &settings::ServiceConfig,
    listener: net::TcpListener,
    http: HttpService,
    metrics: &Arc<Metrics>,
) -> HttpServer {
    let counters = ConnectionCounters::new(metrics, Listener::Admin);
    let acceptor =
        IdleTimeoutAcceptor::new(DefaultAcceptor::new(), ADMIN_CONNECTIONS_MAX, settings.idle_timeout, counters);
    server(listener, WorkerSlot { loads: WorkerLoad::new(1), worker: 0 }, acceptor, settings, http)
}

/// One worker and the loads of all workers.
struct WorkerSlot {
    loads: Arc<WorkerLoad>,
    worker: usize,
}

fn server<A>(
    listener: net::TcpListener,
    WorkerSlot { loads, worker }: WorkerSlot,
    acceptor: IdleTimeoutAcceptor<A>,
    settings: &settings::ServiceConfig,
    http: HttpService,
) -> HttpServer
where
    A: Accept<TcpStream, HttpService, Service = HttpService> + Clone + Send + Sync + 'static,
    A::Stream: AsyncRead + AsyncWrite + Unpin + Send,
    A::Future: Send,
{
    let (handle, idle_timeout) = (Handle::new(), settings.idle_timeout);
    let server_handle = handle.clone();
    // The listener is registered on the event loop that runs it, so that accepting wakes no other thread.
    let run = async move {
        let shared = SharedListener::new(listener, &loads, worker)?;
        let mut server = Server::<Peer>::from_listener(shared).acceptor(acceptor).handle(server_handle);
        set_limits(server.http_builder(), idle_timeout);
        server.serve(service_fn(move |_: Peer| ready(Ok::<_, Infallible>(http.for_new_connection())))).await
    };
    HttpServer { handle, run: Box::pin(run) }
}

/// Sets the limits and timeouts of hyper; its timeouts need a timer.
fn set_limits(builder: &mut Builder<TokioExecutor>, idle_timeout: Duration) {
    // hyper counts the wait for the next request as time for reading its head.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(idle_timeout).max_buf_size(HEAD_BYTES_MAX);
    // A client may cancel all of its requests at once, as many do when their own deadline passes. The default limit of
    // h2, 20, would close the connection with all other requests on it.
    let resets_max = STREAMS_MAX as usize;
    // No pings are sent: their acknowledgements would keep an idle connection open.
    builder
        .http2()
        .max_pending_accept_reset_streams(Some(resets_max))
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX);
}
