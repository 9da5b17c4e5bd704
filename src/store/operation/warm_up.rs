//! Keys whose shard is another one than before, for some time after shards came, went or changed their weights.
//!
//! A read that finds nothing on the new shard asks the one before and takes the value over with the time that it has
//! left. Changes go to both. A delete goes to the old shard first: whoever took the value over in between looks there
//! again, finds it gone, and takes it back; and if it cannot, the value ends by itself within two seconds.

use crate::{
    store::{
        Answer, Inner, OperationKind, StoreError,
        error::NodeError,
        freshness::Freshness,
        map::{Earlier, Route},
        node::{
            lanes::Lane,
            link::{GiveUp, Patience},
        },
        operation::{Noted, commands::answer_to, get, write},
        shard::{Shard, Tried},
    },
    types::{Deadline, FullKey},
};
use redis::{Cmd, Pipeline, Value};
use std::sync::Arc;
use tokio::time::timeout;

/// A value that was taken over lives no longer than that until it is certain that it was not deleted meanwhile.
const UNCERTAIN_MS: u64 = 2000;
/// Lets such a value live on, with the time that is left, 0 for ever.
const KEEP: &str = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end \
    if ARGV[2] == '0' then return redis.call('PERSIST', KEYS[1]) end return redis.call('PEXPIRE', KEYS[1], ARGV[2])";
/// Removes it, unless somebody wrote the same again.
const REMOVE: &str = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end local ttl = redis.call('PTTL', KEYS[1]) \
    if ttl < 0 or ttl > tonumber(ARGV[2]) then return 0 end return redis.call('UNLINK', KEYS[1])";

/// Both ways of a key that moves.
pub struct Moving<'a> {
    pub store: &'a Inner,
    pub key: &'a FullKey<'a>,
    pub now: Route,
    pub before: Earlier,
    pub freshness: Freshness,
    pub deadline: Deadline,
}

impl Moving<'_> {
    /// Runs a change on both shards; the new one's answer counts.
    pub async fn change(&self, kind: &OperationKind<'_>) -> Result<Answer, StoreError> {
        let Self { store, key, now, before: Earlier { route: before, .. }, deadline, .. } = self;
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

    /// What the shard before has under the key, taken over to the new one. What was changed through this process since
    /// the shards changed is not looked for: if the new shard does not have it, it is gone.
    pub async fn fetch(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let changed = || self.store.changes.wish(self.now.hash, Freshness::Usual).since;
        let start = changed();
        if start > self.before.since {
            return Ok(None);
        }
        let (bytes, ttl_ms) = match self.look().await {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(None),
            Err(error) => return self.not_told(error),
        };
        if changed() > start {
            return self.read_again().await;
        }
        // Also if the caller goes away in between: replicas may have something else for a moment.
        let _noted = Noted { changes: &self.store.changes, hash: self.now.hash };
        let uncertain_ms = u64::try_from(ttl_ms).map_or(UNCERTAIN_MS, |ms| ms.clamp(1, UNCERTAIN_MS));
        let mut take_over = Cmd::new();
        take_over.arg("SET").arg(self.key.as_bytes()).arg(&bytes).arg("NX").arg("PX").arg(uncertain_ms);
        match self.ask_master(&self.now.shard, &take_over, Lane::of(bytes.len())).await {
            Ok(Value::Okay) => {}
            // Somebody wrote it meanwhile.
            Ok(Value::Nil) => return self.read_again().await,
            // It could not be taken over, but it is what was asked for.
            _ => return Ok(Some(bytes)),
        }
        let mut exists = Cmd::new();
        exists.arg("EXISTS").arg(self.key.as_bytes());
        if let Ok(Value::Int(1)) = self.ask_master(&self.before.route.shard, &exists, Lane::Usual).await {
            self.store.metrics.warm_up_values.count();
            self.run_script(KEEP, &bytes, ttl_ms.max(0)).await;
            return Ok(Some(bytes));
        }
        // Deleted meanwhile, or nobody knows.
        self.run_script(REMOVE, &bytes, i64::try_from(UNCERTAIN_MS).unwrap_or_default()).await;
        Ok(None)
    }

    /// What it means that the shard before does not tell. A shard that was given up has nothing to say any more.
    fn not_told(&self, error: NodeError) -> Result<Option<Vec<u8>>, StoreError> {
        let shard = &self.before.route.shard;
        let is_listed = self.store.map.load().shards().iter().any(|listed| Arc::ptr_eq(listed, shard));
        if is_listed || self.freshness != Freshness::Usual || matches!(error, NodeError::Answered { .. }) {
            return Err(shard.read_failure(error));
        }
        tracing::debug!(shard = &*shard.name(), %error, "the old shard of a key cannot be asked");
        Ok(None)
    }

    async fn read_again(&self) -> Result<Option<Vec<u8>>, StoreError> {
        get::run(self.store, &self.now, self.key, Freshness::Master, self.deadline).await
    }

    /// The value on the shard before, and its time to live in milliseconds, negative for ever.
    async fn look(&self) -> Result<Option<(Vec<u8>, i64)>, NodeError> {
        let mut pipeline = Pipeline::with_capacity(2);
        pipeline.cmd("GET").arg(self.key.as_bytes()).cmd("PTTL").arg(self.key.as_bytes());
        let (shard, hash) = (&self.before.route.shard, self.before.route.hash);
        let node = shard.writer(&Tried::default(), self.deadline).await.map_err(|_| NodeError::NotConnected)?;
        let patience = Patience { deadline: self.deadline.attempt(shard.attempt_timeout), give_up: GiveUp::Hanging };
        let answers = node.ask_all(&pipeline, self.store.large_keys.lane(hash), patience).await?;
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

    /// Where scripts are not allowed, the value ends soon by itself.
    async fn run_script(&self, script: &str, bytes: &[u8], argument: i64) {
        let mut run = Cmd::new();
        run.arg("EVAL").arg(script).arg(1).arg(self.key.as_bytes()).arg(bytes).arg(argument);
        if let Err(error) = self.ask_master(&self.now.shard, &run, Lane::of(bytes.len())).await {
            tracing::warn!(shard = &*self.now.shard.name(), %error, "a value that moves could not be kept");
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
