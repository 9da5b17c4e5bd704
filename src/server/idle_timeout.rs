//! The time limits of a connection: without progress of a request or reply, and by its age.

use super::movable::Movable;
use crate::http::ClientConnection;
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

/// Time for a client to send the first byte after the handshake.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes that a connection reads in one turn of its task until it is authenticated. The tasks of the requests in them run
/// and drop the heads before the next turn; otherwise the heads of all connections that send at once would be in memory.
const UNAUTHENTICATED_READ_BYTES: usize = 1024;
/// Looks at the progress of a connection within its time limit. No clock is read between them.
const LOOKS: u32 = 4;
/// Bytes sent between two looks that count as progress of replies. PING frames are answered with 17 bytes each.
const SENT_BYTES_MIN: usize = 64 * 1024;

/// The smallest share of its maximum age that a connection gets, in percent. The ages differ, so that clients that connected
/// at the same time do not all connect again at the same time.
const AGE_PERCENT_MIN: u32 = 80;

/// The time limits of connections.
#[derive(Clone, Copy)]
pub struct ConnectionTimes {
    /// Time without progress after which a connection fails.
    pub idle: Duration,
    /// Maximum age of a connection; `None` for no limit.
    pub age_max: Option<Duration>,
}

impl ConnectionTimes {
    /// Returns the time at which a connection that opens now retires.
    fn retires_at(&self, now: Instant) -> Option<Instant> {
        let age_max = self.age_max?;
        let mut random = [0];
        // Without random bytes all connections get the same age.
        let _filled = aws_lc_rs::rand::fill(&mut random);
        let percent = AGE_PERCENT_MIN + u32::from(random[0]) * (100 - AGE_PERCENT_MIN) / u32::from(u8::MAX);
        now.checked_add(age_max * percent / 100)
    }
}

/// A stream that fails when no request and no reply on it makes progress for too long, and that tells its connection when it
/// retires.
///
/// PING frames of HTTP/2 and parts of a request's head are no progress: a client could hold a connection with them.
pub struct IdleTimeoutStream<S, G> {
    stream: S,
    connection: Arc<ClientConnection>,
    /// The shares of this connection in limits, released with it.
    guards: G,
    /// Time limit after the first byte.
    idle_timeout: Duration,
    /// The client has sent a byte.
    has_received: bool,
    /// The last read was in this turn of the task; kept only until the connection is authenticated.
    has_read_in_turn: bool,
    /// Bytes sent since the last look.
    sent: usize,
    /// Looks that saw no progress since the last one that did; `None` before the first look.
    idle_looks: Option<u32>,
    /// The time of the next look.
    next_look: Instant,
    /// The time at which the connection retires; `None` if it has retired or never does.
    retires_at: Option<Instant>,
    /// Wakes the task at the earlier of the two.
    timer: Pin<Box<Sleep>>,
}

impl<S, G> IdleTimeoutStream<S, G> {
    /// Starts the time limit for the first byte.
    pub fn new(stream: S, connection: Arc<ClientConnection>, guards: G, times: ConnectionTimes) -> Self {
        let (now, idle_timeout) = (Instant::now(), times.idle);
        let (next_look, retires_at) = (now + idle_timeout.min(FIRST_BYTE_TIMEOUT), times.retires_at(now));
        Self {
            stream,
            connection,
            guards,
            idle_timeout,
            has_received: false,
            has_read_in_turn: false,
            sent: 0,
            idle_looks: None,
            next_look,
            retires_at,
            timer: Box::pin(sleep_until(earlier(next_look, retires_at))),
        }
    }

