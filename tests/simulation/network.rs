//! The simulated network: links with delays that may fall silent or cut their connections.
//!
//! Messages of one connection keep their order; messages of different connections overtake each other.

use crate::{
    redis::Session,
    rng::Rng,
    world::{Event, Ms, World},
};
use std::{
    collections::{BTreeMap, VecDeque},
    io,
    task::Waker,
};
use tokio::sync::oneshot;

/// A machine of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    Instance(usize),
    Node(usize),
}

impl Host {
    /// Returns a number that no other host has.
    fn number(self) -> usize {
        match self {
            Self::Instance(number) => number,
            Self::Node(number) => 100 + number,
        }
    }
}

/// The path between two hosts.
pub struct Link {
    /// The shortest and the longest delay of a message.
    pub delay: (Ms, Ms),
    /// Nothing passes: messages are held until the link is healed, as TCP repeats them.
    pub silent: bool,
    held: Vec<Event>,
    rng: Rng,
}

/// A connection from an instance to a node.
pub struct Connection {
    pub instance: usize,
    pub node: usize,
    /// The side of the node; `None` once the node has closed it.
    pub session: Option<Session>,
    /// Bytes that have arrived at the instance.
    pub inbox: VecDeque<u8>,
    /// The end of the stream at the side of the instance.
    pub end: Option<io::ErrorKind>,
    pub reader: Option<Waker>,
    /// The times at which the last messages arrive in either direction.
    last_to_node: Ms,
    last_to_instance: Ms,
}

/// All links and connections.
pub struct Network {
    seed: u64,
    links: BTreeMap<(Host, Host), Link>,
    pub connections: Vec<Connection>,
    /// The times at which the paths of instances to nodes fell silent (false) or were healed (true).
    pub reachability: Vec<(Ms, usize, usize, bool)>,
}

impl Network {
    pub fn new(seed: u64) -> Self {
        Self { seed, links: BTreeMap::new(), connections: Vec::new(), reachability: Vec::new() }
    }

    /// Returns the link between two hosts.
    pub fn link(&mut self, one: Host, other: Host) -> &mut Link {
        let ends = (one.min(other), one.max(other));
        self.links.entry(ends).or_insert_with(|| {
            let rng = Rng::new(self.seed, "link", ends.0.number() * 1000 + ends.1.number());
            Link { delay: (0, 1), silent: false, held: Vec::new(), rng }
        })
    }

    /// Returns true if messages pass between two hosts.
    pub fn is_open(&self, one: Host, other: Host) -> bool {
        self.links.get(&(one.min(other), one.max(other))).is_none_or(|link| !link.silent)
    }

    /// Draws the delay of a message.
    fn delay(&mut self, one: Host, other: Host) -> Ms {
        let link = self.link(one, other);
        link.rng.range(link.delay)
    }

    /// Returns the open connections of an instance to a node.
    pub fn open_connections(&self, instance: Option<usize>, node: usize) -> Vec<usize> {
        let open = self.connections.iter().enumerate().filter(|(_, connection)| {
            connection.node == node
                && connection.end.is_none()
                && instance.is_none_or(|instance| connection.instance == instance)
        });
        open.map(|(number, _)| number).collect()
    }
}

impl World {
    /// Sends a message, which arrives after the delay of the link but not before `not_before`. Returns the time.
    pub fn send(
        &mut self,
        (from, to): (Host, Host),
        not_before: Ms,
        arrival: impl FnOnce(&mut World) + Send + 'static,
    ) -> Ms {
        let delay = self.network.delay(from, to);
        let time = (self.now + delay).max(not_before);
        self.at(time, move |world| {
            let link = world.network.link(from, to);
            if link.silent {
                link.held.push(Box::new(arrival));
            } else {
                arrival(world);
            }
        });
        time
    }

