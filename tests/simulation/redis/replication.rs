//! Replication: the stream of changes, the first copy, and the changes of roles.

use super::{Applied, Attached, Data, MasterLink, Node, resp};
use crate::{
    network::Host,
    world::{Ms, World},
};
use std::mem;

/// Bytes that a PING adds to the replication stream.
const PING_BYTES: u64 = 14;
/// Interval of the PINGs of a master.
const PING_INTERVAL: Ms = 10_000;
/// Longest wait of a replica before it connects to its master again.
const RECONNECT_MAX: Ms = 1000;

impl Node {
    /// Returns the number of replicas that have acknowledged an offset.
    pub(super) fn acknowledged(&self, offset: u64) -> usize {
        self.attached.iter().filter(|attached| attached.acknowledged >= offset).count()
    }

    /// Returns the changes that a replica at this point of a history lacks; `None` if it needs a whole copy.
    fn missing_since(&self, replid: u64, offset: u64) -> Option<Vec<Applied>> {
        let data = &self.data;
        let is_known = (replid == data.replid && offset <= data.offset)
            || data.replid2.is_some_and(|(id, end)| id == replid && offset <= end);
        is_known.then(|| data.history.iter().filter(|applied| applied.end > offset).cloned().collect())
    }
}

impl World {
    /// Applies a change at a node, and passes it on to its replicas.
    pub fn apply(&mut self, node: usize, applied: &Applied) {
        self.nodes[node].data.write(applied.clone());
        if let Some(change) = &applied.change {
            self.report_change(node, &change.key);
        }
        if let Some(branch) = self.nodes[node].branch {
            self.truth.branches[branch].history.push(applied.clone());
        }
        for position in 0..self.nodes[node].attached.len() {
            let Attached { node: replica, session, last_sent, .. } = self.nodes[node].attached[position];
            let lag = self.nodes[replica].rng.range(self.truth.replication_lag);
            let applied = applied.clone();
            let path = (Host::Node(node), Host::Node(replica));
            let time = self.send(path, last_sent.max(self.now + lag), move |world| {
                world.at_node(replica, move |world| world.replicate(replica, session, applied));
            });
            self.nodes[node].attached[position].last_sent = time;
        }
    }

    /// Takes a change from the master.
    fn replicate(&mut self, node: usize, session: u64, applied: Applied) {
        let Some(link) = self.nodes[node].link.filter(|link| link.session == session) else { return };
        if !link.is_up {
            return self.nodes[node].pending.push(applied);
        }
        let end = applied.end;
        if self.is_verbose {
            self.note(&format!("node {node} gets {applied:?}"));
        }
        self.apply(node, &applied);
        self.acknowledge(node, link, end);
    }

    /// Tells the master how far a replica has come.
    fn acknowledge(&mut self, node: usize, MasterLink { master, session, .. }: MasterLink, offset: u64) {
        self.send((Host::Node(node), Host::Node(master)), 0, move |world| {
            world.at_node(master, move |world| world.on_acknowledgement(master, session, offset));
        });
    }

    fn on_acknowledgement(&mut self, master: usize, session: u64, offset: u64) {
        let node = &mut self.nodes[master];
        if let Some(attached) = node.attached.iter_mut().find(|attached| attached.session == session) {
            attached.acknowledged = attached.acknowledged.max(offset);
        }
        let waiters = mem::take(&mut node.waiters);
        let (done, waiting) = waiters.into_iter().partition(|it| node.acknowledged(it.offset) >= it.replicas);
        node.waiters = waiting;
        for waiter in done {
            let count = self.nodes[master].acknowledged(waiter.offset);
            self.unblock(waiter.connection, resp::integer(i64::try_from(count).expect("small")));
        }
    }

    /// Starts the regular PINGs of a node, which it sends while it is a master.
    pub fn start_pings(&mut self, node: usize) {
        self.after(PING_INTERVAL, move |world| {
            if world.nodes[node].is_master() && world.nodes[node].is_serving() {
                let (time, end) = (world.now, world.nodes[node].data.offset + PING_BYTES);
                world.apply(node, &Applied { change: None, time, end });
            }
            world.start_pings(node);
        });
    }

    /// Makes a node a replica of another one (`REPLICAOF`).
    pub fn replicate_from(&mut self, node: usize, master: usize) {
        self.finish_load(node);
        self.note(&format!("node {node} becomes a replica of node {master}"));
        // The nodes of a cluster change roles without the command.
        self.nodes[node].ran_replicaof |= self.nodes[node].cluster.is_none();
        let down_since = match self.nodes[node].link {
            None => None,
            Some(link) if link.is_up => Some(self.now),
            Some(link) => link.down_since,
        };
        self.detach(node);
        self.end_branch(node);
        for waiter in mem::take(&mut self.nodes[node].waiters) {
            self.unblock(waiter.connection, resp::error("UNBLOCKED the instance became a replica"));
        }
        let session = self.truth.next_id();
        self.nodes[node].pending.clear();
        self.nodes[node].link = Some(MasterLink { master, is_up: false, down_since, session });
        self.connect_to_master(node, session);
    }

    /// Makes a node a master (`REPLICAOF NO ONE`).
    pub fn promote(&mut self, node: usize) {
        self.finish_load(node);
        self.note(&format!("node {node} becomes a master"));
        self.nodes[node].ran_replicaof |= self.nodes[node].cluster.is_none();
        if self.nodes[node].link.take().is_none() {
            return;
        }
        let replid = self.truth.next_id();
        let data = &mut self.nodes[node].data;
        data.replid2 = Some((data.replid, data.offset));
        data.replid = replid;
        self.detach_replicas(node);
        self.begin_branch(node);
    }

