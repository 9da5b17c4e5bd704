//! The properties that all commands of a request share, and the run of one command.

use crate::{
    api::{
        command,
        reply::{self, ReplySize},
    },
    auth::Caller,
    cache::{Cache, CacheError, Command, Reply},
    http::{AppState, Json, Problem, ReloadableState, RequestOrigin, SyncTokenHeader, log_delete, request_metrics},
    store::{Freshness, StoreError},
    telemetry::{RequestTimer, metrics::Shed},
    types::{Deadline, ReplyMemory},
};

/// Returns the reply with these bytes. A large one holds its memory until it was sent.
pub fn json(bytes: Vec<u8>, memory: ReplyMemory<'_>) -> Json {
    let memory = memory.hold(bytes.len());
    Json { bytes, memory }
}

/// The properties that all commands of a request share.
pub struct RequestContext<'a> {
    /// The state of the handlers.
    pub(super) state: &'a AppState,
    /// The settings that apply to the request.
    pub(super) reloadable: &'a ReloadableState,
    /// The cache that runs the commands.
    pub(super) cache: &'a Cache,
    /// The id of the request, and the address that it came from.
    pub(super) origin: RequestOrigin<'a>,
    /// The caller.
    pub(super) caller: &'a Caller,
    /// The freshness that reads need.
    pub(super) freshness: Freshness,
    /// The time by which the response is due.
    pub(super) deadline: Deadline,
}

impl RequestContext<'_> {
    /// Runs one command.
    pub(super) async fn run_single(
        &self,
        sync_token: &mut SyncTokenHeader,
        timer: &mut RequestTimer<'_>,
        text: &str,
    ) -> Result<Json, Problem> {
        let command = self.parse_permitted(text)?;
        timer.kind = command.name().into();
        if command.is_change() {
            sync_token.mark_changes();
        }
        // The memory for the value in the reply to a WRITE is reserved while the WRITE can still be refused.
        let memory = self.state.reply_memory(self.reloadable, self.caller);
        let size = ReplySize::before_run(&command);
        self.reserve(&memory, size.bytes, &command)?;
        let result = self.cache.run(&command, self.caller.key_owner(), self.freshness, self.deadline).await;
        let reply = result.map_err(|error| self.problem(error, &command))?;
        let size = size.after_run(&reply);
        self.reserve(&memory, size.bytes, &command)?;
        timer.outcome = request_metrics::outcome(&command, &reply);
        self.log_change(&command, &reply);
        let mut out = Vec::with_capacity(size.bytes);
        reply::write(&mut out, &command, &reply, size);
        Ok(json(out, memory))
    }

    /// Reserves memory for a reply of this size.
    pub(super) fn reserve(
        &self,
        memory: &ReplyMemory<'_>,
        total_bytes: usize,
        command: &Command<'_>,
    ) -> Result<(), Problem> {
        memory.reserve_up_to(total_bytes).map_err(|error| {
            let problem = Problem::from(error).with_command(command.name());
            request_metrics::count_shed(self.state, &problem, Shed::Replies);
            problem
        })
    }

    /// Parses a command, checks that the caller may run it now, and samples its key.
    pub(super) fn parse_permitted<'t>(&self, text: &'t str) -> Result<Command<'t>, Problem> {
        let command = command::parse(text).map_err(|problem| self.count_malformed(problem))?;
        let permitted = self.caller.permit(command.scopes());
        permitted.map_err(|error| Problem::from(error).with_command(command.name()))?;
        self.state.key_sampler.sample(command.key(), self.caller.namespace());
        Ok(command)
    }

    /// Counts a malformed command or body against the caller's rate limit. Returns its problem, or that of the limit.
    pub(super) fn count_malformed(&self, problem: Problem) -> Problem {
        self.caller.count_command().map_or_else(Problem::from, |()| problem)
    }

    /// Logs a DELETE that was run, where the level of the log asks for it.
    pub(super) fn log_change(&self, command: &Command<'_>, reply: &Reply) {
        if let Command::Delete { key } = command {
            log_delete(key, *reply == Reply::Deleted, self.caller, self.origin);
        }
    }

    /// Returns the problem of a command that failed in the cache.
    pub(super) fn problem(&self, error: CacheError, command: &Command<'_>) -> Problem {
        if let CacheError::Store(error) = &error {
            self.state.store.record_failure(&command.key().of(self.caller.key_owner()), error);
        }
        let is_reply = matches!(error, CacheError::Store(StoreError::NoReplyMemory));
        let problem = Problem::from(error).with_command(command.name());
        request_metrics::count_shed(self.state, &problem, if is_reply { Shed::Replies } else { Shed::Node });
        problem
    }
}
