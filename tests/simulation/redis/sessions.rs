//! The clients of a node: their bytes, their commands in order, and the reports of changed keys.

use super::{commands::Outcome, resp};
use crate::world::World;
use std::mem;

/// The side of the node of a connection.
#[expect(clippy::struct_excessive_bools, reason = "each one is a mode of its own")]
#[derive(Default)]
pub struct Session {
    input: Vec<u8>,
    /// `WAIT` blocks the commands behind it.
    pub is_blocked: bool,
    /// Reports of changed keys are on.
    pub is_tracking: bool,
    /// The next command asks to track its keys.
    pub tracks_next: bool,
    /// A replica of a cluster answers reads itself.
    pub is_readonly: bool,
    /// The next command may use a slot that the node only gets.
    pub is_asking: bool,
    /// The first command of the input waits until the node lets its clients change keys again.
    pub is_paused: bool,
    /// The offset behind the last change of this client.
    pub written: u64,
}

impl World {
    /// Lets something happen at a node once it is not stopped.
    pub fn at_node(&mut self, node: usize, event: impl FnOnce(&mut World) + Send + 'static) {
        if self.nodes[node].is_stopped {
            self.nodes[node].stopped_events.push(Box::new(event));
        } else {
            event(self);
        }
    }

    /// Suspends a node, or lets it go on.
    pub fn set_stopped(&mut self, node: usize, stopped: bool) {
        self.nodes[node].is_stopped = stopped;
        if !stopped {
            for event in mem::take(&mut self.nodes[node].stopped_events) {
                event(self);
            }
        }
    }

    /// Takes bytes of a client.
    pub fn node_receives(&mut self, connection: usize, bytes: Vec<u8>) {
        let node = self.network.connections[connection].node;
        if !self.nodes[node].is_alive || self.network.connections[connection].session.is_none() {
            return self.close_from_node(connection);
        }
        self.at_node(node, move |world| {
            if let Some(session) = &mut world.network.connections[connection].session {
                session.input.extend(bytes);
                world.run_commands(connection);
            }
        });
    }

    /// Runs the commands of a client that are complete.
    pub fn run_commands(&mut self, connection: usize) {
        let mut answers = Vec::new();
        while let Some(session) =
            self.network.connections[connection].session.as_mut().filter(|it| !it.is_blocked && !it.is_paused)
        {
            let Some(words) = resp::take_command(&mut session.input) else { break };
            match self.run_command(connection, &words) {
                Outcome::Answer(answer) => answers.extend(answer),
                Outcome::Blocked => {}
                Outcome::Paused => {
                    let session = self.network.connections[connection].session.as_mut().expect("an open session");
                    session.is_paused = true;
                    let rest = mem::take(&mut session.input);
                    session.input = resp::array(words.iter().map(|word| resp::bulk(word)));
                    session.input.extend(rest);
                }
            }
        }
        if !answers.is_empty() {
            self.send_to_instance(connection, answers);
        }
    }

    /// Answers a blocked client and runs what it sent meanwhile.
    pub(super) fn unblock(&mut self, connection: usize, answer: Vec<u8>) {
        if let Some(session) = self.network.connections[connection].session.as_mut().filter(|it| it.is_blocked) {
            session.is_blocked = false;
            self.send_to_instance(connection, answer);
            self.run_commands(connection);
        }
    }

    /// Ends the side of the node of a connection.
    pub fn end_session(&mut self, connection: usize) {
        let node = self.network.connections[connection].node;
        if self.network.connections[connection].session.take().is_some() {
            self.nodes[node].tracked.values_mut().for_each(|connections| {
                connections.remove(&connection);
            });
            self.nodes[node].waiters.retain(|waiter| waiter.connection != connection);
        }
    }

    /// Tells the clients that have read a key that it has changed.
    pub(super) fn report_change(&mut self, node: usize, key: &str) {
        for connection in self.nodes[node].tracked.remove(key).unwrap_or_default() {
            self.send_to_instance(connection, resp::invalidation(Some(key)));
        }
    }

    /// Tells all clients that any key may have changed.
    pub(super) fn report_flush(&mut self, node: usize) {
        self.nodes[node].tracked.clear();
        for connection in self.network.open_connections(None, node) {
            if self.network.connections[connection].session.as_ref().is_some_and(|session| session.is_tracking) {
                self.send_to_instance(connection, resp::invalidation(None));
            }
        }
    }
}
