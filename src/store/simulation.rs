//! The seam for simulations: the network and the random numbers of a store, in the hands of a test.
//!
//! Production has no simulation. With one, the same seed leads to the same run: see `docs/simulation.md`.

use crate::types::Address;
use std::{io, pin::Pin, sync::Arc};
use tokio::io::{AsyncRead, AsyncWrite};

/// The network and the random numbers of a store.
pub trait Simulation: Send + Sync {
    /// Opens a stream to the node or sentinel at `address`. It takes the place of a TCP connection.
    fn dial(&self, address: &Address) -> Dialing;

    /// Returns the next random number.
    fn random(&self) -> u64;
}

/// A stream that is being opened.
pub type Dialing = Pin<Box<dyn Future<Output = io::Result<Box<dyn SimulatedStream>>> + Send>>;

/// A simulated stream of bytes in both directions.
pub trait SimulatedStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> SimulatedStream for T {}

/// Returns a random number: from the simulation if there is one, else from the operating system.
pub fn random_number(simulation: Option<&Arc<dyn Simulation>>) -> u64 {
    if let Some(simulation) = simulation {
        return simulation.random();
    }
    let mut bytes = [0; 8];
    // Without random bytes the number is 0. Then TLS does not work, either.
    let _filled = aws_lc_rs::rand::fill(&mut bytes);
    u64::from_be_bytes(bytes)
}
