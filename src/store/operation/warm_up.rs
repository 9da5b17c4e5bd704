//! Keys whose shard is another one than before, for some time after shards came, went or changed their weights.
//!
//! A read that finds nothing on the new shard asks the one before and takes the value over with the time that it has
//! left. Changes go to both. A delete goes to the old shard first: whoever took the value over in between looks there
//! again, finds it gone, and takes it back.

use crate::{
    store::{
        Answer, Inner, OperationKind, StoreError,
        error::NodeError,
        freshness::{Freshness, Wish},
        map::Route,
        node::{
            lanes::Lane,
            link::{GiveUp, Patience},
        },
        operation::{commands::answer_to, get, write},
        shard::{Shard, Tried},
    },
    types::{Deadline, FullKey},
};
use redis::{Cmd, Pipeline, Value};
use tokio::time::timeout;

/// Removes a value unless it was changed.
const REMOVE_IF_SAME: &str =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('UNLINK', KEYS[1]) end return 0";

/// Both ways of a key that moves.
pub struct Moving<'a> {
    pub store: &'a Inner,
    pub key: &'a FullKey<'a>,
    pub now: Route,
    pub before: Route,
    pub deadline: Deadline,
}

impl Moving<'_> {
    /// Runs a change on both shards; the new one's answer counts.
    pub async fn change(&self, kind: &OperationKind<'_>) -> Result<Answer, StoreError> {
        let Self { store, key, now, before, deadline } = self;
        let removed = write::run(store, before, key, &OperationKind::Delete, *deadline);
        if matches!(kind, OperationKind::Delete) {
            // That it can't be removed there must be known: it could come back.
            let there = removed.await? == Answer::Deleted(true);
            let here = write::run(store, now, key, kind, *deadline).await;
            return match here {
                // Something was changed: that must not be denied.
                Err(StoreError::Unavailable { shard, cause }) if there => Err(StoreError::Unconfirmed { shard, cause }),
                here => Ok(Answer::Deleted(here? == Answer::Deleted(true) || there)),
            };
        }
        let answer = write::run(store, now, key, kind, *deadline).await?;
        // The new value hides the old one, so that one's shard may fail.
        if !matches!(timeout(before.shard.attempt_timeout, removed).await, Ok(Ok(_))) {
            tracing::debug!(
                shard = &*before.shard.name(),
                "a value that moves could not be removed from its old shard"
            );
        }
        Ok(answer)
    }

    /// What the shard before has under the key, taken over to the new one.
    pub async fn fetch(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let (bytes, ttl_ms) = match self.look().await {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(None),
            // The new shard has spoken: there is no value. That the old one is lost does not change that.
            Err(error) => {
                let shard = self.before.shard.name();
                if matches!(error, NodeError::Answered { .. } | NodeError::Unexpected) {
                    tracing::warn!(shard = &*shard, %error, "the old shard of a key does not give its value away");
                } else {
                    tracing::debug!(shard = &*shard, %error, "the old shard of a key cannot be asked");
                }
                return Ok(None);
            }
        };
        let mut take_over = Cmd::new();
        take_over.arg("SET").arg(self.key.as_bytes()).arg(&bytes).arg("NX");
        if let Ok(ms) = u64::try_from(ttl_ms) {
            take_over.arg("PX").arg(ms.max(1));
        }
        match self.ask_master(&self.now.shard, &take_over, Lane::of(bytes.len())).await {
            Ok(Value::Okay) => {}
            // Somebody wrote it meanwhile.
            Ok(Value::Nil) => return get::run(self.store, &self.now, self.key, Freshness::Master, self.deadline).await,
            // It could not be taken over, but it is what was asked for.
            _ => return Ok(Some(bytes)),
        }
        let mut exists = Cmd::new();
        exists.arg("EXISTS").arg(self.key.as_bytes());
        if let Ok(Value::Int(0)) = self.ask_master(&self.before.shard, &exists, Lane::Usual).await {
            self.take_back(&bytes).await;
            return Ok(None);
        }
        Ok(Some(bytes))
    }

    /// The value on the shard before, and its time to live in milliseconds, negative for ever.
    async fn look(&self) -> Result<Option<(Vec<u8>, i64)>, NodeError> {
        let mut pipeline = Pipeline::with_capacity(2);
        pipeline.cmd("GET").arg(self.key.as_bytes()).cmd("PTTL").arg(self.key.as_bytes());
        let shard = &self.before.shard;
        let wish =
            Wish { hash: self.before.hash, since: self.store.changes.clock.now(), strict: true, master_only: true };
        let tried = Tried::default();
        let node = shard.readable(&wish, &tried).ok_or(NodeError::NotConnected)?;
        let patience = Patience { deadline: self.deadline.attempt(shard.attempt_timeout), give_up: GiveUp::Hanging };
        let answers = node.ask_all(&pipeline, self.store.large_keys.lane(self.before.hash), patience).await?;
        let mut answers = answers.into_iter();
        match (answers.next(), answers.next()) {
            (_, Some(Value::ServerError(error))) => Err(NodeError::from(&error)),
            (Some(value), Some(Value::Int(ttl_ms))) => {
                let got = answer_to(&OperationKind::Get(Freshness::Usual), value, 0)?;
                Ok(if let Answer::Got(Some(bytes)) = got { Some((bytes, ttl_ms)) } else { None })
            }
            _ => Err(NodeError::Unexpected),
        }
    }

    /// Removes the value that was taken over, for it was deleted meanwhile.
    async fn take_back(&self, bytes: &[u8]) {
        let mut remove = Cmd::new();
        remove.arg("EVAL").arg(REMOVE_IF_SAME).arg(1).arg(self.key.as_bytes()).arg(bytes);
        if !matches!(self.ask_master(&self.now.shard, &remove, Lane::of(bytes.len())).await, Ok(Value::Int(_))) {
            // A user who may not run scripts: rather a value too few than one that was deleted.
            let removed = write::run(self.store, &self.now, self.key, &OperationKind::Delete, self.deadline).await;
            if let Err(error) = removed {
                tracing::warn!(shard = &*self.now.shard.name(), %error, "a deleted value may have come back");
            }
        }
    }

    async fn ask_master(&self, shard: &Shard, command: &Cmd, lane: Lane) -> Result<Value, NodeError> {
        let node = shard.writer(&Tried::default(), self.deadline).await.map_err(|_| NodeError::NotConnected)?;
        match node.ask(command, lane, Patience { deadline: self.deadline, give_up: GiveUp::AtDeadline }).await? {
            Value::ServerError(error) => Err(NodeError::from(&error)),
            value => Ok(value),
        }
    }
}
