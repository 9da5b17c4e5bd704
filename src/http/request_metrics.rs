//! The labels under which commands and their failures are counted.

use super::{error_code::ErrorCode, problem::Problem, state::AppState};
use crate::{
    cache::{Command, Reply},
    telemetry::metrics::{Kind, Outcome, Shed},
};

/// Returns the label of the command that failed.
pub fn kind(problem: &Problem) -> Kind {
    problem.command().map_or(Kind::Unparsed, Kind::from)
}

/// Returns the outcome of a command that succeeded.
pub fn outcome(command: &Command<'_>, reply: &Reply) -> Outcome {
    match (reply, command) {
        (Reply::NotFound, _) => Outcome::NotFound,
        (Reply::Written { replicas }, Command::Write(write)) if !write.is_confirmed_by(*replicas) => {
            Outcome::TooFewReplicas
        }
        (Reply::Exists, _) => Outcome::Conflict,
        (Reply::Number(sum), _) if sum.is_limited => Outcome::Limited,
        (Reply::Bucket(state), _) if !state.is_allowed => Outcome::Limited,
        _ => Outcome::Success,
    }
}

/// Counts a problem that was caused by the limit `shed`; other problems are not counted.
pub fn count_shed(state: &AppState, problem: &Problem, shed: Shed) {
    if problem.code() == ErrorCode::Overloaded {
        state.metrics.sheds.count(shed);
    }
}
