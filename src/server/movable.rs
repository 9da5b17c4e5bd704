//! Streams that can change their event loop.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

/// A stream that can change its event loop while nothing waits for it.
pub trait Movable {
    /// Takes the stream out of its event loop. It is of no use until it joins one again.
    fn leave(&mut self) -> io::Result<()>;

    /// Registers the stream with the event loop of the calling worker.
    fn join(&mut self) -> io::Result<()>;
}

/// A TCP connection that can change its event loop.
pub struct MovableTcp(Registration);

enum Registration {
    /// With the event loop that the stream is used on.
    Joined(TcpStream),
    /// With none.
    Left(std::net::TcpStream),
    /// A change failed.
    Lost,
}

impl MovableTcp {
    /// Wraps a connection that is registered.
    pub fn new(stream: TcpStream) -> Self {
        Self(Registration::Joined(stream))
    }

    /// Returns the connection. Fails while it is in no event loop.
    pub fn tcp(&mut self) -> io::Result<&mut TcpStream> {
        match &mut self.0 {
            Registration::Joined(stream) => Ok(stream),
            Registration::Left(_) | Registration::Lost => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn pinned(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        self.tcp().map(Pin::new)
    }
}

impl Movable for MovableTcp {
    fn leave(&mut self) -> io::Result<()> {
        if let Registration::Joined(stream) = std::mem::replace(&mut self.0, Registration::Lost) {
            self.0 = Registration::Left(stream.into_std()?);
        }
        Ok(())
    }

    fn join(&mut self) -> io::Result<()> {
        if let Registration::Left(stream) = std::mem::replace(&mut self.0, Registration::Lost) {
            self.0 = Registration::Joined(TcpStream::from_std(stream)?);
        }
        Ok(())
    }
}

impl<S: Movable> Movable for TlsStream<S> {
    fn leave(&mut self) -> io::Result<()> {
        self.get_mut().0.leave()
    }

    fn join(&mut self) -> io::Result<()> {
        self.get_mut().0.join()
    }
}

impl Movable for () {
    fn leave(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn join(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for MovableTcp {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.pinned()?.poll_read(context, buffer)
    }
}

impl AsyncWrite for MovableTcp {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.pinned()?.poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.pinned()?.poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pinned()?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pinned()?.poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        runtime::{Builder, Runtime},
    };

    fn event_loop() -> Runtime {
        Builder::new_current_thread().enable_all().build().expect("it starts")
    }

    #[test]
    fn a_stream_goes_on_in_another_event_loop_with_what_arrived_meanwhile() {
        let (one, other) = (event_loop(), event_loop());
        let (mut stream, mut client) = one.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let client = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("it connects");
            let (stream, _) = listener.accept().await.expect("it is accepted");
            let mut stream = MovableTcp::new(stream);
            stream.write_all(b"from one").await.expect("it is sent");
            stream.leave().expect("it leaves");
            assert!(stream.write_all(b"from none").await.is_err());
            (stream, client)
        });
        one.block_on(client.write_all(b"between")).expect("it is sent");
        other.block_on(async {
            stream.join().expect("it joins");
            let mut received = [0; 7];
            stream.read_exact(&mut received).await.expect("it arrives");
            assert_eq!(&received, b"between");
            stream.write_all(b", from the other").await.expect("it is sent");
        });
        let mut received = [0; 24];
        one.block_on(client.read_exact(&mut received)).expect("it arrives");
        assert_eq!(&received, b"from one, from the other");
    }
}
