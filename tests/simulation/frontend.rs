//! The way of a client's operations into an instance: through the near cache, or to the store at once.

use crate::history::{Action, Answer, Wanted};
use cachefront::{
    cache::{Cache, CacheError, Command, NearValues, Read, Reply, Write},
    settings::{NearCacheConfig, SealingConfig, SealingRule},
    store::{self, Freshness, Lifetime, Operation, OperationKind, Store, StoreError},
    types::{Deadline, FullKey, Key, KeyOwner, ReplyBytes, ReplyLimits, ReplyMemory, Ttl, Value},
};
use std::{borrow::Cow, future::ready, sync::Arc, time::Duration};

/// The time that a request may take.
const DEADLINE: Duration = Duration::from_secs(1);

/// An instance, as its clients see it.
#[derive(Clone)]
pub struct Frontend {
    pub store: Store,
    /// `None` for an instance without a near cache.
    pub cache: Option<Arc<Cache>>,
    near: Option<NearValues>,
}

/// Returns the near cache of an instance.
pub fn near_values(hash_seed: u64) -> NearValues {
    let config =
        NearCacheConfig { enabled: true, bytes_max: 1 << 20, age_max: Duration::from_secs(60), keep_opened: false };
    NearValues::with_hash_seed(&config, hash_seed).expect("the near cache is on")
}

/// Returns memory for replies of any size.
fn unlimited(bytes: &Arc<ReplyBytes>) -> ReplyMemory<'_> {
    let limits =
        ReplyLimits { process: bytes, process_bytes_max: usize::MAX, client: bytes, client_bytes_max: usize::MAX };
    ReplyMemory::new(limits)
}

impl Frontend {
    /// Creates an instance whose near cache has these values.
    pub fn new(store: Store, near: Option<NearValues>) -> Self {
        let sealing = SealingConfig { keys: Vec::new(), rule: SealingRule::default(), missing_file: None };
        let config = cachefront::cache::Config { sealing: &sealing, default_ttl: Ttl::Never, value_bytes_max: 1 << 20 };
        let cache = near.clone().map(|near| Arc::new(Cache::new(&config, store.clone(), Some(near), Arc::default())));
        Self { store, cache, near }
    }

    /// Drops what the near cache has. Its values keep the connections that they came over, and those keep the near cache.
    pub fn end(&self) {
        self.near.iter().for_each(NearValues::clear);
    }

    /// Runs one operation; a read has at least this freshness.
    pub async fn run(&self, key: &str, action: &Action, freshness: Freshness) -> Answer {
        let deadline = Deadline::within(DEADLINE);
        if let Some(cache) = &self.cache {
            return of_reply(action, cache.run(&command(key, action), KeyOwner::default(), freshness, deadline).await);
        }
        let full_key = full(key);
        let result = match action {
            Action::Read(wanted) => {
                let bytes = self.store.get(&full_key, strict_or(freshness, wanted), deadline).await;
                bytes.map(|bytes| Answer::Value(bytes.map(|bytes| number(&bytes))))
            }
            Action::Delete | Action::Write { .. } => {
                self.store.change(&full_key, &operation(action, freshness), deadline).await.map(of_answer)
            }
        };
        result.unwrap_or_else(|error| of_error(&error))
    }

    /// Runs several operations at once; the reads have at least this freshness.
    pub async fn batch(&self, actions: &[(String, Action)], freshness: Freshness) -> Vec<Answer> {
        let deadline = Deadline::within(DEADLINE);
        if let Some(cache) = &self.cache {
            let commands: Vec<Command<'_>> = actions.iter().map(|(key, action)| command(key, action)).collect();
            let replies =
                cache.batch(&commands, KeyOwner::default(), freshness, &unlimited(&Arc::default()), deadline).await;
            return actions.iter().zip(replies).map(|((_, action), reply)| of_reply(action, reply)).collect();
        }
        let keys: Vec<FullKey<'_>> = actions.iter().map(|(key, _)| full(key)).collect();
        let operations: Vec<Operation<'_>> = keys
            .iter()
            .zip(actions)
            .map(|(key, (_, action))| Operation { key, kind: operation(action, freshness) })
            .collect();
        let bytes = Arc::default();
        let memory = unlimited(&bytes);
        let (results, ()) = self.store.batch(&operations, &memory, ready(()), deadline).await;
        let answers = results.into_iter().map(|result| match result {
            Ok(answer) => of_answer(answer),
            Err(error) => of_error(&error),
        });
        answers.collect()
    }
}

