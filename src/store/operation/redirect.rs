//! One operation after its node said that another one is to be asked: `MOVED` and `ASK`, and what to do while nobody
//! has the slot.
//!
//! A node that redirects has done nothing, so writes are sent on as reads are.

use crate::{
    store::{
        OperationKind, StoreCore, StoreError,
        error::{NodeError, WriteFailure},
        node::{Node, NodeId},
        node::{
            connection::{Abandon, CallTimeout},
            connection_class::ConnectionClass,
        },
        shard::{Attempts, Shard},
        topology::cluster::{Cluster, layout::is_slot},
    },
    telemetry::metrics,
    types::{Address, Deadline, FullKey},
};
use redis::{Cmd, Pipeline, Value};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout_at};

/// Redirections that one operation follows.
const REDIRECTIONS_MAX: usize = 5;
/// Wait before a node is asked a second time; it doubles.
const PAUSE_MIN: Duration = Duration::from_millis(5);

/// One operation that goes to the master of its slot, wherever that is.
pub struct RedirectedOperation<'a> {
    pub key: &'a FullKey<'a>,
    pub command: &'a Cmd,
    pub kind: &'a OperationKind<'a>,
    pub lane: ConnectionClass,
    pub deadline: Deadline,
}

/// A node that did not do it, and why.
pub struct Rejection {
    pub node: Arc<Node>,
    pub error: NodeError,
}

/// What a refusal says of the way.
#[derive(Debug, PartialEq, Eq)]
enum Redirection {
    /// From now on another node has the slot.
    Moved { slot: u16, to: Address },
    /// This key, this time, is to be asked of another node.
    Ask { to: Address },
}

/// How far an errand has come.
struct RedirectState {
    asked: Vec<NodeId>,
    redirections: usize,
    pause: Duration,
    /// Until then it waits for somebody to have the slot.
    until: Deadline,
}

impl Cluster {
    /// Runs an operation on the master of its slot; `refused` is by whom it was refused already. `read` says what the
    /// answer means.
    pub async fn redirect<T>(
        &self,
        store: &StoreCore,
        errand: &RedirectedOperation<'_>,
        mut refused: Option<Rejection>,
        read: impl Fn(Value, u32) -> Result<T, NodeError>,
    ) -> Result<T, StoreError> {
        let until = errand.deadline.attempt(self.redis.attempt_timeout);
        let asked = refused.iter().map(|refused| refused.node.id).collect();
        let mut way = RedirectState { asked, redirections: 0, pause: PAUSE_MIN, until };
        loop {
            let (node, asking) = self.next(store, errand, refused.take(), &mut way).await?;
            let answer = errand.ask(&node, asking).await;
            way.asked.push(node.id);
            match answer.and_then(|(value, had)| read(value, had)) {
                Err(error) if error.did_not_run() || (!errand.is_change() && matches!(error, NodeError::Lost)) => {
                    refused = Some(Rejection { node, error });
                }
                answer => {
                    return answer.map_err(|error| errand.failure(&store.map.load().route(errand.key).shard, error));
                }
            }
        }
    }

    /// Notes what a refusal says of the map.
    pub fn on_redirection(&self, store: &StoreCore, node: &Node, error: &NodeError) {
        if let Some(Redirection::Moved { slot, to }) = Redirection::read(error, &node.address) {
            self.on_moved(store, slot, &to, node);
        }
    }

    /// The node to ask now, and whether behind `ASKING`.
    async fn next(
        &self,
        store: &StoreCore,
        errand: &RedirectedOperation<'_>,
        refused: Option<Rejection>,
        way: &mut RedirectState,
    ) -> Result<(Arc<Node>, bool), StoreError> {
        let owner = || Arc::clone(&store.map.load().route(errand.key).shard);
        let Some(Rejection { node, error }) = refused else {
            return Ok((owner().writer(&Attempts::default(), errand.deadline).await?, false));
        };
        let redirection = Redirection::read(&error, &node.address);
        if redirection.is_some() {
            way.redirections += 1;
        }
        if way.redirections > REDIRECTIONS_MAX || way.until.has_passed() {
            return Err(errand.failure(&owner(), error));
        }
        let (to, shard, asking) = match redirection {
            Some(Redirection::Moved { slot, to }) => {
                store.metrics.redirections.count(metrics::Redirection::Moved);
                let shard = self.on_moved(store, slot, &to, &node);
                (to, shard, false)
            }
            Some(Redirection::Ask { to }) => {
                store.metrics.redirections.count(metrics::Redirection::Ask);
                let shard = self.shard_of(store, &to);
                (to, shard, true)
            }
            None => {
                self.wait_for_change(way).await;
                return Ok((owner().writer(&Attempts::default(), errand.deadline).await?, false));
            }
        };
        let found = match shard {
            Some(shard) => shard.node(&to, errand.deadline).await,
            None => Err(NodeError::NotConnected),
        };
        let found = found.map_err(|error| errand.failure(&owner(), error))?;
        if way.asked.contains(&found.id) && !asking {
            // They send it back and forth, until they have heard of each other.
            self.wait_for_change(way).await;
        }
        Ok((found, asking))
    }

