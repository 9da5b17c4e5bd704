//! Routers → running HTTP servers.

use super::{
    accept::{Counts, Watched},
    balance::{Loads, Peer, Shared},
};
use crate::{
    api::Front,
    settings,
    telemetry::metrics::{Listener, Metrics},
};
use axum_server::{
    Address, Handle, Server,
    accept::DefaultAcceptor,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use hyper_util::{
    rt::{TokioExecutor, TokioTimer},
    server::conn::auto::Builder,
};
use std::{
    convert::Infallible,
    future::{Ready, ready},
    io,
    net::{SocketAddr, TcpListener},
    pin::Pin,
    sync::Arc,
    time::Duration,
};
use tower::{Service, service_fn};

/// Most bytes of the head of an HTTP/1 request; a token and some headers are far below.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Requests that one HTTP/2 connection may have open.
const STREAMS_MAX: u32 = 256;
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections to the admin port: probes and scrapers are few.
const ADMIN_CONNECTIONS_MAX: usize = 256;

/// A server that is ready to run, and the handle that stops it.
pub struct Serving<A: Address> {
    pub handle: Handle<A>,
    pub run: Pin<Box<dyn Future<Output = io::Result<()>> + Send>>,
}

/// The HTTPS port: one server for each listener, with limits that they share.
pub fn service(
    settings: &settings::Service,
    listeners: Vec<TcpListener>,
    tls: RustlsConfig,
    front: &Front,
    metrics: &Arc<Metrics>,
) -> Vec<Serving<Peer>> {
    let acceptor = RustlsAcceptor::new(tls).handshake_timeout(HANDSHAKE_TIMEOUT);
    let counts = Counts::new(metrics, Listener::Service);
    let acceptor = Watched::new(acceptor, settings.connections_max, settings.idle_timeout, counts);
    let loads = Loads::new(listeners.len());
    let serving = |(worker, listener)| {
        let (handle, idle_timeout) = (Handle::new(), settings.idle_timeout);
        let (acceptor, stop, front, loads) = (acceptor.clone(), handle.clone(), front.clone(), Arc::clone(&loads));
        // Made where it runs, so that accepting wakes nobody elsewhere.
        let run = async move {
            let shared = Shared::new(listener, &loads, worker)?;
            let mut server = Server::<Peer>::from_listener(shared).acceptor(acceptor).handle(stop);
            limit(server.http_builder(), idle_timeout);
            server.serve(for_each_connection(front)).await
        };
        Serving { handle, run: Box::pin(run) }
    };
    listeners.into_iter().enumerate().map(serving).collect()
}

/// The admin port: plain HTTP.
pub fn admin(
    settings: &settings::Service,
    listener: TcpListener,
    front: Front,
    metrics: &Arc<Metrics>,
) -> io::Result<Serving<SocketAddr>> {
    let counts = Counts::new(metrics, Listener::Admin);
    let acceptor = Watched::new(DefaultAcceptor::new(), ADMIN_CONNECTIONS_MAX, settings.idle_timeout, counts);
    let handle = Handle::new();
    let mut server: Server<SocketAddr, _> = axum_server::from_tcp(listener)?.acceptor(acceptor).handle(handle.clone());
    limit(server.http_builder(), settings.idle_timeout);
    Ok(Serving { handle, run: Box::pin(server.serve(for_each_connection(front))) })
}

fn for_each_connection<A>(
    front: Front,
) -> impl Service<A, Response = Front, Error = Infallible, Future = Ready<Result<Front, Infallible>>> {
    service_fn(move |_| ready(Ok(front.clone())))
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
