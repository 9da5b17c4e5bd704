//! A batch of commands in one request.

use super::request_context::{RequestContext, json};
use crate::{
    api::reply::{self, FRAME_BYTES, ReplySize},
    cache::{CacheError, Command, Reply},
    http::{Json, Problem, SyncTokenHeader, request_metrics},
    telemetry::metrics::Shed,
    types::{KEY_BYTES_MAX, REPLY_BYTES_MAX, ReplyMemory},
};
use serde_json::value::RawValue;

/// Bytes that are reserved for the reply to a command of a batch besides the value that it reads.
const ITEM_BYTES: usize = FRAME_BYTES + 2 * KEY_BYTES_MAX;

/// Returns the size of the reply with this result, which had the size `before` when it was not known.
fn size(before: ReplySize, result: &Result<Reply, CacheError>) -> ReplySize {
    result.as_ref().map_or_else(|_| ReplySize::default(), |reply| before.after_run(reply))
}

/// The replies to a batch, as far as they are written.
struct BatchReply<'a> {
    out: Vec<u8>,
    memory: ReplyMemory<'a>,
    /// The bytes that are written, or that were reserved before the commands ran.
    total_bytes: usize,
    /// The first problem of each code, and the number of commands that failed with it.
    failed: Vec<(Problem, u32)>,
}

impl BatchReply<'_> {
    /// Keeps a problem for the log, which has one line for all commands that failed with the same code.
    fn count_failure(&mut self, problem: Problem) {
        match self.failed.iter_mut().find(|(first, _)| first.code() == problem.code()) {
            Some((_, times)) => *times += 1,
            None => self.failed.push((problem, 1)),
        }
    }
}

impl RequestContext<'_> {
    /// Runs a batch. Every item has its own reply, in order; a failed item does not fail its neighbours.
    pub(super) async fn run_batch(
        &self,
        sync_token: &mut SyncTokenHeader,
        items: &[&RawValue],
    ) -> Result<Json, Problem> {
        let mut commands = Vec::with_capacity(items.len());
        let mut refusals = Vec::with_capacity(items.len());
        for item in items {
            refusals.push(self.parse_permitted(item.get()).map(|command| commands.push(command)).err());
        }
        let memory = self.state.reply_memory(self.reloadable, self.caller);
        // The memory that does not depend on what is read is reserved while all of it can still be refused.
        let mut sizes: Vec<ReplySize> = commands.iter().map(ReplySize::before_run).collect();
        let written = commands.iter().zip(&sizes).filter(|(command, _)| matches!(command, Command::Write(_)));
        let total_bytes = items.len() * ITEM_BYTES + written.map(|(_, size)| size.bytes).sum::<usize>();
        memory.reserve(total_bytes).map_err(|error| {
            let problem = Problem::from(error);
            request_metrics::count_shed(self.state, &problem, Shed::Replies);
            problem
        })?;
        if commands.iter().any(Command::is_change) {
            sync_token.mark_changes();
        }
        let (owner, freshness) = (self.caller.key_owner(), self.freshness);
        let results = self.cache.batch(&commands, owner, freshness, &memory, self.deadline).await;

        for (before, result) in sizes.iter_mut().zip(&results) {
            *before = size(*before, result);
        }
        let bytes = items.len() * FRAME_BYTES + sizes.iter().map(|size| size.bytes).sum::<usize>();
        let out = Vec::with_capacity(bytes.min(REPLY_BYTES_MAX));
        let mut results = commands.iter().zip(results).zip(sizes);
        let mut replies = BatchReply { out, memory, total_bytes, failed: Vec::new() };
        for refusal in refusals {
            replies.out.push(if replies.out.is_empty() { b'[' } else { b',' });
            if let Some(problem) = refusal {
                self.write_problem(problem, &mut replies);
            } else {
                let ((command, result), size) = results.next().expect("each permitted command has a result");
                self.write_result(command, result, size, &mut replies);
            }
        }
        if replies.out.is_empty() {
            replies.out.push(b'[');
        }
        replies.out.push(b']');
        for (problem, times) in replies.failed {
            let problem = problem.of_client(self.caller.client_id());
            self.state.failures.record_batch(&problem, self.origin, times);
        }
        Ok(json(replies.out, replies.memory))
    }

    /// Writes and counts the reply to one command of a batch.
    fn write_result(
        &self,
        command: &Command<'_>,
        result: Result<Reply, CacheError>,
        size: ReplySize,
        replies: &mut BatchReply<'_>,
    ) {
        let mut result = result.map_err(|error| self.problem(error, command));
        if matches!(result, Ok(Reply::Found(_))) {
            let total_bytes = replies.total_bytes + size.bytes;
            match self.reserve(&replies.memory, total_bytes, command) {
                Ok(()) => replies.total_bytes = total_bytes,
                Err(problem) => result = Err(problem),
            }
        }
        match result {
            Ok(reply) => {
                let outcome = request_metrics::outcome(command, &reply);
                self.log_change(command, &reply);
                self.state.metrics.requests.count_in_batch(command.name().into(), outcome);
                reply::write(&mut replies.out, command, &reply, size);
            }
            Err(problem) => self.write_problem(problem, replies),
        }
    }

    fn write_problem(&self, problem: Problem, replies: &mut BatchReply<'_>) {
        self.state.metrics.requests.count_in_batch(request_metrics::kind(&problem), problem.outcome());
        self.state.failures.count(problem.code());
        problem.write_item(&mut replies.out);
        replies.count_failure(problem);
    }
}
