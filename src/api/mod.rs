//! The HTTPS port, for callers: login, commands, and the description of both.

mod body_text;
mod cache;
mod command;
mod login;
mod near_miss;
mod openapi;
mod reply;
mod routes;
mod schemas;

pub use cache::CommandRoute;
pub use command::parse as parse_command;
pub use openapi::document as openapi_document;
pub use reply::{ReplySize, write as write_reply};
pub use routes::{ApiOptions, service};