    /// Returns an error when the connection made no progress for too long, or has to give its place to another one.
    fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        if self.connection.poll_evicted(context).is_ready() {
            return Poll::Ready(io::ErrorKind::ConnectionAborted.into());
        }
        while self.timer.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            if now >= self.next_look {
                if self.is_idle() {
                    return Poll::Ready(io::ErrorKind::TimedOut.into());
                }
                self.next_look = now + self.idle_timeout / LOOKS;
            }
            if self.retires_at.take_if(|time| now >= *time).is_some() {
                self.connection.retirement.begin();
            }
            self.timer.as_mut().reset(earlier(self.next_look, self.retires_at));
        }
        Poll::Pending
    }

    /// Counts the bytes of a write.
    fn count_sent(&mut self, written: io::Result<usize>) -> io::Result<usize> {
        if let Ok(bytes) = written {
            self.sent += bytes;
        }
        written
    }

    /// Looks at the progress since the last look, and returns true if there was none for the whole time limit.
    fn is_idle(&mut self) -> bool {
        let sent = std::mem::take(&mut self.sent) >= SENT_BYTES_MIN;
        let progress = self.connection.take_progress(sent);
        match self.idle_looks {
            None if !self.has_received => return true,
            // The first byte may have arrived a moment ago.
            None => self.idle_looks = Some(0),
            Some(_) if progress => self.idle_looks = Some(0),
            Some(looks) => self.idle_looks = Some(looks + 1),
        }
        self.idle_looks >= Some(LOOKS)
    }
}

impl<S: Movable, G: Movable> Movable for IdleTimeoutStream<S, G> {
    fn leave(&mut self) -> io::Result<()> {
        self.stream.leave().and_then(|()| self.guards.leave())
    }

    fn join(&mut self) -> io::Result<()> {
        // A timer belongs to the event loop that it was made on.
        self.timer = Box::pin(sleep_until(earlier(self.next_look, self.retires_at)));
        self.stream.join().and_then(|()| self.guards.join())
    }
}

fn earlier(time: Instant, other: Option<Instant>) -> Instant {
    other.map_or(time, |other| time.min(other))
}

impl<S: AsyncRead + Unpin, G> IdleTimeoutStream<S, G> {
    /// Reads few bytes, once for each turn of the task.
    fn poll_read_little(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if std::mem::take(&mut self.has_read_in_turn) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut bytes = [0; UNAUTHENTICATED_READ_BYTES];
        let room = bytes.len().min(buffer.remaining());
        let mut little = ReadBuf::new(&mut bytes[..room]);
        let polled = Pin::new(&mut self.stream).poll_read(context, &mut little);
        buffer.put_slice(little.filled());
        self.has_read_in_turn = !little.filled().is_empty();
        polled
    }
}

impl<S: AsyncRead + Unpin, G: Unpin> AsyncRead for IdleTimeoutStream<S, G> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = if self.connection.is_authenticated() {
            Pin::new(&mut self.stream).poll_read(context, buffer)
        } else {
            self.poll_read_little(context, buffer)
        };
        match polled {
            Poll::Ready(result) => {
                self.has_received = true;
                Poll::Ready(result)
            }
            Poll::Pending => self.poll_idle(context).map(Err),
        }
    }
}

impl<S: AsyncWrite + Unpin, G: Unpin> AsyncWrite for IdleTimeoutStream<S, G> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(context, bytes) {
            Poll::Ready(result) => Poll::Ready(self.count_sent(result)),
            Poll::Pending => self.poll_idle(context).map(Err),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write_vectored(context, slices) {
            Poll::Ready(result) => Poll::Ready(self.count_sent(result)),
            Poll::Pending => self.poll_idle(context).map(Err),
        }
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
    use std::future::poll_fn;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    const IDLE: Duration = Duration::from_millis(80);
    const AGE_MAX: Duration = Duration::from_secs(1);

    /// Returns a stream with a time limit, the state of its connection as its service holds it, and its other end.
    fn limited_stream() -> (IdleTimeoutStream<DuplexStream, ()>, Arc<ClientConnection>, DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let connection = Arc::new(ClientConnection::default());
        let times = ConnectionTimes { idle: IDLE, age_max: Some(AGE_MAX) };
        (IdleTimeoutStream::new(ours, Arc::clone(&connection), (), times), connection, theirs)
    }

