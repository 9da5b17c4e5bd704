//! Limits on connections: their number, the time for the first byte, and the time without traffic.
//!
//! hyper's own timeouts do not cover a client that sends nothing, one byte, or only the HTTP/2 preface.

use super::{
    idle_timeout::IdleTimeoutStream,
    shared_listener::{AcceptedConnection, LoadGuard},
};
use crate::{
    http::HttpService,
    telemetry::metrics::{ConnectionMetrics, Listener, Metrics},
};
use axum_server::accept::Accept;
use std::{
    io,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
};

/// Accepts connections with `inner` and closes those that are idle for too long.
#[derive(Clone)]
pub struct IdleTimeoutAcceptor<A> {
    inner: A,
    permits: Arc<Semaphore>,
    idle_timeout: Duration,
    counters: ConnectionCounters,
}

impl<A> IdleTimeoutAcceptor<A> {
    /// Limits the open connections to `connections_max`.
    pub fn new(inner: A, connections_max: usize, idle_timeout: Duration, counters: ConnectionCounters) -> Self {
        counters.metrics().limit.store(connections_max as u64, Relaxed);
        Self { inner, permits: Arc::new(Semaphore::new(connections_max)), idle_timeout, counters }
    }
}

/// The connection metrics of one port.
#[derive(Clone)]
pub struct ConnectionCounters {
    metrics: Arc<Metrics>,
    listener: Listener,
}

impl ConnectionCounters {
    /// Selects the metrics of a port.
    pub fn new(metrics: &Arc<Metrics>, listener: Listener) -> Self {
        Self { metrics: Arc::clone(metrics), listener }
    }

    fn metrics(&self) -> &ConnectionMetrics {
        self.metrics.connections(self.listener)
    }
}

/// The permission for one open connection; it is released on drop.
pub struct ConnectionPermit {
    _permit: OwnedSemaphorePermit,
    counters: ConnectionCounters,
}

impl ConnectionPermit {
    /// Fails at once if there are too many connections: a waiting one would occupy a file descriptor, too.
    fn acquire(permits: Arc<Semaphore>, counters: ConnectionCounters) -> io::Result<Self> {
        let Ok(permit) = permits.try_acquire_owned() else {
            counters.metrics().refused.count();
            return Err(io::ErrorKind::ConnectionRefused.into());
        };
        counters.metrics().accepted.count();
        Ok(Self { _permit: permit, counters })
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.counters.metrics().closed.count();
    }
}

impl<A> Accept<AcceptedConnection, HttpService> for IdleTimeoutAcceptor<A>
where
    A: Accept<TcpStream, HttpService, Service = HttpService> + Clone + Send + Sync + 'static,
    A::Stream: AsyncRead + AsyncWrite + Unpin + Send,
    A::Future: Send,
{
    type Stream = IdleTimeoutStream<A::Stream, (ConnectionPermit, LoadGuard)>;
    type Service = HttpService;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Self::Service)>> + Send>>;

    fn accept(&self, AcceptedConnection { stream, load }: AcceptedConnection, service: HttpService) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let permit = ConnectionPermit::acquire(this.permits, this.counters)?;
            // Replies are whole messages; waiting for more data to send would only delay them.
            stream.set_nodelay(true)?;
            let accepted = this.inner.accept(stream, service).await;
            let (stream, service) = accepted.inspect_err(|_| permit.counters.metrics().handshakes_failed.count())?;
            let connection = Arc::clone(service.connection());
            Ok((IdleTimeoutStream::new(stream, connection, (permit, load), this.idle_timeout), service))
        })
    }
}
