//! Connections as requests and the server share them: their state, and the places that they take.

mod client_address;
mod eviction;
mod places;
mod retirement;
mod state;

pub use client_address::ClientAddress;
pub use places::{ConnectionPlace, ConnectionPlaces, NoPlace, PlaceLimits};
pub use state::{ClientConnection, PendingReply};
