//! A call: commands that are sent together, and the place where their caller waits for the replies.

use super::reply_slot::ReplySender;
use crate::store::node::client_windows::ReadCharge;
use redis::Value;
use tokio::time::Instant;

/// Commands that are sent together, and the place of their replies.
pub struct Call {
    /// The commands; empty once they were sent.
    pub bytes: Vec<u8>,
    /// The place of the replies.
    pub replies: PendingReplies,
    /// The charge of the client, which is released when the last reply has arrived.
    pub charge: Option<ReadCharge>,
    /// A time at which the caller is woken, if it still waits.
    pub wakes_at: Option<Instant>,
    /// The number of replies that have arrived.
    pub arrived: usize,
}

/// The replies that a call waits for.
pub enum PendingReplies {
    /// The reply to one command.
    One(ReplySender<Value>),
    /// The replies to several commands.
    Several {
        /// The place for all of them.
        caller: ReplySender<Vec<Value>>,
        /// The replies that have arrived.
        values: Vec<Value>,
        /// The number of the others.
        missing: usize,
    },
}

impl Call {
    /// Wakes the caller if its time has come. Returns the time at which it is to be woken, if that is still to come.
    pub fn wake(&mut self, now: Instant) -> Option<Instant> {
        let wakes_at = self.wakes_at?;
        if now < wakes_at {
            return Some(wakes_at);
        }
        self.wakes_at = None;
        match &self.replies {
            PendingReplies::One(caller) => caller.wake(),
            PendingReplies::Several { caller, .. } => caller.wake(),
        }
        None
    }

    /// Adds a reply. Returns the call if it still waits for others.
    pub fn add(self, value: Value) -> Option<Self> {
        let replies = self.replies.add(value)?;
        Some(Self { replies, arrived: self.arrived + 1, ..self })
    }
}

impl PendingReplies {
    /// Returns true if the caller is gone.
    pub fn is_abandoned(&self) -> bool {
        match self {
            Self::One(caller) => caller.is_abandoned(),
            Self::Several { caller, .. } => caller.is_abandoned(),
        }
    }

    /// Adds a reply. Returns the replies that are still missing, if there are any.
    fn add(self, value: Value) -> Option<Self> {
        match self {
            Self::One(caller) => {
                caller.send(value);
                None
            }
            Self::Several { caller, mut values, missing: 1 } => {
                values.push(value);
                caller.send(values);
                None
            }
            Self::Several { caller, mut values, missing } => {
                if caller.is_abandoned() {
                    values = Vec::new();
                } else {
                    values.push(value);
                }
                Some(Self::Several { caller, values, missing: missing - 1 })
            }
        }
    }
}
