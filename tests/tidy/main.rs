//! The house rules that a compiler does not hold.

mod boundaries;
mod errors;
mod floors;
mod language;
mod monitoring;
mod promises;
mod size;
mod sources;