fn strict_or(freshness: Freshness, wanted: &Wanted) -> Freshness {
    if *wanted == Wanted::Strict { Freshness::Master } else { freshness }
}

fn key_of(key: &str) -> Key<'static> {
    Key::new(Cow::Owned(key.to_owned())).expect("a valid key")
}

/// Returns the key as the store takes it.
fn full(key: &str) -> FullKey<'static> {
    key_of(key).within(None).to_owned()
}

fn ttl(secs: Option<u64>) -> Ttl {
    secs.and_then(|secs| Ttl::from_secs(i64::try_from(secs).ok()?)).unwrap_or(Ttl::Never)
}

fn command(key: &str, action: &Action) -> Command<'static> {
    let key = key_of(key);
    match action {
        Action::Read(wanted) => Command::Read(Read { key, from_master: *wanted == Wanted::Strict, touch: None }),
        Action::Delete => Command::Delete { key },
        Action::Write { value, ttl_secs, replicas } => Command::Write(Write {
            key,
            value: Value::Text(Cow::Owned(format!("v{value}"))),
            lifetime: Some(Lifetime::New(ttl(*ttl_secs))),
            if_absent: false,
            seal: false,
            replicas: *replicas,
        }),
    }
}

fn operation(action: &Action, freshness: Freshness) -> OperationKind<'static> {
    match action {
        Action::Read(wanted) => OperationKind::Get(strict_or(freshness, wanted)),
        Action::Delete => OperationKind::Delete,
        Action::Write { value, ttl_secs, replicas } => OperationKind::Set {
            bytes: Cow::Owned(format!("v{value}").into_bytes()),
            lifetime: Lifetime::New(ttl(*ttl_secs)),
            if_absent: false,
            replicas: *replicas,
        },
    }
}

/// Returns the number of a value.
fn number(bytes: &[u8]) -> u32 {
    let text = std::str::from_utf8(bytes).expect("a text");
    text.strip_prefix('v').and_then(|number| number.parse().ok()).expect("a value of a client")
}

fn of_answer(answer: store::Answer) -> Answer {
    match answer {
        store::Answer::Got(bytes) => Answer::Value(bytes.map(|bytes| number(&bytes))),
        store::Answer::Stored { .. } => Answer::Done,
        store::Answer::Deleted(existed) => Answer::Deleted(existed),
        other => unreachable!("no client asks for {other:?}"),
    }
}

fn of_reply(action: &Action, reply: Result<Reply, CacheError>) -> Answer {
    match reply {
        Ok(Reply::Found(value)) => Answer::Value(Some(number(&value.encode()))),
        Ok(Reply::NotFound) if *action == Action::Delete => Answer::Deleted(false),
        Ok(Reply::NotFound) => Answer::Value(None),
        Ok(Reply::Written { .. }) => Answer::Done,
        Ok(Reply::Deleted) => Answer::Deleted(true),
        Ok(other) => unreachable!("no client asks for {other:?}"),
        Err(CacheError::Store(error)) => of_error(&error),
        Err(error) => Answer::Refused(error.to_string()),
    }
}

fn of_error(error: &StoreError) -> Answer {
    match error {
        StoreError::Unconfirmed { .. } | StoreError::DeadlinePassed { .. } => Answer::Unknown(error.to_string()),
        _ => Answer::Refused(error.to_string()),
    }
}
