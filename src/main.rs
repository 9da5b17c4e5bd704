//! The `cachefront` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    cachefront::cli::run()
}
