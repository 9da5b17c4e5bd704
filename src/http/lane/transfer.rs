//! Reads from the stream of a connection, and writes to it.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

/// Bytes that are read at once.
pub const READ_BYTES: usize = 16 * 1024;

/// Sends replies, and drops them with their room: replies differ in size, and an idle connection keeps no room for them.
pub async fn send_all(stream: &mut (impl AsyncWrite + Unpin), output: &mut Vec<u8>) -> io::Result<()> {
    stream.write_all(output).await?;
    *output = Vec::new();
    stream.flush().await
}

/// Reads into the end of a buffer. The bytes pass through the stack, so that idle connections have no buffer.
pub fn poll_read(
    stream: &mut (impl AsyncRead + Unpin),
    context: &mut Context<'_>,
    input: &mut Vec<u8>,
) -> Poll<io::Result<usize>> {
    let mut bytes = [MaybeUninit::uninit(); READ_BYTES];
    let mut buffer = ReadBuf::uninit(&mut bytes);
    ready!(Pin::new(stream).poll_read(context, &mut buffer))?;
    input.extend_from_slice(buffer.filled());
    Poll::Ready(Ok(buffer.filled().len()))
}
