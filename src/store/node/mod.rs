//! One Redis node: its connections, calls to it, and its state.

pub mod call;
mod change_offsets;
pub mod client_windows;
mod cluster_mode;
pub mod connect;
pub mod connection;
pub mod connection_class;
pub mod connection_task;
mod context;
mod handshake;
mod in_flight;
pub mod login;
mod metrics;
mod mode_task;
mod node_id;
mod offset_request;
mod permissions;
mod pool;
mod probe;
mod probe_schedule;
mod read_call;
mod redis_node;
pub mod replication;
mod resolver;
mod slowness;
pub mod state;
mod state_cell;
pub mod tracking;
pub mod value_size;
mod wait_connections;
pub mod watch_connection;
mod wire;

pub use context::{NodeContext, ShardContext, ShardName};
pub use node_id::NodeId;
pub use redis_node::Node;