    /// Reads until the stream fails, and returns the time that it took.
    async fn time_to_failure(stream: &mut IdleTimeoutStream<DuplexStream, ()>) -> Duration {
        let start = Instant::now();
        loop {
            if let Err(error) = stream.read_u8().await {
                assert_eq!(error.kind(), io::ErrorKind::TimedOut);
                return start.elapsed();
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_nothing_is_disconnected() {
        let (mut stream, _service, _theirs) = limited_stream();
        let time = time_to_failure(&mut stream).await;
        assert!((IDLE..IDLE * 2).contains(&time), "{time:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_that_complete_no_request_do_not_postpone_the_timeout() {
        let (mut stream, _service, mut theirs) = limited_stream();
        let pinging = tokio::spawn(async move {
            while theirs.write_u8(0).await.is_ok() {
                tokio::time::sleep(IDLE / 8).await;
            }
        });
        let time = time_to_failure(&mut stream).await;
        assert!((IDLE..IDLE * 3).contains(&time), "{time:?}");
        drop(stream);
        pinging.await.expect("the other end is closed");
    }

    #[tokio::test]
    async fn a_connection_reads_little_in_each_turn_until_it_is_authenticated() {
        let (mut stream, service, mut theirs) = limited_stream();
        theirs.write_all(&[0; 10_000]).await.expect("there is room");
        let mut read = async || {
            let mut bytes = [0; 8192];
            let mut buffer = ReadBuf::new(&mut bytes);
            poll_fn(|context| Poll::Ready(Pin::new(&mut stream).poll_read(context, &mut buffer).is_ready()))
                .await
                .then_some(buffer.filled().len())
        };
        for _ in 0..2 {
            assert_eq!(read().await, Some(UNAUTHENTICATED_READ_BYTES));
            assert_eq!(read().await, None, "other tasks have a turn");
        }
        service.authenticate();
        assert!(read().await > Some(UNAUTHENTICATED_READ_BYTES));
    }

    #[tokio::test(start_paused = true)]
    async fn requests_and_large_writes_postpone_the_timeout() {
        let (mut stream, service, mut theirs) = limited_stream();
        theirs.write_u8(0).await.expect("the stream is open");
        let start = Instant::now();
        for _ in 0..4 {
            assert!(tokio::time::timeout(IDLE * 9 / 10, time_to_failure(&mut stream)).await.is_err(), "it is open");
            service.begin_request();
        }
        for _ in 0..4 {
            assert!(tokio::time::timeout(IDLE * 9 / 10, time_to_failure(&mut stream)).await.is_err(), "it is open");
            stream.write_all(&vec![0; SENT_BYTES_MIN]).await.expect("the stream is open");
        }
        time_to_failure(&mut stream).await;
        assert!(start.elapsed() >= IDLE * 8, "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_retires_once_its_age_is_reached_and_not_before() {
        for _ in 0..20 {
            let (mut stream, service, mut theirs) = limited_stream();
            theirs.write_u8(0).await.expect("the stream is open");
            let start = Instant::now();
            while !service.retirement.has_begun() {
                service.begin_request();
                assert!(tokio::time::timeout(IDLE / 10, time_to_failure(&mut stream)).await.is_err(), "it is open");
            }
            let age = start.elapsed();
            assert!(age >= AGE_MAX * AGE_PERCENT_MIN / 100 && age <= AGE_MAX + IDLE / 10, "{age:?}");
            time_to_failure(&mut stream).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_ages_of_connections_differ() {
        let now = Instant::now();
        let times = ConnectionTimes { idle: IDLE, age_max: Some(AGE_MAX) };
        let ages: std::collections::BTreeSet<_> = (0..50).map(|_| times.retires_at(now)).collect();
        assert!(ages.len() > 10, "{ages:?}");
        assert_eq!(ConnectionTimes { age_max: None, ..times }.retires_at(now), None);
    }
}
