//! Sentinels: they name the nodes of each shard and decide which one is its master.
//!
//! All sentinels are polled at the same time. [`quorum::SentinelQuorum`] combines their replies; the result is applied
//! to the shard after each reply and each loss of a connection.

mod monitor;
mod poll;
mod quorum;
pub mod replies;
mod sentinels;

pub use sentinels::Sentinels;
