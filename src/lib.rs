//! Cachefront: one HTTPS endpoint in front of Redis master/replica groups.
//!
//! The modules stand on floors and import only from floors below; ARCHITECTURE.md shows them.

// Proving that nested futures are Send exceeds the default recursion limit.
#![recursion_limit = "256"]

pub mod admin;
pub mod api;
pub mod auth;
pub mod cache;
pub mod cli;
pub mod http;
pub mod near_cache;
pub mod ring;
pub mod sealing;
pub mod server;
pub mod settings;
pub mod store;
pub mod telemetry;
pub mod types;
