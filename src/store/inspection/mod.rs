//! The inspection of answers: a sample is compared with the master, so that the promises about the age of answers are
//! measured in operation.
//!
//! Requests only hand over what they saw: they take no lock and never wait. One background task asks Redis.

mod answer_check;
mod budget;
mod change_reports;
mod digest;
mod inspector;
mod master_value;
mod masters;
mod observation;
mod one_in;
mod sampler;
mod suspicion_check;
mod watch_table;

pub use digest::ValueDigest;
pub use inspector::run;
pub use sampler::{KeptAnswer, NodeAnswerView, Sampler, WatchedRead};
