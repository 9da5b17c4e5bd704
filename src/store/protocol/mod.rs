//! Redis's words: the commands for operations, the replies to them, the reasons for which Redis refuses a command, and the
//! texts that it gives.

pub mod command;
pub mod hash_slots;
pub mod info;
pub mod operation;
pub mod refusal;
pub mod reply;
mod script_reply;
pub mod scripts;
pub mod server_mode;
pub mod server_text;
