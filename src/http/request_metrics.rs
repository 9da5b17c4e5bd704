//! What commands and their problems count as.

use super::{problem::Problem, state::AppState};
use crate::{
    cache::{Command, Reply},
    telemetry::metrics::{Kind, Outcome, Shed},
    types::CommandName,
};

pub fn kind(command: &Command<'_>) -> Kind {
    command.name().into()
}

/// Of the command that a problem is about.
pub fn kind_of(problem: &Problem) -> Kind {
    problem.command().and_then(CommandName::parse).map_or(Kind::Unparsed, Kind::from)
}

pub fn outcome(command: &Command<'_>, reply: &Reply) -> Outcome {
    match (reply, command) {
        (Reply::NotFound, _) => Outcome::NotFound,
        (Reply::Written { replicas }, Command::Write(write)) if *replicas < write.replicas => Outcome::TooFewReplicas,
        _ => Outcome::Success,
    }
}

/// Counts a refusal, if it was for want of `what`.
pub fn shed(state: &AppState, problem: &Problem, what: Shed) {
    if problem.outcome() == Outcome::Overloaded {
        state.metrics.sheds.count(what);
    }
}
