//! Connections that cannot be held open for nothing.
//!
//! hyper's own timeouts do not cover a client that sends nothing, one byte, or only the HTTP/2 preface, so every
//! connection is watched here: a place among the allowed number, a time for the first byte, a time without any
//! movement.

use super::balance::{InTurn, Part};
use crate::telemetry::metrics::{Connections, Listener, Metrics};
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
pub struct Watched<A> {
    inner: A,
    places: Arc<Semaphore>,
    idle_timeout: Duration,
    counts: Counts,
}

impl<A> Watched<A> {
    pub fn new(inner: A, connections_max: usize, idle_timeout: Duration, counts: Counts) -> Self {
        counts.of_port().most.store(connections_max as u64, Relaxed);
        Self { inner, places: Arc::new(Semaphore::new(connections_max)), idle_timeout, counts }
    }
}

/// What is counted of one port's connections.
#[derive(Clone)]
pub struct Counts {
    metrics: Arc<Metrics>,
    listener: Listener,
}

impl Counts {
    pub fn new(metrics: &Arc<Metrics>, listener: Listener) -> Self {
        Self { metrics: Arc::clone(metrics), listener }
    }

    fn of_port(&self) -> &Connections {
        self.metrics.connections(self.listener)
    }
}

/// A connection's place among the allowed number, given back when it is dropped.
struct Place {
    _permit: OwnedSemaphorePermit,
    counts: Counts,
}

impl Place {
    /// Refused at once rather than kept waiting: a connection that waits would hold a descriptor all the same.
    fn take(places: Arc<Semaphore>, counts: Counts) -> io::Result<Self> {
        let Ok(permit) = places.try_acquire_owned() else {
            counts.of_port().refused.count();
            return Err(io::ErrorKind::ConnectionRefused.into());
        };
        counts.of_port().accepted.count();
        Ok(Self { _permit: permit, counts })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.counts.of_port().closed.count();
    }
}

impl<A, S> Accept<InTurn, S> for Watched<A>
where
    A: Accept<TcpStream, S> + Clone + Send + Sync + 'static,
    A::Stream: AsyncRead + AsyncWrite + Unpin + Send,
    A::Service: Send,
    A::Future: Send,
    S: Send + 'static,
{
    type Stream = WatchedStream<A::Stream>;
    type Service = A::Service;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Self::Service)>> + Send>>;

    fn accept(&self, InTurn { stream, part }: InTurn, service: S) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let place = Place::take(this.places, this.counts)?;
            // Replies are whole messages; waiting for more to send would only delay them.
            stream.set_nodelay(true)?;
            let accepted = this.inner.accept(stream, service).await;
            let (stream, service) = accepted.inspect_err(|_| place.counts.of_port().handshakes_failed.count())?;
            Ok((WatchedStream::new(stream, (place, part), this.idle_timeout), service))
        })
    }
}

/// A stream that fails when nothing has moved on it for too long.
pub struct WatchedStream<S> {
    stream: S,
    /// Among the allowed number, and of what its worker has to do.
    _places: (Place, Part),
    last_movement: Instant,
    limit: Duration,
    idle_timeout: Duration,
    /// Set anew only when it rings, not at every movement: that would cost each read a turn of the timer wheel.
    alarm: Pin<Box<Sleep>>,
}

impl<S> WatchedStream<S> {
    fn new(stream: S, places: (Place, Part), idle_timeout: Duration) -> Self {
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

    fn moved(&mut self) {
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
                self.moved();
                Poll::Ready(result)
            }
            Poll::Pending => self.poll_still(context).map(Err),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WatchedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.watch(context, polled)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WatchedStream<S> {
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
    use crate::server::balance::Loads;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const IDLE: Duration = Duration::from_millis(60);

    fn watched(idle_timeout: Duration) -> (WatchedStream<tokio::io::DuplexStream>, tokio::io::DuplexStream) {
        let counts = Counts::new(&Arc::default(), Listener::Service);
        let place = Place::take(Arc::new(Semaphore::new(1)), counts).expect("a free place");
        let (ours, theirs) = tokio::io::duplex(64);
        let part = Part::new(&Loads::new(1), 0);
        (WatchedStream::new(ours, (place, part), idle_timeout), theirs)
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
