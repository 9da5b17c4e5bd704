//! Builds the HTTP servers of both ports from their routers.

use super::{
    connection_counters::ConnectionCounters,
    connection_limit::LimitedAcceptor,
    part_config::place_limits,
    proxy_protocol::TrustedProxies,
    shared_listener::{Peer, SharedListener, WorkerLoad},
};
use crate::{
    http::{HttpService, PlaceLimits},
    settings,
    telemetry::metrics::Listener,
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

/// Longest head of a request; a token with some headers is far shorter.
const HEAD_BYTES_MAX: u32 = 16 * 1024;
/// Maximum number of concurrent requests on one HTTP/2 connection.
const STREAMS_MAX: u32 = 100;
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

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
    connections_max: usize,
) -> Vec<HttpServer> {
    let acceptor = RustlsAcceptor::new(tls).handshake_timeout(HANDSHAKE_TIMEOUT);
    let counters = ConnectionCounters::new(&http.state().metrics, Listener::Service);
    let proxies = TrustedProxies::new(settings.trusted_proxies.clone(), settings.proxy_protocol);
    let limits = place_limits(settings, connections_max);
    let acceptor = LimitedAcceptor::new(acceptor, limits, proxies, settings.idle_timeout, counters.clone());
    let loads = WorkerLoad::new(listeners.len());
    let mut servers = Vec::new();
    for (worker, listener) in listeners.into_iter().enumerate() {
        let slot = WorkerSlot { loads: Arc::clone(&loads), worker, counters: counters.clone() };
        servers.push(server(listener, slot, acceptor.clone(), settings, http.clone()));
    }
    servers
}

/// Builds the server of the admin port, which speaks plain HTTP.
pub fn admin(
    settings: &settings::ServiceConfig,
    listener: net::TcpListener,
    http: HttpService,
    connections_max: usize,
) -> HttpServer {
    let counters = ConnectionCounters::new(&http.state().metrics, Listener::Admin);
    // Nobody authenticates here: when places run out, the oldest connection gives its place to a new one.
    let limits = PlaceLimits {
        connections: connections_max,
        unauthenticated: connections_max,
        per_address: connections_max.saturating_add(1),
    };
    let proxies = TrustedProxies::default();
    let acceptor =
        LimitedAcceptor::new(DefaultAcceptor::new(), limits, proxies, settings.idle_timeout, counters.clone());
    server(listener, WorkerSlot { loads: WorkerLoad::new(1), worker: 0, counters }, acceptor, settings, http)
}

/// One worker and the loads of all workers.
struct WorkerSlot {
    loads: Arc<WorkerLoad>,
    worker: usize,
    counters: ConnectionCounters,
}

fn server<A>(
    listener: net::TcpListener,
    WorkerSlot { loads, worker, counters }: WorkerSlot,
    acceptor: LimitedAcceptor<A>,
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
        let shared = SharedListener::new(listener, &loads, worker, counters)?;
        let mut server = Server::<Peer>::from_listener(shared).acceptor(acceptor).handle(server_handle);
        set_limits(server.http_builder(), idle_timeout);
        server.serve(service_fn(move |_: Peer| ready(Ok::<_, Infallible>(http.for_new_connection())))).await
    };
    HttpServer { handle, run: Box::pin(run) }
}

/// Sets the limits and timeouts of hyper; its timeouts need a timer.
fn set_limits(builder: &mut Builder<TokioExecutor>, idle_timeout: Duration) {
    // hyper counts the wait for the next request as time for reading its head.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(idle_timeout).max_buf_size(HEAD_BYTES_MAX as usize);
    // A client may cancel all of its requests at once, as many do when their own deadline passes. The default limit of
    // h2, 20, would close the connection with all other requests on it.
    let resets_max = STREAMS_MAX as usize;
    // No pings are sent: their acknowledgements would keep an idle connection open.
    builder
        .http2()
        .max_pending_accept_reset_streams(Some(resets_max))
        .timer(TokioTimer::new())
        .max_header_list_size(HEAD_BYTES_MAX)
        .max_concurrent_streams(STREAMS_MAX);
}
