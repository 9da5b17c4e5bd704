//! The operations on keys: one file for each way that an operation takes.

pub mod batch;
pub mod context;
pub mod inspect;
pub mod read;
pub mod redirect;
pub mod write;
