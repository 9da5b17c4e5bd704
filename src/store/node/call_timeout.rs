//! The time that a call may take.

use crate::types::Deadline;
use std::time::Duration;

/// The time that a call may take.
#[derive(Clone, Copy)]
pub struct CallTimeout {
    /// The call fails at this time.
    pub deadline: Deadline,
    /// The condition under which the call fails earlier.
    pub abandon: Abandon,
    /// A time after which the call wakes its task without an answer, so that the task can ask another node as well.
    pub wakes_after: Option<Duration>,
}

impl CallTimeout {
    /// Waits for the answer until the deadline, or until a condition is met.
    pub fn new(deadline: Deadline, abandon: Abandon) -> Self {
        Self { deadline, abandon, wakes_after: None }
    }

    /// Waits for the answer until the deadline, whatever the node does.
    pub fn until(deadline: Deadline) -> Self {
        Self::new(deadline, Abandon::AtDeadline)
    }

    /// Wakes the task of the call after some time without an answer.
    #[must_use]
    pub fn waking_after(self, time: Duration) -> Self {
        Self { wakes_after: Some(time), ..self }
    }

    /// Returns true if the call wakes its task before the end of an attempt, which takes this time.
    pub fn wakes_early(&self, attempt: Duration) -> bool {
        self.wakes_after.is_some_and(|early| early < attempt)
    }
}

/// The condition under which a call is abandoned before its deadline.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Abandon {
    /// The node has sent nothing for the time of one attempt. Another node can be asked.
    WhenUnresponsive,
    /// The node hangs. Another node may have become available by then.
    WhenHung,
    /// None: only the answer tells if a change was made.
    AtDeadline,
}
