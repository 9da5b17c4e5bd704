//! The types that all other modules share. A value is checked where it is created, so that other code can rely on it.

mod address;
mod boxed;
mod client_number;
mod command_name;
mod deadline;
mod error_chain;
mod json_depth;
mod key;
mod pattern;
mod per_worker;
mod reply_memory;
mod resource_pool;
mod scopes;
mod ttl;
mod userinfo;
mod value;
pub mod worker;
mod worker_arc;

pub use address::{Address, AddressError, HostError, check_host};
pub use boxed::boxed;
pub use client_number::ClientNumber;
pub use command_name::CommandName;
pub use deadline::Deadline;
pub use error_chain::error_chain;
pub use json_depth::DEPTH_MAX;
pub use key::{FullKey, KEY_BYTES_MAX, Key, KeyError, KeyOwner, Namespace};
pub use pattern::{PatternPart, pattern, pattern_parts};
pub use per_worker::{OwnLines, PerWorker};
pub use reply_memory::{
    HeldReplyMemory, REPLY_BYTES_MAX, ReplyBytes, ReplyLimits, ReplyMemory, ReplyMemoryError, UNCOUNTED_BYTES_MAX,
};
pub use resource_pool::ResourcePool;
pub use scopes::{Scope, Scopes, UnknownScope};
pub use ttl::{TTL_SECS_MAX, Ttl};
pub use userinfo::without_userinfo;
pub use value::{Envelope, StoredKind, Value, envelope};
pub use worker_arc::{WorkerArc, WorkerArcs, WorkerSwap};
