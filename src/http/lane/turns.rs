//! The turns of a connection in its lane, as the server follows them.

/// Follows the turns of one connection in its lane.
pub trait Turns: Send {
    /// Records the number of requests that were answered in a turn. Returns true if the connection is to leave the lane for
    /// that of another worker.
    fn end(&mut self, answered: u32) -> bool;
}

/// The turns of a connection that stays with its worker.
impl Turns for () {
    fn end(&mut self, _answered: u32) -> bool {
        false
    }
}
