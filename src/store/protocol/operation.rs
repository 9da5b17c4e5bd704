//! Operations on keys, and their results.

use crate::{
    store::consistency::{Freshness, LogicalTime},
    types::{FullKey, Ttl},
};
use std::{borrow::Cow, time::Duration};

/// One operation of a batch.
pub struct Operation<'a> {
    /// The key.
    pub key: &'a FullKey<'a>,
    /// The kind of the operation.
    pub kind: OperationKind<'a>,
}

/// The kind of an operation.
pub enum OperationKind<'a> {
    /// Reads the value of a key that is at least as fresh as this.
    Get(Freshness),
    /// Reads the time that a key has left, as milliseconds in decimal digits; -1 for a key that does not expire.
    TimeLeft(Freshness),
    /// Reads the value of a key, and gives the key another time to live.
    GetAndTouch(Ttl),
    /// Stores a value.
    Set {
        /// The value.
        bytes: Cow<'a, [u8]>,
        /// The lifetime of the value.
        lifetime: Lifetime,
        /// Nothing is stored if the key exists.
        if_absent: bool,
        /// The number of replicas that are to have the value before the answer; the wait ends with the deadline.
        replicas: u32,
    },
    /// Deletes a key.
    Delete,
    /// Gives a key another time to live.
    Touch(Ttl),
    /// Adds to a number.
    Increment(Addition),
    /// Asks a rate limiter.
    TakeTokens(TokenBucket),
}

/// The lifetime of a value that is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// A new one, from now on.
    New(Ttl),
    /// The one of the value that it replaces; without one, the value never expires.
    Kept,
}

/// An addition to a number, which is 0 where the key does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addition {
    /// The number that is added.
    pub by: i64,
    /// The lifetime of a key that is created.
    pub ttl: Ttl,
    /// The smallest result of a negative addition.
    pub min: Option<i64>,
    /// The largest result of a positive addition.
    pub max: Option<i64>,
}

/// A rate limiter: a bucket that holds `limit` tokens and gets one each `interval_us` (GCRA).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenBucket {
    /// The tokens of a full bucket.
    pub limit: u32,
    /// The microseconds in which the bucket gets one token.
    pub interval_us: u64,
    /// The tokens to take.
    pub cost: u32,
}

impl TokenBucket {
    /// Creates a limiter that allows `limit` uses in `per_secs` seconds, and a question for `cost` of them. No more uses are
    /// allowed than asked for: a fraction of a microsecond between two of them counts as a whole one.
    pub fn new(limit: u32, per_secs: u32, cost: u32) -> Self {
        Self { limit, interval_us: (u64::from(per_secs) * 1_000_000).div_ceil(u64::from(limit)), cost }
    }
}

impl OperationKind<'_> {
    /// Returns true if the operation changes nothing.
    pub fn is_read(&self) -> bool {
        matches!(self, Self::Get(_) | Self::TimeLeft(_))
    }

    /// Returns true if the operation is a read whose answer has to be proven fresh.
    pub fn is_strict_read(&self) -> bool {
        match self {
            Self::Get(Freshness::Master) | Self::TimeLeft(Freshness::Master) => true,
            Self::Get(Freshness::Since(time)) | Self::TimeLeft(Freshness::Since(time)) => *time > LogicalTime::ZERO,
            _ => false,
        }
    }

    /// Returns the freshness that a read needs.
    pub fn freshness(&self) -> Freshness {
        if let Self::Get(freshness) | Self::TimeLeft(freshness) = self { *freshness } else { Freshness::ReadYourWrites }
    }

    /// Returns the number of replicas that are to have the change before the answer.
    pub fn replicas(&self) -> u32 {
        if let Self::Set { replicas, .. } = self { *replicas } else { 0 }
    }
}

/// The result of an operation.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// The value that was read, or the time that the key has left in digits; `None` if the key does not exist.
    Got(Option<Vec<u8>>),
    /// The value was stored.
    Stored {
        /// The number of replicas that have the value, if that was waited for.
        replicas: u32,
    },
    /// The value was not stored, because the key exists.
    Exists,
    /// The key was deleted; false if it did not exist.
    Deleted(bool),
    /// The key has another time to live; false if it does not exist.
    Touched(bool),
    /// The result of an addition.
    Number(Sum),
    /// The state of a rate limiter.
    Bucket(BucketState),
    /// The key holds something else than the operation works on; nothing was changed.
    NotANumber,
    /// The sum has more than 64 bits; nothing was changed.
    Overflow,
}

/// A number after an addition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum {
    /// The number.
    pub value: i64,
    /// The seconds that the key has left; `None` if it does not expire.
    pub secs_left: Option<u64>,
    /// The addition would have passed its limit; nothing was changed.
    pub is_limited: bool,
}

/// The state of a rate limiter after a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketState {
    /// The tokens were taken.
    pub is_allowed: bool,
    /// The tokens that are left.
    pub remaining: u32,
    /// The time after which the bucket has as many tokens as were asked for; zero if they were taken.
    pub retry_after: Duration,
    /// The time after which the bucket is full.
    pub reset_after: Duration,
}
