//! One stream to a node: dialing, and the commands and replies of many calls over it.

mod dial;
mod life_signs;
mod multiplexer;
mod reply_reader;
mod stream;

pub use dial::{ConnectionTls, KEEPALIVE, USER_TIMEOUT, dial, log_in, tls_connector};
pub use multiplexer::Multiplexer;
pub use stream::NodeStream;
