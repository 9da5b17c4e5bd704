//! The instance's side of a simulated connection.

use crate::world::Sim;
use cachefront::{
    store::{Dialing, SimulatedStream, Simulation},
    types::Address,
};
use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::oneshot,
};

use crate::rng::Rng;

/// The network and the random numbers of one instance.
pub struct InstanceNetwork {
    pub sim: Arc<Sim>,
    pub instance: usize,
    pub rng: Mutex<Rng>,
}

impl Simulation for InstanceNetwork {
    fn dial(&self, address: &Address) -> Dialing {
        let (opened, result) = oneshot::channel();
        let sim = Arc::clone(&self.sim);
        sim.with(|world| match world.nodes.iter().position(|node| node.address == *address) {
            Some(node) => world.dial(self.instance, node, opened),
            None => drop(opened.send(Err(io::ErrorKind::HostUnreachable.into()))),
        });
        Box::pin(async move {
            let connection = result.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            let stream: Box<dyn SimulatedStream> = Box::new(SimStream { sim, connection });
            Ok(stream)
        })
    }

    fn random(&self) -> u64 {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner).next()
    }
}

/// The instance's side of a connection.
struct SimStream {
    sim: Arc<Sim>,
    connection: usize,
}

impl AsyncRead for SimStream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.sim.with(|world| {
            let connection = &mut world.network.connections[self.connection];
            if connection.inbox.is_empty() {
                if let Some(end) = connection.end {
                    return Poll::Ready(Err(end.into()));
                }
                connection.reader = Some(context.waker().clone());
                return Poll::Pending;
            }
            let (bytes, _) = connection.inbox.as_slices();
            let length = bytes.len().min(buffer.remaining());
            buffer.put_slice(&bytes[..length]);
            connection.inbox.drain(..length);
            Poll::Ready(Ok(()))
        })
    }
}

impl AsyncWrite for SimStream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.sim.with(|world| {
            if let Some(end) = world.network.connections[self.connection].end {
                return Poll::Ready(Err(end.into()));
            }
            world.send_to_node(self.connection, bytes.to_vec());
            Poll::Ready(Ok(bytes.len()))
        })
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.sim.with(|world| world.close_from_instance(self.connection));
        Poll::Ready(Ok(()))
    }
}

impl Drop for SimStream {
    fn drop(&mut self) {
        self.sim.with(|world| world.close_from_instance(self.connection));
    }
}
