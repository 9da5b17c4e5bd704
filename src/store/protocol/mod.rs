//! Redis's words: the commands for operations, the replies to them, and the reasons for which Redis refuses a command.

pub mod command;
pub mod operation;
pub mod refusal;
pub mod reply;

/// The number of hash slots of a Redis Cluster.
pub const SLOTS: u16 = 16_384;
