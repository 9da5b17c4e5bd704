//! The `cachefront` program.

use std::process::ExitCode;

/// The system's allocator keeps most of the memory of a burst of requests for good. This one gives it back within seconds, by
/// threads of its own.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    cachefront::cli::run()
}
