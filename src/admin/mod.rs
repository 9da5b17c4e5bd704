//! The admin port, for operators: probes, metrics and the console. It needs no token and serves no values.

pub mod console;
mod metrics;
mod routes;

pub use routes::service;
