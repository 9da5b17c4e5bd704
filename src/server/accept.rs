//! Connections that cannot be held open for nothing.
//!
//! hyper's own timeouts do not cover a client that sends nothing, one byte, or only the HTTP/2 preface, so every
//! connection is watched here: a place among the allowed number, a time for the first byte, a time without any
//! movement.

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

/// How long a client may take to send the first byte after the handshake.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(10);

/// Accepts with `inner` and watches what comes of it.
#[derive(Clone)]
pub struct IdleTimeoutAcceptor<A> {
    inner: A,
    places: Arc<Semaphore>,
    idle_timeout: Duration,
    counts: ConnectionCounters,
}

impl<A> IdleTimeoutAcceptor<A> {
    pub fn new(inner: A, connections_max: usize, idle_timeout: Duration, counts: ConnectionCounters) -> Self {
        counts.of_port().limit.store(connections_max as u64, Relaxed);
        Self { inner, places: Arc::new(Semaphore::new(connections_max)), idle_timeout, counts }
    }
}

/// What is counted of one port's connections.
#[derive(Clone)]
pub struct ConnectionCounters {
    metrics: Arc<Metrics>,
    listener: Listener,
}

impl ConnectionCounters {
    pub fn new(metrics: &Arc<Metrics>, listener: Listener) -> Self {
        Self { metrics: Arc::clone(metrics), listener }
    }

    fn of_port(&self) -> &ConnectionMetrics {
        self.metrics.connections(self.listener)
    }
}

/// A connection's place among the allowed number, given back when it is dropped.
struct ConnectionPermit {
    _permit: OwnedSemaphorePermit,
    counts: ConnectionCounters,
}

impl ConnectionPermit {
    /// Refused at once rather than kept waiting: a connection that waits would hold a descriptor all the same.
    fn take(places: Arc<Semaphore>, counts: ConnectionCounters) -> io::Result<Self> {
        let Ok(permit) = places.try_acquire_owned() else {
            counts.of_port().refused.count();
            return Err(io::ErrorKind::ConnectionRefused.into());
        };
        counts.of_port().accepted.count();
        Ok(Self { _permit: permit, counts })
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.counts.of_port().closed.count();
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

    fn accept(&self, AcceptedConnection { stream, part }: AcceptedConnection, service: S) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let place = ConnectionPermit::take(this.places, this.counts)?;
            // Replies are whole messages; waiting for more to send would only delay them.
            stream.set_nodelay(true)?;
            let accepted = this.inner.accept(stream, service).await;
            let (stream, service) = accepted.inspect_err(|_| place.counts.of_port().handshakes_failed.count())?;
            Ok((IdleTimeoutStream::new(stream, (place, part), this.idle_timeout), service))
        })
    }
}

/// A stream that fails when nothing has moved on it for too long.
pub struct IdleTimeoutStream<S> {
    stream: S,
    /// Among the allowed number, and of what its worker has to do.
    _places: (ConnectionPermit, LoadGuard),
    last_movement: Instant,
    limit: Duration,
    idle_timeout: Duration,
    /// Set anew only when it rings, not at every movement: that would cost each read a turn of the timer wheel.
    alarm: Pin<Box<Sleep>>,
}

impl<S> IdleTimeoutStream<S> {
    fn new(stream: S, places: (ConnectionPermit, LoadGuard), idle_timeout: Duration) -> Self {
        let now = Instant::now();
        let limit = idle_timeout.min(FIRST_BYTE_TIMEOUT);
        Self {
            stream,
            _places: places,
            last_movement: now,
            limit,
            idle_timeout,
            alarm: Box::pin(sleep_until(now + limit)),
        }
    }

    fn touch(&mut self) {
        self.last_movement = Instant::now();
        self.limit = self.idle_timeout;
    }

    /// Ready when the stream has been still for too long.
    fn poll_still(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        while self.alarm.as_mut().poll(context).is_ready() {
            let due = self.last_movement + self.limit;
            if due <= Instant::now() {
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            self.alarm.as_mut().reset(due);
        }
        Poll::Pending
    }

    /// Notes movement, or, while there is none, watches the time.
    fn watch<T>(&mut self, context: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match polled {
            Poll::Ready(result) => {
                self.touch();
                Poll::Ready(result)
            }
            Poll::Pending => self.poll_still(context).map(Err),
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
        self.watch(context, polled)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for IdleTimeoutStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_flush(context) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => self.poll_still(context).map(Err),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_shutdown(context) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => self.poll_still(context).map(Err),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::balance::WorkerLoad;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const IDLE: Duration = Duration::from_millis(60);

    fn watched(idle_timeout: Duration) -> (IdleTimeoutStream<tokio::io::DuplexStream>, tokio::io::DuplexStream) {
        let counts = ConnectionCounters::new(&Arc::default(), Listener::Service);
        let place = ConnectionPermit::take(Arc::new(Semaphore::new(1)), counts).expect("a free place");
        let (ours, theirs) = tokio::io::duplex(64);
        let part = LoadGuard::new(&WorkerLoad::new(1), 0);
        (IdleTimeoutStream::new(ours, (place, part), idle_timeout), theirs)
    }

    #[tokio::test]
    async fn a_client_that_sends_nothing_is_cut_off() {
        let (mut stream, _theirs) = watched(IDLE);
        let start = Instant::now();
        let error = stream.read_u8().await.expect_err("nothing was sent");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(start.elapsed() >= IDLE);
    }

    #[tokio::test]
    async fn movement_puts_the_end_off_and_silence_brings_it() {
        let (mut stream, mut theirs) = watched(IDLE);
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
