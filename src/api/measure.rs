//! What commands and their problems count as.

use super::{app::App, problem::Problem};
use crate::{
    cache::{Command, Reply},
    telemetry::metrics::{Kind, Outcome, Shed},
};

pub fn kind(command: &Command<'_>) -> Kind {
    match command {
        Command::Read(_) => Kind::Read,
        Command::Write(_) => Kind::Write,
        Command::Delete { .. } => Kind::Delete,
    }
}

/// Of the command that a problem is about.
pub fn kind_of(problem: &Problem) -> Kind {
    match problem.command() {
        Some("READ") => Kind::Read,
        Some("WRITE") => Kind::Write,
        Some("DELETE") => Kind::Delete,
        _ => Kind::Unread,
    }
}

pub fn outcome(command: &Command<'_>, reply: &Reply) -> Outcome {
    match (reply, command) {
        (Reply::NotFound, _) => Outcome::NotFound,
        (Reply::Written { replicas }, Command::Write(write)) if *replicas < write.replicas => Outcome::TooFewReplicas,
        _ => Outcome::Success,
    }
}

/// Counts a refusal, if it was for want of `what`.
pub fn shed(app: &App, problem: &Problem, what: Shed) {
    if problem.outcome() == Outcome::Overloaded {
        app.metrics.sheds.count(what);
    }
}
