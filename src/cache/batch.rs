//! Many commands in one request.

use super::{Cache, CacheError, Command, Reply};
use crate::{
    store::{Answer, Freshness, Operation, OperationKind, REPLY_BYTES_MAX, StoreError},
    types::{Deadline, FullKey, Namespace},
};
use futures_util::future::{join, join_all};
use std::collections::HashSet;

/// Keys of one batch that are fetched to be kept; more of them, and large values, are only read.
const FETCHES_MAX: usize = 64;
const ONCE: &str = "each answer is taken once";

/// Where the reply to a command comes from: it is known, or stands at a place among the fetches or the operations.
enum ReplySource {
    Known(Result<Reply, CacheError>),
    Fetched(usize),
    Asked(usize),
}

/// The reply, as long as there is room for its value.
fn fitting(reply: Reply, room: &mut usize) -> Result<Reply, CacheError> {
    let bytes = if let Reply::Found(value) = &reply { value.stored_bytes() } else { 0 };
    *room = room.checked_sub(bytes).ok_or(StoreError::ReplyTooLarge)?;
    Ok(reply)
}

impl Cache {
    /// Runs all commands; replies in their order. Reads are at least as fresh as that. One that fails does not fail its neighbours.
    pub async fn batch(
        &self,
        commands: &[Command<'_>],
        namespace: Option<&Namespace>,
        freshness: Freshness,
        deadline: Deadline,
    ) -> Vec<Result<Reply, CacheError>> {
        let keys: Vec<FullKey<'_>> = commands.iter().map(|command| command.key().within(namespace)).collect();
        let commands = || commands.iter().zip(&keys);
        let changed: Vec<_> = commands().filter(|(command, _)| command.is_change()).map(|(_, key)| key).collect();
        let _changing = self.invalidation_guard(&changed);
        let reads = keys.len() - changed.len();
        let changed: HashSet<&[u8]> = changed.iter().map(|key| key.as_bytes()).collect();
        let (mut operations, mut fetches, mut room) = (Vec::with_capacity(keys.len()), Vec::new(), REPLY_BYTES_MAX);
        let (span, mut hits) = (self.span_of_near(reads), 0_usize);
        let places: Vec<ReplySource> = commands()
            .map(|(command, key)| {
                if let Command::Read(read) = command
                    && !changed.contains(key.as_bytes())
                {
                    let freshness = read.freshness(freshness);
                    if let Some(kept) = self.cached(key, freshness) {
                        hits += 1;
                        return ReplySource::Known(kept.and_then(|reply| fitting(reply, &mut room)));
                    }
                    if fetches.len() < FETCHES_MAX && !self.store.is_large(key) && self.is_worth_keeping(key, freshness)
                    {
                        fetches.push(self.fetch_or_read(key, freshness, deadline));
                        return ReplySource::Fetched(fetches.len() - 1);
                    }
                }
                match self.operation(command, key, freshness) {
                    Ok(kind) => operations.push(Operation { key, kind }),
                    // What can't even be sent has its error already.
                    Err(error) => return ReplySource::Known(Err(error)),
                }
                ReplySource::Asked(operations.len() - 1)
            })
            .collect();
        span.record("hits", hits);
        drop(span);
        let asked = self.store.batch(&operations, room, deadline);
        let (asked, fetched) = join(asked, join_all(fetches)).await;
        let mut asked: Vec<_> = asked.into_iter().map(Some).collect();
        let mut fetched: Vec<_> = fetched.into_iter().map(Some).collect();
        let reply = |place| match place {
            ReplySource::Known(reply) => reply,
            ReplySource::Fetched(at) => fetched[at].take().expect(ONCE).and_then(|reply| fitting(reply, &mut room)),
            ReplySource::Asked(at) => self.reply(operations[at].key, asked[at].take().expect(ONCE)?),
        };
        places.into_iter().map(reply).collect()
    }

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

    fn operation<'c>(
        &self,
        command: &'c Command<'_>,
        key: &FullKey<'_>,
        freshness: Freshness,
    ) -> Result<OperationKind<'c>, CacheError> {
        Ok(match command {
            Command::Read(read) => OperationKind::Get(read.freshness(freshness)),
            Command::Write(write) => self.set(write, key)?,
            Command::Delete { .. } => OperationKind::Delete,
        })
    }

    fn reply(&self, key: &FullKey<'_>, answer: Answer) -> Result<Reply, CacheError> {
        match answer {
            Answer::Got(stored) => self.found(key, stored),
            Answer::Stored { replicas } => Ok(Reply::Written { replicas }),
            Answer::Deleted(true) => Ok(Reply::Deleted),
            Answer::Deleted(false) => Ok(Reply::NotFound),
        }
    }
}
