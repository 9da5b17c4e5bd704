//! Standard output of the commands.

use super::failure::Failure;
use std::io::{self, Write};

/// Prints a whole text. A reader that closes the pipe early is no failure.
pub fn print(text: impl AsRef<[u8]>) -> Result<(), Failure> {
    let mut out = io::stdout();
    match out.write_all(text.as_ref()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::general(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}
