//! A read of one key, as a node takes it.

use crate::{store::protocol::operation::OperationKind, types::FullKey};

/// A read of one key.
#[derive(Clone, Copy)]
pub struct ReadCommand<'a> {
    /// The key.
    pub key: &'a FullKey<'a>,
    /// The kind of the read.
    pub kind: &'a OperationKind<'a>,
}
