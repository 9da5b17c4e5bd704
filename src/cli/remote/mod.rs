//! A running service that commands reach over its HTTPS port: its URL, trust in its certificate, and the login.

pub mod connection;
pub mod error;
pub mod login;
pub mod trust;
pub mod url;
pub mod variable;