    /// Waits a moment, or until shards or nodes come or go.
    async fn wait_for_change(&self, way: &mut RedirectState) {
        self.refresh_requested.notify_one();
        let mut layout = self.layout_changed.subscribe();
        let until = way.until.instant().min(Instant::now() + way.pause);
        way.pause *= 2;
        // Whether something changed or not, the next look is the same.
        let _changed = timeout_at(until, layout.changed()).await;
    }
}

impl RedirectedOperation<'_> {
    fn is_change(&self) -> bool {
        !matches!(self.kind, OperationKind::Get(_))
    }

    /// Asks a node, behind `ASKING` if need be, in one message so that nothing comes between the two. Returns the
    /// answer, and how many replicas had a change when that was waited for.
    async fn ask(&self, node: &Node, asking: bool) -> Result<(Value, u32), NodeError> {
        let mut commands = Pipeline::with_capacity(2);
        if asking {
            commands.cmd("ASKING");
        }
        commands.add_command(self.command.clone());
        let give_up = if self.is_change() { Abandon::AtDeadline } else { Abandon::WhenHung };
        let patience = CallTimeout { deadline: self.deadline, abandon: give_up };
        let (mut answers, had) = match self.kind.replicas() {
            0 => (node.call_all(&commands, self.lane, patience).await?, 0),
            replicas => node.call_all_and_wait(&commands, replicas, self.deadline).await?,
        };
        answers.pop().map(|answer| (answer, had)).ok_or(NodeError::Unexpected)
    }

    pub fn failure(&self, shard: &Shard, error: NodeError) -> StoreError {
        if self.is_change() { shard.write_failure(WriteFailure(error)) } else { shard.read_failure(error) }
    }
}

impl Redirection {
    /// Reads `MOVED 3999 127.0.0.1:6381` of the node at `from`, whose host it is if none is named. A node whose name is
    /// not known, `?`, cannot be followed; the slots have to be asked for.
    fn read(error: &NodeError, from: &Address) -> Option<Self> {
        let NodeError::Answered { code, detail } = error else { return None };
        let (slot, place) = detail.split_once(' ')?;
        let slot = slot.parse().ok().filter(|slot| is_slot(*slot))?;
        let (host, port) = place.trim().rsplit_once(':')?;
        let host = match host {
            "?" => return None,
            "" => &from.host,
            named => named,
        };
        let to = Address { host: host.to_owned(), port: port.parse().ok().filter(|port| *port > 0)? };
        match code.as_str() {
            "MOVED" => Some(Self::Moved { slot, to }),
            "ASK" => Some(Self::Ask { to }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(code: &str, detail: &str) -> Option<Redirection> {
        let from = Address { host: "asked".to_owned(), port: 1 };
        Redirection::read(&NodeError::Answered { code: code.to_owned(), detail: detail.to_owned() }, &from)
    }

    fn address(host: &str) -> Address {
        Address { host: host.to_owned(), port: 6381 }
    }

    #[test]
    fn redirections_are_read_as_redis_writes_them() {
        let moved = |host| Some(Redirection::Moved { slot: 3999, to: address(host) });
        assert_eq!(read("MOVED", "3999 127.0.0.1:6381"), moved("127.0.0.1"));
        assert_eq!(read("MOVED", "3999 2001:db8::1:6381"), moved("2001:db8::1"));
        assert_eq!(read("MOVED", "3999 :6381"), moved("asked"));
        assert_eq!(read("ASK", "3999 b.example:6381"), Some(Redirection::Ask { to: address("b.example") }));
        for detail in ["", "3999", "3999 b", "3999 ?:6381", "16384 b:6381", "3999 b:0", "-1 b:1"] {
            assert_eq!(read("MOVED", detail), None, "{detail:?}");
        }
        assert_eq!(read("CLUSTERDOWN", "3999 b:6381"), None);
    }
}
