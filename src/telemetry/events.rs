//! What happened lately that an operator wants to know: the last few things that the log said as well, for the console.

use serde::{Deserialize, Serialize};
use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

/// The oldest ones go when there are more.
pub const EVENTS_MAX: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The service serves from now on.
    Started,
    /// Writes go to another master.
    Promotion,
    /// Two nodes call themselves master.
    Contested,
    Lost,
    Back,
    /// Shards or nodes came or went, or those who know them are not heard.
    Topology,
    ReloadApplied,
    ReloadRefused,
    Draining,
    OverloadBegan,
    OverloadEnded,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Milliseconds since 1970; of several the last.
    pub at_ms: u64,
    pub kind: EventKind,
    /// A sentence for people. It names nodes and shards, never a key or a secret.
    pub text: String,
    /// How often it happened in a row.
    pub times: u32,
}

/// The last [`EVENTS_MAX`] events of one service.
#[derive(Default)]
pub struct Events(Mutex<VecDeque<Event>>);

impl Events {
    /// To be called where it is logged; never while a request waits for it.
    pub fn record(&self, kind: EventKind, text: impl Into<String>) {
        let event = Event { at_ms: now_ms(), kind, text: text.into(), times: 1 };
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

    /// The latest first.
    pub fn list(&self) -> Vec<Event> {
        self.events().iter().rev().cloned().collect()
    }

    fn events(&self) -> MutexGuard<'_, VecDeque<Event>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Milliseconds since 1970.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_kept_and_what_repeats_is_one() {
        let events = Events::default();
        for number in 0..2 * EVENTS_MAX {
            events.record(EventKind::Lost, format!("node {number}"));
            events.record(EventKind::Lost, format!("node {number}"));
        }
        let list = events.list();
        assert_eq!(list.len(), EVENTS_MAX);
        assert_eq!((list[0].text.as_str(), list[0].times), ("node 199", 2));
        assert_eq!(list[EVENTS_MAX - 1].text, "node 100");
    }
}
