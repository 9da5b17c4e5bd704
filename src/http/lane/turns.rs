//! The turns of a connection in its lane, as the server follows them.

/// Follows the turns of one connection in its lane.
pub trait Turns: Send {
    /// Records the number of requests that were answered in a turn.
    fn record(&mut self, answered: u32);

    /// Returns true if the connection has to leave the lane for that of another worker. Asked only where it can.
    fn moves(&mut self) -> bool;
}

/// The turns of a connection that stays with its worker.
impl Turns for () {
    fn record(&mut self, _answered: u32) {}

    fn moves(&mut self) -> bool {
        false
    }
}
