//! The operation of the store that each command is, and the reply that its answer is.

use super::{
    command::{Command, Increment, KeyQuery, Reply},
    error::CacheError,
    value_cache::Cache,
};
use crate::{
    settings::SealingRule,
    store::{Addition, Answer, Freshness, OperationKind},
    types::{Deadline, FullKey},
};

impl Cache {
    /// Runs a command in the store.
    pub(super) async fn operate(
        &self,
        command: &Command<'_>,
        key: &FullKey<'_>,
        freshness: Freshness,
        deadline: Deadline,
    ) -> Result<Reply, CacheError> {
        let kind = self.operation(command, key, freshness)?;
        if kind.is_read() {
            let answer = self.store.ask(key, &kind, deadline).await?;
            return self.reply(key, &kind, answer);
        }
        let keys = [key];
        let invalidation = self.invalidation_guard(&keys);
        let answer = self.store.change(key, &kind, deadline).await?;
        drop(invalidation);
        self.observe_change(key, &kind, &answer);
        self.reply(key, &kind, answer)
    }

    /// Returns the store's operation for a command.
    pub(super) fn operation<'c>(
        &self,
        command: &'c Command<'_>,
        key: &FullKey<'_>,
        freshness: Freshness,
    ) -> Result<OperationKind<'c>, CacheError> {
        Ok(match command {
            Command::Read(read) => match read.touch {
                None => OperationKind::Get(read.freshness(freshness)),
                Some(ttl) => OperationKind::GetAndTouch(ttl),
            },
            Command::Write(write) => self.set(write, key)?,
            Command::Delete { .. } => OperationKind::Delete,
            Command::Touch { ttl, .. } => OperationKind::Touch(ttl.unwrap_or(self.default_ttl)),
            Command::Ttl(query) | Command::Exists(query) => OperationKind::TimeLeft(query.freshness(freshness)),
            Command::Increment(increment) => OperationKind::Increment(self.addition(increment)?),
            Command::RateLimit { bucket, .. } => OperationKind::TakeTokens(*bucket),
        })
    }

    /// Returns the addition of an INCREMENT. A number that Redis adds to is not sealed.
    fn addition(&self, increment: &Increment<'_>) -> Result<Addition, CacheError> {
        if self.rule == SealingRule::Required {
            return Err(CacheError::NumbersNotSealed);
        }
        let Increment { by, ttl, min, max, .. } = *increment;
        Ok(Addition { by, ttl: ttl.unwrap_or(self.default_ttl), min, max })
    }

    /// Returns the reply that an answer of the store is.
    pub(super) fn reply(
        &self,
        key: &FullKey<'_>,
        kind: &OperationKind<'_>,
        answer: Answer,
    ) -> Result<Reply, CacheError> {
        Ok(match (answer, kind) {
            (Answer::Got(left), OperationKind::TimeLeft(_)) => {
                left.map_or(Reply::NotFound, |left| Reply::Lives(secs_left(&left)))
            }
            (Answer::Got(stored), _) => self.found(key, stored)?,
            (Answer::Stored { replicas }, _) => Reply::Written { replicas },
            (Answer::Exists, _) => Reply::Exists,
            (Answer::Deleted(true), _) => Reply::Deleted,
            (Answer::Touched(true), OperationKind::Touch(ttl)) => Reply::Lives(ttl.secs()),
            (Answer::Deleted(false) | Answer::Touched(_), _) => Reply::NotFound,
            (Answer::Number(sum), _) => Reply::Number(sum),
            (Answer::Bucket(state), _) => Reply::Bucket(state),
            (Answer::NotANumber, OperationKind::TakeTokens(_)) => return Err(CacheError::NotALimiter),
            (Answer::NotANumber, _) => return Err(CacheError::NotANumber),
            (Answer::Overflow, _) => return Err(CacheError::Overflow),
        })
    }

    /// Observes a change that was made, for the inspection.
    pub(super) fn observe_change(&self, key: &FullKey<'_>, kind: &OperationKind<'_>, answer: &Answer) {
        if matches!(answer, Answer::Stored { .. } | Answer::Deleted(_)) {
            self.store.observe_change(key, kind);
        }
    }
}

impl KeyQuery<'_> {
    /// Returns the freshness of the question in a request that asks for `at_least`.
    fn freshness(&self, at_least: Freshness) -> Freshness {
        if self.from_master { Freshness::Master } else { at_least }
    }
}

/// Returns the seconds of a time in milliseconds, as digits; a part of a second counts as a whole one. `None` stands for a
/// key that does not expire.
fn secs_left(millis: &[u8]) -> Option<u64> {
    let millis: u64 = std::str::from_utf8(millis).ok()?.parse().ok()?;
    Some(millis.div_ceil(1000))
}
