//! Tests of the service through TLS and in front of real Redis processes.

mod harness;
#[path = "../support/local_redis/mod.rs"]
mod local_redis;

mod admin_port;
mod bad_input;
mod batch;
mod change_offsets;
mod clients;
mod cluster;
mod connections;
mod consistency;
mod console;
mod contract;
mod drill;
mod drop_in;
mod error_bodies;
mod failure_log;
mod faults;
mod hedge;
mod inspection;
mod lane;
mod large_values;
mod login;
mod metrics;
mod near_cache;
mod openapi;
mod parsing;
mod probes;
mod raw_http;
mod redis_access;
mod redis_login;
mod reload;
mod replies;
mod request_timeout;
mod response_headers;
mod ring_change;
mod rolling;
mod routing;
mod sealing;
mod sentinel;
mod tokens;
mod traces;
mod transport;
mod values;
mod wrong_modes;
