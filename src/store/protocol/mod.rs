//! Redis's words: the commands for operations, the replies to them, and the reasons for which Redis refuses a command.

pub mod command;
pub mod hash_slots;
pub mod operation;
pub mod refusal;
pub mod reply;
