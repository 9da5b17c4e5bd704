//! One stream to a node: dialing, and the commands and replies of many calls over it.

mod alarm;
mod call;
mod dial;
mod life_signs;
mod multiplexer;
mod reply_reader;
mod reply_slot;
mod stream;
mod unsent;

pub use dial::{ConnectionTls, KEEPALIVE, USER_TIMEOUT, dial, log_in, tls_connector};
pub use multiplexer::{CallOptions, Multiplexer};
pub use reply_slot::ReplyReceiver;
pub use stream::NodeStream;
