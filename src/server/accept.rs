//! Limits on connections: their number, the time for the first byte, and the time without traffic.
//!
//! hyper's own timeouts do not cover a client that sends nothing, one byte, or only the HTTP/2 preface.

use super::balance::{AcceptedConnection, LoadGuard};
use crate::telemetry::metrics::{ConnectionMetrics, Listener, Metrics};
use axum_server::accept::Accept;
use std::{
    io,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep, sleep_until},
};

/// Time for a client to send the first byte after the handshake.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(10);

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
struct ConnectionPermit {
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

impl<A, S> Accept<AcceptedConnection, S> for IdleTimeoutAcceptor<A>
where
    A: Accept<TcpStream, S> + Clone + Send + Sync + 'static,
    A::Stream: AsyncRead + AsyncWrite + Unpin + Send,
    A::Service: Send,
    A::Future: Send,
    S: Send + 'static,
{
    type Stream = IdleTimeoutStream<A::Stream>;
    type Service = A::Service;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Self::Service)>> + Send>>;

    fn accept(&self, AcceptedConnection { stream, load }: AcceptedConnection, service: S) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let permit = ConnectionPermit::acquire(this.permits, this.counters)?;
            // Replies are whole messages; waiting for more data to send would only delay them.
            stream.set_nodelay(true)?;
            let accepted = this.inner.accept(stream, service).await;
            let (stream, service) = accepted.inspect_err(|_| permit.counters.metrics().handshakes_failed.count())?;
            Ok((IdleTimeoutStream::new(stream, (permit, load), this.idle_timeout), service))
        })
    }
}

/// A stream that fails when it had no traffic for too long.
pub struct IdleTimeoutStream<S> {
    stream: S,
    /// The share of this connection in the limit of connections and in the load of its worker.
    _guards: (ConnectionPermit, LoadGuard),
    last_traffic: Instant,
    /// Current time limit; it is short until the first byte.
    limit: Duration,
    /// Time limit after the first byte.
    idle_timeout: Duration,
    /// The timer is reset only when it fires. A reset at each read would cost a turn of the timer wheel.
    timer: Pin<Box<Sleep>>,
}

impl<S> IdleTimeoutStream<S> {
    fn new(stream: S, guards: (ConnectionPermit, LoadGuard), idle_timeout: Duration) -> Self {
        let now = Instant::now();
        let limit = idle_timeout.min(FIRST_BYTE_TIMEOUT);
        Self {
            stream,
            _guards: guards,
            last_traffic: now,
            limit,
            idle_timeout,
            timer: Box::pin(sleep_until(now + limit)),
        }
    }

    /// Records traffic.
    fn touch(&mut self) {
        self.last_traffic = Instant::now();
        self.limit = self.idle_timeout;
    }

    /// Returns an error when the stream had no traffic for too long.
    fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        while self.timer.as_mut().poll(context).is_ready() {
            let due = self.last_traffic + self.limit;
            if due <= Instant::now() {
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            self.timer.as_mut().reset(due);
        }
        Poll::Pending
    }

    /// Records traffic if there was any, else checks the time limit.
    fn poll_with_timeout<T>(&mut self, context: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match polled {
            Poll::Ready(result) => {
                self.touch();
                Poll::Ready(result)
            }
            Poll::Pending => self.poll_idle(context).map(Err),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for IdleTimeoutStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.poll_with_timeout(context, polled)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for IdleTimeoutStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.poll_with_timeout(context, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.poll_with_timeout(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_flush(context) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => self.poll_idle(context).map(Err),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_shutdown(context) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => self.poll_idle(context).map(Err),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::balance::WorkerLoad;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const IDLE: Duration = Duration::from_millis(60);

    /// Returns a stream with a time limit, and its other end.
    fn limited_stream(idle_timeout: Duration) -> (IdleTimeoutStream<tokio::io::DuplexStream>, tokio::io::DuplexStream) {
        let counters = ConnectionCounters::new(&Arc::default(), Listener::Service);
        let permit = ConnectionPermit::acquire(Arc::new(Semaphore::new(1)), counters).expect("a permit");
        let (ours, theirs) = tokio::io::duplex(64);
        let load = LoadGuard::new(&WorkerLoad::new(1), 0);
        (IdleTimeoutStream::new(ours, (permit, load), idle_timeout), theirs)
    }

    #[tokio::test]
    async fn a_client_that_sends_nothing_is_disconnected() {
        let (mut stream, _theirs) = limited_stream(IDLE);
        let start = Instant::now();
        let error = stream.read_u8().await.expect_err("nothing was sent");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(start.elapsed() >= IDLE);
    }

    #[tokio::test]
    async fn traffic_postpones_the_timeout() {
        let (mut stream, mut theirs) = limited_stream(IDLE);
        let start = Instant::now();
        for byte in 0..4 {
            tokio::time::sleep(IDLE / 2).await;
            theirs.write_u8(byte).await.expect("the stream is open");
            assert_eq!(stream.read_u8().await.ok(), Some(byte));
        }
        let error = stream.read_u8().await.expect_err("nothing more was sent");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(start.elapsed() >= IDLE * 3);
    }
}
