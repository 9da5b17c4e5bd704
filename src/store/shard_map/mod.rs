//! The shard map: all shards, and the shard of each key.

mod handle;
mod map;
mod map_id;
pub mod slots;

pub use handle::MapHandle;
pub use map::{Location, Route, Routing, ShardMap, ShardShare};
pub use map_id::MapId;