    /// Makes a link silent, or heals it.
    pub fn set_silent(&mut self, one: Host, other: Host, silent: bool) {
        let link = self.network.link(one, other);
        if link.silent == silent {
            return;
        }
        link.silent = silent;
        // They come before everything that arrives from now on.
        for held in std::mem::take(&mut link.held) {
            held(self);
        }
        if let (Host::Instance(instance), Host::Node(node)) = (one.min(other), one.max(other)) {
            self.network.reachability.push((self.now, instance, node, !silent));
        }
    }

    /// Opens a connection of an instance to a node; `opened` receives its number.
    pub fn dial(&mut self, instance: usize, node: usize, opened: oneshot::Sender<io::Result<usize>>) {
        let path = (Host::Instance(instance), Host::Node(node));
        self.send(path, 0, move |world| {
            let answer = if world.nodes[node].is_alive {
                world.network.connections.push(Connection {
                    instance,
                    node,
                    session: Some(Session::default()),
                    inbox: VecDeque::new(),
                    end: None,
                    reader: None,
                    last_to_node: 0,
                    last_to_instance: 0,
                });
                Ok(world.network.connections.len() - 1)
            } else {
                Err(io::ErrorKind::ConnectionRefused.into())
            };
            world.send((path.1, path.0), 0, move |world| {
                if let Err(Ok(unwanted)) = opened.send(answer) {
                    world.close_from_instance(unwanted);
                }
            });
        });
    }

    fn path(&self, connection: usize) -> (Host, Host) {
        let Connection { instance, node, .. } = self.network.connections[connection];
        (Host::Instance(instance), Host::Node(node))
    }

    /// Sends bytes of an instance to the node.
    pub fn send_to_node(&mut self, connection: usize, bytes: Vec<u8>) {
        let not_before = self.network.connections[connection].last_to_node;
        let time = self.send(self.path(connection), not_before, move |world| world.node_receives(connection, bytes));
        self.network.connections[connection].last_to_node = time;
    }

    /// Sends bytes of the node to the instance.
    pub fn send_to_instance(&mut self, connection: usize, bytes: Vec<u8>) {
        let (instance, node) = self.path(connection);
        let not_before = self.network.connections[connection].last_to_instance;
        let time = self.send((node, instance), not_before, move |world| {
            let connection = &mut world.network.connections[connection];
            connection.inbox.extend(bytes);
            connection.reader.take().into_iter().for_each(Waker::wake);
        });
        self.network.connections[connection].last_to_instance = time;
    }

    /// Closes a connection from the side of the instance. Bytes on their way still arrive at the node.
    pub fn close_from_instance(&mut self, connection: usize) {
        if self.network.connections[connection].end.is_some() {
            return;
        }
        self.network.connections[connection].end = Some(io::ErrorKind::NotConnected);
        let not_before = self.network.connections[connection].last_to_node;
        self.send(self.path(connection), not_before, move |world| world.end_session(connection));
    }

    /// Closes a connection from the side of the node. Answers on their way still arrive.
    pub fn close_from_node(&mut self, connection: usize) {
        self.end_session(connection);
        let (instance, node) = self.path(connection);
        let not_before = self.network.connections[connection].last_to_instance;
        self.send((node, instance), not_before, move |world| world.end_stream(connection));
    }

    /// Cuts a connection between its ends. Bytes on their way to the node arrive or are lost, by chance.
    pub fn cut(&mut self, connection: usize) {
        self.end_stream(connection);
        let path = self.path(connection);
        if self.network.link(path.0, path.1).rng.chance(50) {
            self.end_session(connection);
        } else {
            let last = self.network.connections[connection].last_to_node;
            self.at(last, move |world| world.end_session(connection));
        }
    }

    fn end_stream(&mut self, connection: usize) {
        let connection = &mut self.network.connections[connection];
        connection.end.get_or_insert(io::ErrorKind::ConnectionReset);
        connection.reader.take().into_iter().for_each(Waker::wake);
    }
}
