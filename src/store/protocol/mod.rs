//! Redis's words: operations as commands, and what nodes answer to them.

pub mod command;
pub mod operation;
