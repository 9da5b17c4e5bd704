//! The service as its callers meet it: over TLS, in front of real Redis processes.

mod harness;

mod bad_input;
mod batch;
mod clients;
mod cluster;
mod contract;
mod drop_in;
mod faults;
mod login;
mod openapi;
mod probes;
mod redis_access;
mod routing;
mod sealing;
mod tokens;
mod transport;
mod values;