    /// Ends the link of a replica at its master's side.
    pub fn detach(&mut self, node: usize) {
        if let Some(link) = self.nodes[node].link {
            self.nodes[link.master].attached.retain(|attached| attached.session != link.session);
        }
    }

    /// Ends the links of all replicas of a node, which then connect again.
    pub fn detach_replicas(&mut self, node: usize) {
        for attached in mem::take(&mut self.nodes[node].attached) {
            self.lose_master(attached.node, attached.session);
        }
    }

    /// Records that a replica has lost its master, and connects again later. A copy that it is loading is loaded to its end.
    pub fn lose_master(&mut self, node: usize, session: u64) {
        let now = self.now;
        let Some(link) = self.nodes[node].link.as_mut().filter(|link| link.session == session) else { return };
        if link.is_up {
            (link.is_up, link.down_since) = (false, Some(now));
        }
        let wait = self.nodes[node].rng.range((1, RECONNECT_MAX));
        let session = self.renew_session(node);
        self.after(wait, move |world| world.connect_to_master(node, session));
    }

    /// Gives a replica's link another number: everything on its way to the replica is lost.
    pub fn renew_session(&mut self, node: usize) -> u64 {
        let session = self.truth.next_id();
        self.detach(node);
        self.nodes[node].pending.clear();
        self.nodes[node].link.as_mut().expect("a replica").session = session;
        session
    }

    fn connect_to_master(&mut self, node: usize, session: u64) {
        let Some(link) = self.nodes[node].link.filter(|link| link.session == session) else { return };
        let path = (Host::Node(node), Host::Node(link.master));
        let master = &self.nodes[link.master];
        let has_data = master.is_serving() && master.link.is_none_or(|above| above.is_up);
        if !self.nodes[node].is_serving() || !has_data || !self.network.is_open(path.0, path.1) {
            return self.after(RECONNECT_MAX, move |world| world.connect_to_master(node, session));
        }
        let (replid, offset) = (self.nodes[node].data.replid, self.nodes[node].data.offset);
        let missing = self.nodes[link.master].missing_since(replid, offset);
        let now = self.now;
        let mut attached = Attached { node, session, acknowledged: 0, last_sent: now };
        if let Some(missing) = missing {
            let source = &self.nodes[link.master].data;
            let (replid, replid2, acknowledged) = (source.replid, source.replid2, offset);
            attached.acknowledged = acknowledged;
            attached.last_sent = self.send(path, 0, move |world| {
                world.at_node(node, move |world| world.continue_history(node, session, (replid, replid2), missing));
            });
        } else {
            let copy = self.nodes[link.master].data.clone();
            let rng = &mut self.nodes[node].rng;
            let transfer = if rng.chance(25) { (1, 1500) } else { (1, 30) };
            let (transfer, load) = (rng.range(transfer), rng.range((0, 20)));
            attached.last_sent = now + transfer + load;
            self.after(transfer, move |world| {
                world.at_node(node, move |world| world.load_copy(node, session, copy, load));
            });
        }
        self.nodes[link.master].attached.push(attached);
    }

    /// Goes on with the master's history where the replica's own data ends.
    fn continue_history(&mut self, node: usize, session: u64, ids: (u64, Option<(u64, u64)>), missing: Vec<Applied>) {
        let now = self.now;
        let Some(link) = self.nodes[node].link.as_mut().filter(|link| link.session == session) else { return };
        (link.is_up, link.down_since) = (true, Some(now));
        if self.nodes[node].data.replid != ids.0 {
            (self.nodes[node].data.replid, self.nodes[node].data.replid2) = ids;
            // The replicas of this node learn of the new id by connecting again.
            self.detach_replicas(node);
        }
        for applied in missing {
            self.replicate(node, session, applied);
        }
    }

    /// Replaces the data of a replica by a copy of its master's data.
    fn load_copy(&mut self, node: usize, session: u64, copy: Data, load: Ms) {
        if self.nodes[node].link.is_none_or(|link| link.session != session) {
            return;
        }
        self.report_flush(node);
        self.detach_replicas(node);
        self.nodes[node].data = Data::default();
        self.nodes[node].is_loading = true;
        self.nodes[node].copy = Some((session, copy));
        self.look_for_survivors(node);
        self.after(load, move |world| {
            if world.nodes[node].copy.as_ref().is_some_and(|(of, _)| *of == session) {
                world.finish_load(node);
            }
        });
    }

    /// Makes a copy that is being loaded the data of its node. A node takes no other command before that, so that the
    /// operator repeats what it refused until it is done.
    pub fn finish_load(&mut self, node: usize) {
        let Some((session, copy)) = self.nodes[node].copy.take() else { return };
        self.nodes[node].is_loading = false;
        let offset = copy.offset;
        self.nodes[node].data = Data { replid2: None, ..copy };
        let now = self.now;
        let link = self.nodes[node].link.as_mut().expect("a replica");
        link.down_since = Some(now);
        if link.session == session {
            link.is_up = true;
            let link = *link;
            self.acknowledge(node, link, offset);
            for applied in mem::take(&mut self.nodes[node].pending) {
                self.replicate(node, session, applied);
            }
        }
        self.look_for_survivors(node);
    }
}
