//! Values that every floor above shares. Each is checked where it is made, so that inner code can rely on it.

mod address;
mod command_name;
mod deadline;
mod error_chain;
mod key;
mod pattern;
mod scopes;
mod ttl;
mod value;
pub mod worker;

pub use address::Address;
pub use command_name::CommandName;
pub use deadline::Deadline;
pub use error_chain::error_chain;
pub use key::{FullKey, KEY_BYTES_MAX, Key, KeyError, Namespace};
pub use pattern::{PatternPart, pattern, pattern_parts};
pub use scopes::{Scope, Scopes};
pub use ttl::{TTL_SECS_MAX, Ttl};
pub use value::{Envelope, StoredKind, Value, envelope};
