//! Batches: many commands in one request.

use super::{
    command::{Command, Reply},
    error::CacheError,
    read::CachedReply,
    value_cache::Cache,
};
use crate::{
    store::{Answer, Freshness, Operation, StoreError},
    types::{Deadline, FullKey, KeyOwner, ReplyMemory},
};
use futures_util::future::join_all;
use std::collections::{HashMap, HashSet};

/// Keys of one batch that are fetched for the near cache; further keys, and large values, are only read.
const FETCHES_MAX: usize = 64;
const ONCE: &str = "each answer is taken once";

/// The source of the reply to a command.
enum ReplySource {
    /// The reply is known already.
    Known(Result<Reply, CacheError>),
    /// The fetch at this position brings the reply.
    Fetched(usize),
    /// The operation at this position brings the reply.
    Asked(usize),
    /// The command at this position has the same reply.
    Same(usize),
}

/// Returns the reply if there is memory for its value, which it takes.
fn reserve(reply: Reply, memory: &ReplyMemory<'_>) -> Result<Reply, CacheError> {
    let bytes = if let Reply::Found(value) = &reply { value.stored_bytes() } else { 0 };
    memory.reserve(bytes).map_err(StoreError::from)?;
    Ok(reply)
}

impl Cache {
    /// Runs all commands. Returns the replies in the order of the commands. Reads have at least the given freshness, and
    /// their values take their bytes from `memory`. A command that fails does not fail the others.
    pub async fn batch(
        &self,
        commands: &[Command<'_>],
        owner: KeyOwner<'_>,
        freshness: Freshness,
        memory: &ReplyMemory<'_>,
        deadline: Deadline,
    ) -> Vec<Result<Reply, CacheError>> {
        let keys: Vec<FullKey<'_>> = commands.iter().map(|command| command.key().of(owner)).collect();
        let changes = commands.iter().zip(&keys).filter(|(command, _)| command.is_change());
        let changed: Vec<&FullKey<'_>> = changes.map(|(_, key)| key).collect();
        let invalidation = self.invalidation_guard(&changed);
        let span = self.lookup_span(keys.len() - changed.len());
        let changed: HashSet<&[u8]> = changed.iter().map(|key| key.as_bytes()).collect();
        let (mut operations, mut fetches, mut hits) = (Vec::with_capacity(keys.len()), Vec::new(), 0_usize);
        let mut sources = Vec::with_capacity(keys.len());
        let mut missed: HashMap<(&[u8], bool), usize> = HashMap::new();
        for (command, key) in commands.iter().zip(&keys) {
            if let Command::Read(read) = command
                && !changed.contains(key.as_bytes())
            {
                let freshness = read.freshness(freshness);
                match self.lookup(key, freshness, || fetches.len() < FETCHES_MAX && !self.store.is_large(key)) {
                    CachedReply::Hit(reply) => {
                        hits += 1;
                        let reply = reply.and_then(|reply| reserve(reply, memory));
                        sources.push(ReplySource::Known(reply));
                        continue;
                    }
                    CachedReply::Miss { admit } => {
                        // A key that is read again is read once: each answer costs the node and others time.
                        let first = *missed.entry((key.as_bytes(), read.from_master)).or_insert(sources.len());
                        if first < sources.len() {
                            sources.push(ReplySource::Same(first));
                            continue;
                        }
                        if admit {
                            fetches.push(self.fetch_or_read(key, freshness, deadline));
                            sources.push(ReplySource::Fetched(fetches.len() - 1));
                            continue;
                        }
                    }
                }
            }
            sources.push(match self.operation(command, key, freshness) {
                Ok(kind) => {
                    operations.push(Operation { key, kind });
                    ReplySource::Asked(operations.len() - 1)
                }
                // A command that cannot be sent has its error already.
                Err(error) => ReplySource::Known(Err(error)),
            });
        }
        span.record("hits", hits);
        drop(span);
        let (asked, fetched) = self.store.batch(&operations, memory, join_all(fetches), deadline).await;
        drop(invalidation);
        self.observe_changes(&operations, &asked);
        self.replies(sources, &operations, asked, fetched, memory)
    }

    /// Returns the reply to each command.
    fn replies(
        &self,
        sources: Vec<ReplySource>,
        operations: &[Operation<'_>],
        asked: Vec<Result<Answer, StoreError>>,
        fetched: Vec<Result<Reply, CacheError>>,
        memory: &ReplyMemory<'_>,
    ) -> Vec<Result<Reply, CacheError>> {
        let mut asked: Vec<_> = asked.into_iter().map(Some).collect();
        let mut fetched: Vec<_> = fetched.into_iter().map(Some).collect();
        let mut replies: Vec<Result<Reply, CacheError>> = Vec::with_capacity(sources.len());
        for source in sources {
            replies.push(match source {
                ReplySource::Known(reply) => reply,
                ReplySource::Fetched(at) => fetched[at].take().expect(ONCE).and_then(|reply| reserve(reply, memory)),
                ReplySource::Asked(at) => {
                    let answer = asked[at].take().expect(ONCE).map_err(CacheError::from);
                    answer.and_then(|answer| self.reply(operations[at].key, &operations[at].kind, answer))
                }
                ReplySource::Same(first) => replies[first].clone().and_then(|reply| reserve(reply, memory)),
            });
        }
        replies
    }

    /// Observes the changes that succeeded, for the inspection.
    fn observe_changes(&self, operations: &[Operation<'_>], answers: &[Result<Answer, StoreError>]) {
        for (operation, answer) in operations.iter().zip(answers) {
            if let Ok(answer) = answer {
                self.observe_change(operation.key, &operation.kind, answer);
            }
        }
    }

    /// Fetches a value for the near cache, or reads it if the fetch of another request failed.
    async fn fetch_or_read(
        &self,
        key: &FullKey<'_>,
        freshness: Freshness,
        deadline: Deadline,
    ) -> Result<Reply, CacheError> {
        match self.fetch(key, freshness, deadline).await {
            Some(fetched) => fetched,
            None => self.found(key, self.store.get(key, freshness, deadline).await?),
        }
    }
}
