//! The comeback of a master: it was restarted, and is compared with the other nodes before it is used.
//!
//! The offset that another node was last known to have is up to one interval of probes old. A master that was restarted
//! from its file within that time would look complete although the file lacks the last changes.

use crate::store::{consistency::LogicalTime, node::state::NodeState};
use std::time::Duration;
use tokio::time::Instant;

/// The longest time for which the answers of the other nodes are waited for.
const ANSWERS_MAX: Duration = Duration::from_millis(500);
/// The interval at which the other nodes are looked at meanwhile: an answer that repeats the last one notifies nobody.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The comeback of a master, until all nodes that may have more data than it were asked since.
#[derive(Default)]
pub struct Comeback {
    /// The history that the master came back with; empty if none is known.
    replication_id: String,
    /// The time of the question that showed the comeback.
    asked_at: LogicalTime,
    /// The time at which the comparison goes by what is known, whoever has not answered by then.
    until: Option<Instant>,
}

impl Comeback {
    /// Returns the time at which to look again if another node may have more data of the history `known` than is known
    /// by now. `master` is the history that the master came back with, and `asked_at` the time of the question that showed
    /// it.
    pub fn awaits<'a>(
        &mut self,
        master: &str,
        asked_at: LogicalTime,
        mut others: impl Iterator<Item = &'a NodeState>,
        known: &str,
        now: Instant,
    ) -> Option<Instant> {
        if self.replication_id != master {
            *self = Self { replication_id: master.to_owned(), asked_at, until: Some(now + ANSWERS_MAX) };
        }
        let until = self.until.filter(|until| *until > now)?;
        others.any(|other| other.may_have_more_of(known, self.asked_at)).then(|| until.min(now + LOOK_EVERY))
    }
}
