//! The commands of the service, free of HTTP and of Redis's words.

mod batch;
mod cached_read;
mod cached_reply;
mod command;
mod error;
mod invalidation_guard;
mod missing_key_file;
mod near;
mod operation;
mod read;
mod read_value;
mod value_cache;
mod write;

pub use command::{Command, Increment, KeyQuery, Read, Reply, Write};
pub use error::CacheError;
pub use near::NearValues;
pub use read_value::ReadValue;
pub use value_cache::{Cache, Config};
