//! The shard map: all shards, and the shard of each key.

mod handle;
mod map;
pub mod slots;

pub use handle::MapHandle;
pub use map::{Location, Route, Routing, ShardMap, ShardShare};
