//! The operations on keys: reads, writes, batches, their redirections, and inspections and
//! sweeps for operators.

pub mod batch;
mod cluster_wait;
pub mod context;
pub mod inspect;
pub mod read;
pub mod redirect;
mod ring_change;
pub mod sweep;
pub mod tracked_value;
pub mod write;
