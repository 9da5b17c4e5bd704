//! The latest events that an operator wants to know about, for the console. Each of them is in the log as well.

use serde::{Deserialize, Serialize};
use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

/// Maximum number of events that are kept; the oldest ones are dropped.
pub const EVENTS_MAX: usize = 100;

/// The kind of an event.
///
/// The serialized names are part of the console's JSON, which instances of other releases read, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The service started and accepts requests.
    Started,
    /// A shard has another master; writes go to that one.
    Promotion,
    /// Two nodes of one shard report the role of master.
    #[serde(rename = "contested")]
    SplitBrain,
    /// The master of a shard came back without data that its replicas have; its writes are refused.
    #[serde(rename = "held")]
    MasterHeld,
    /// Another node was announced as the master of a shard, and does not answer; its writes are refused.
    #[serde(rename = "deposed")]
    MasterDeposed,
    /// Writes of a shard are no longer refused, and go to the same master as before.
    #[serde(rename = "accepted")]
    MasterAccepted,
    /// The connection to a node was lost, or could not be opened.
    #[serde(rename = "lost")]
    NodeLost,
    /// The connection to a lost node is open again.
    #[serde(rename = "back")]
    NodeConnected,
    /// An answer was older than a promise allows.
    StaleAnswer,
    /// Shards or nodes were added or removed, or no sentinel answers.
    Topology,
    /// A reload of the settings took effect.
    ReloadApplied,
    /// A reload of the settings was refused; the previous settings stay in use.
    ReloadRefused,
    /// The service stops: requests in flight finish.
    Draining,
    /// The service began to refuse requests because of overload.
    OverloadBegan,
    /// The overload is over.
    OverloadEnded,
}

/// One event, which may have happened several times in a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Time of the last occurrence, in milliseconds since 1970.
    pub at_ms: u64,
    /// The kind of the event.
    pub kind: EventKind,
    /// A sentence for people. It names nodes and shards, never a key or a secret.
    pub text: String,
    /// Number of occurrences in a row.
    pub times: u32,
    /// The event concerns the master of a shard. Older releases do not tell.
    #[serde(default)]
    pub of_master: bool,
}

/// The last [`EVENTS_MAX`] events of one service.
#[derive(Default)]
pub struct Events(Mutex<VecDeque<Event>>);

impl Events {
    /// Adds an event. It takes a lock, so no code that serves a request calls it.
    pub fn record(&self, kind: EventKind, text: impl Into<String>) {
        self.push(Event { at_ms: now_ms(), kind, text: text.into(), times: 1, of_master: false });
    }

    /// Adds an event that concerns one node. `of_master` says that the node is the master of its shard.
    pub fn record_of_node(&self, kind: EventKind, of_master: bool, text: String) {
        self.push(Event { at_ms: now_ms(), kind, text, times: 1, of_master });
    }

    fn push(&self, event: Event) {
        let mut events = self.events();
        if let Some(last) = events.back_mut().filter(|last| last.kind == event.kind && last.text == event.text) {
            last.at_ms = event.at_ms;
            last.times = last.times.saturating_add(1);
            return;
        }
        if events.len() >= EVENTS_MAX {
            events.pop_front();
        }
        events.push_back(event);
    }

    /// Returns the events, the latest first.
    pub fn list(&self) -> Vec<Event> {
        self.events().iter().rev().cloned().collect()
    }

    fn events(&self) -> MutexGuard<'_, VecDeque<Event>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the time in milliseconds since 1970.
pub fn now_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_events_are_kept_and_repetitions_are_one_event() {
        let events = Events::default();
        for number in 0..2 * EVENTS_MAX {
            events.record(EventKind::NodeLost, format!("node {number}"));
            events.record(EventKind::NodeLost, format!("node {number}"));
        }
        let list = events.list();
        assert_eq!(list.len(), EVENTS_MAX);
        assert_eq!((list[0].text.as_str(), list[0].times), ("node 199", 2));
        assert_eq!(list[EVENTS_MAX - 1].text, "node 100");
    }

    #[test]
    fn the_names_of_kinds_in_json_are_those_of_earlier_releases() {
        let kinds = [EventKind::SplitBrain, EventKind::NodeLost, EventKind::NodeConnected, EventKind::ReloadApplied];
        let json = serde_json::to_string(&kinds).expect("kinds are JSON");
        assert_eq!(json, r#"["contested","lost","back","reload_applied"]"#);
    }
}
