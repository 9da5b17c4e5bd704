//! A shard: a master and its replicas.

mod attempts;
mod candidacy;
mod comeback;
mod election_report;
mod election_result;
mod election_rules;
mod election_state;
mod election_task;
mod failure;
mod former_masters;
mod health;
pub mod hedge;
mod member_cell;
pub mod members;
pub mod node_snapshot;
mod redis_shard;
pub mod selection;
pub mod standing;
mod survey;
mod wait;

pub use attempts::Attempts;
pub use health::ShardHealth;
pub use redis_shard::Shard;
