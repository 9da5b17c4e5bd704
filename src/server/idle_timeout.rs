//! The time limit of a connection without traffic.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

/// Time for a client to send the first byte after the handshake.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(10);

/// A stream that fails when it had no traffic for too long.
pub struct IdleTimeoutStream<S, G> {
    stream: S,
    /// The shares of this connection in limits, released with it.
    _guards: G,
    last_traffic: Instant,
    /// Current time limit; it is short until the first byte.
    limit: Duration,
    /// Time limit after the first byte.
    idle_timeout: Duration,
    /// The timer is reset only when it fires. A reset at each read would cost a turn of the timer wheel.
    timer: Pin<Box<Sleep>>,
}

impl<S, G> IdleTimeoutStream<S, G> {
    /// Starts the time limit for the first byte.
    pub fn new(stream: S, guards: G, idle_timeout: Duration) -> Self {
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

impl<S: AsyncRead + Unpin, G: Unpin> AsyncRead for IdleTimeoutStream<S, G> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.poll_with_timeout(context, polled)
    }
}

impl<S: AsyncWrite + Unpin, G: Unpin> AsyncWrite for IdleTimeoutStream<S, G> {
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
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    const IDLE: Duration = Duration::from_millis(60);

    /// Returns a stream with a time limit, and its other end.
    fn limited_stream(idle_timeout: Duration) -> (IdleTimeoutStream<DuplexStream, ()>, DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(64);
        (IdleTimeoutStream::new(ours, (), idle_timeout), theirs)
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_nothing_is_disconnected() {
        let (mut stream, _theirs) = limited_stream(IDLE);
        let start = Instant::now();
        let error = stream.read_u8().await.expect_err("nothing was sent");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(start.elapsed() >= IDLE);
    }

    #[tokio::test(start_paused = true)]
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
