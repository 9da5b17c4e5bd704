//! A batch of commands in one request.

use super::request_context::{REPLY_BYTES, RequestContext};
use crate::{
    api::reply,
    cache::{CacheError, Command, Reply},
    http::{Problem, SyncTokenHeader, json, request_metrics},
};
use axum::response::Response;
use serde_json::value::RawValue;

impl RequestContext<'_> {
    /// Runs a batch. Every item has its own reply, in order; a failed item does not fail its neighbours.
    pub(super) async fn run_batch(&self, sync_token: &mut SyncTokenHeader, items: &[&RawValue]) -> Response {
        let mut commands = Vec::with_capacity(items.len());
        let mut refusals = Vec::with_capacity(items.len());
        for item in items {
            refusals.push(self.parse_permitted(item.get()).map(|command| commands.push(command)).err());
        }
        if commands.iter().any(Command::is_change) {
            sync_token.mark_changes();
        }
        let results = self.cache.batch(&commands, self.caller.namespace(), self.freshness, self.deadline).await;

        let mut results = commands.iter().zip(results);
        let mut out = Vec::with_capacity(REPLY_BYTES * items.len());
        for refusal in refusals {
            out.push(if out.is_empty() { b'[' } else { b',' });
            if let Some(problem) = refusal {
                self.write_problem(&problem, &mut out);
            } else {
                let (command, result) = results.next().expect("each permitted command has a result");
                self.write_result(command, result, &mut out);
            }
        }
        if out.is_empty() {
            out.push(b'[');
        }
        out.push(b']');
        json::response(out)
    }

    /// Writes and counts the reply to one command of a batch.
    fn write_result(&self, command: &Command<'_>, result: Result<Reply, CacheError>, out: &mut Vec<u8>) {
        match result {
            Ok(reply) => {
                let outcome = request_metrics::outcome(command, &reply);
                self.state.metrics.requests.count_in_batch(command.name().into(), outcome);
                reply::write(out, command, &reply);
            }
            Err(error) => self.write_problem(&self.problem(error, command), out),
        }
    }

    fn write_problem(&self, problem: &Problem, out: &mut Vec<u8>) {
        self.state.metrics.requests.count_in_batch(request_metrics::kind(problem), problem.outcome());
        problem.log(&self.state.failures, self.id, "POST /cache");
        problem.write(out);
    }
}
