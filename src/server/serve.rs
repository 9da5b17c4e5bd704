//! Builds the HTTP servers of both ports from their routers.

use super::{
    accept_loop::AcceptLoop,
    connection_counters::ConnectionCounters,
    connection_limit::{LimitedAcceptor, LimitedStream},
    idle_timeout::ConnectionTimes,
    movable::{Movable, MovableTcp},
    part_config::place_limits,
    plain_http::HttpsAcceptor,
    proxy_protocol::TrustedProxies,
    shared_listener::{SharedListener, WorkerLoad},
    shutdown::Shutdown,
    worker_balance::WorkerBalance,
    worker_lanes::{WorkerLanes, worker_lanes},
};
use crate::{
    http::{HEAD_BYTES_MAX, HttpService, PlaceLimits},
    settings,
    telemetry::metrics::Listener,
};
use axum_server::{
    accept::{Accept, DefaultAcceptor},
    tls_rustls::RustlsConfig,
};
use hyper_util::{
    rt::{TokioExecutor, TokioTimer},
    server::conn::auto::Builder,
};
use std::{io, net, pin::Pin, sync::Arc, time::Duration};
use tokio::io::{AsyncRead, AsyncWrite};

/// Maximum number of concurrent requests on one HTTP/2 connection.
const STREAMS_MAX: u32 = 100;
/// Time for the first bytes and the TLS handshake together.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A server that is ready to run, on the event loop of its worker, until it is stopped.
pub type HttpServer = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

/// Builds the servers of the HTTPS port: one for each listener, with common limits.
pub fn service(
    settings: &settings::ServiceConfig,
    listeners: Vec<net::TcpListener>,
    tls: RustlsConfig,
    http: &HttpService,
    connections_max: usize,
    balance: &Arc<WorkerBalance>,
    stop: &Shutdown,
) -> Vec<HttpServer> {
    let acceptor = HttpsAcceptor::new(tls, HANDSHAKE_TIMEOUT);
    let counters = ConnectionCounters::new(&http.state().metrics, Listener::Service);
    let proxies = TrustedProxies::new(settings.trusted_proxies.clone(), settings.proxy_protocol);
    let limits = place_limits(settings, connections_max);
    let times = ConnectionTimes { idle: settings.idle_timeout, age_max: settings.connection_age_max };
    let acceptor = LimitedAcceptor::new(acceptor, limits, proxies, times, counters.clone());
    let loads = WorkerLoad::new(listeners.len());
    let mut servers = Vec::new();
    for ((worker, listener), lanes) in listeners.into_iter().enumerate().zip(worker_lanes(balance)) {
        let lanes = settings.lane.then_some(lanes);
        let slot = WorkerSlot { loads: Arc::clone(&loads), worker, counters: counters.clone(), lanes };
        servers.push(server(listener, slot, acceptor.clone(), settings, http.clone(), stop.clone()));
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
    // There is only one instance behind this port, so that a client gains nothing by another connection.
    let times = ConnectionTimes { idle: settings.idle_timeout, age_max: None };
    let acceptor = LimitedAcceptor::new(DefaultAcceptor::new(), limits, proxies, times, counters.clone());
    let slot = WorkerSlot { loads: WorkerLoad::new(1), worker: 0, counters, lanes: None };
    // This port is open to the end of the process.
    server(listener, slot, acceptor, settings, http, Shutdown::default())
}

/// One worker and the loads of all workers.
struct WorkerSlot<S> {
    loads: Arc<WorkerLoad>,
    worker: usize,
    counters: ConnectionCounters,
    /// The lanes in which connections begin; `None` if hyper serves all of them.
    lanes: Option<WorkerLanes<LimitedStream<S>>>,
}

fn server<A>(
    listener: net::TcpListener,
    WorkerSlot { loads, worker, counters, lanes }: WorkerSlot<A::Stream>,
    acceptor: LimitedAcceptor<A>,
    settings: &settings::ServiceConfig,
    http: HttpService,
    stop: Shutdown,
) -> HttpServer
where
    A: Accept<MovableTcp, HttpService, Service = HttpService> + Clone + Send + Sync + 'static,
    A::Stream: AsyncRead + AsyncWrite + Movable + Unpin + Send + 'static,
    A::Future: Send,
{
    let mut builder = Builder::new(TokioExecutor::new());
    set_limits(&mut builder, settings.idle_timeout);
    // The listener is registered on the event loop that runs it, so that accepting wakes no other thread.
    Box::pin(async move {
        let listener = SharedListener::new(listener, &loads, worker, counters)?;
        AcceptLoop { listener, acceptor, builder, http, stop, lanes }.run().await;
        Ok(())
    })
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
        .max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX))
        .max_concurrent_streams(STREAMS_MAX);
}
