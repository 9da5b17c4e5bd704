//! The connection to one sentinel: it is asked every second, and at once when it tells of a change.

use super::{
    Sentinel, Sentinels,
    answers::{CHANNELS, concerns, questions, replies},
};
use crate::{
    store::node::connection_task::{BACKOFF_MAX, BACKOFF_MIN, SETTLED, with_jitter},
    types::error_chain,
};
use redis::{
    PushInfo, PushKind, Value,
    aio::{ConnectionLike, MultiplexedConnection},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
};

/// How often a sentinel is asked that tells of no change: events may be lost.
const ASK_EVERY: Duration = Duration::from_secs(1);

impl Sentinels {
    /// Hears one sentinel, for ever.
    pub(super) async fn poll(&self, number: usize) {
        let sentinel = &self.all[number];
        let mut backoff = BACKOFF_MIN;
        let mut complained = false;
        loop {
            let start = Instant::now();
            let mut answered = false;
            let error = match self.open(sentinel).await {
                Ok(line) => self.on_event(number, line, &mut answered).await,
                Err(error) => error,
            };
            self.record_silence(number);
            if answered && start.elapsed() >= SETTLED {
                backoff = BACKOFF_MIN;
            }
            // Said once until it answers again; its every attempt is nobody's news.
            if answered || !complained {
                tracing::warn!(sentinel = %sentinel.address, error, "a sentinel does not answer; trying on");
                complained = true;
            } else {
                tracing::debug!(sentinel = %sentinel.address, error, "a sentinel still does not answer");
            }
            sleep(with_jitter(backoff)).await;
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    }

    /// A fresh connection on which events come in.
    async fn open(&self, sentinel: &Sentinel) -> Result<SentinelConnection, String> {
        let (told, lost) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let names: Vec<String> = self.watched.iter().map(|watched| watched.master_name.clone()).collect();
        let on_push = {
            let (told, lost) = (Arc::clone(&told), Arc::clone(&lost));
            move |push: PushInfo| match push.kind {
                PushKind::Disconnection => lost.notify_one(),
                PushKind::Message if concerns(&push.data, names.iter().map(String::as_str)) => told.notify_one(),
                _ => {}
            }
        };
        let mut connection =
            sentinel.target.connect_with_push_handler(on_push).await.map_err(|error| error_chain(&error))?;
        // Before the first question, so that nothing happens unheard after its answer.
        match timeout(self.redis.connect_timeout, connection.subscribe(&CHANNELS)).await {
            Ok(Ok(())) => {}
            // A user who may not hear events; asking every second does as well, but later.
            Ok(Err(error)) if error.code().is_some() => {
                tracing::warn!(sentinel = %sentinel.address, %error, "a sentinel tells of no events");
            }
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => return Err("it did not answer in time".to_owned()),
        }
        Ok(SentinelConnection { connection, told, lost })
    }

    /// Asks over a connection for as long as there are answers; returns why there are none any more.
    async fn on_event(&self, number: usize, mut line: SentinelConnection, answered: &mut bool) -> String {
        let questions = questions(self.watched.iter().map(|watched| watched.master_name.as_str()));
        let count = questions.len();
        loop {
            let asked = line.connection.req_packed_commands(&questions, 0, count);
            let values: Vec<Value> = match timeout(self.redis.connect_timeout, asked).await {
                Ok(Ok(values)) => values,
                Ok(Err(error)) => return error.to_string(),
                Err(_) => return "it did not answer in time".to_owned(),
            };
            if !*answered {
                tracing::info!(sentinel = %self.all[number].address, "connected to a sentinel");
                *answered = true;
            }
            self.record_replies(number, replies(&values));
            tokio::select! {
                () = line.lost.notified() => return "the connection was lost".to_owned(),
                // Whether it told of something or its turn has come is the same.
                _ = timeout(ASK_EVERY, line.told.notified()) => {}
            }
        }
    }
}

/// A connection to a sentinel.
struct SentinelConnection {
    connection: MultiplexedConnection,
    /// Told of every event that may matter.
    told: Arc<Notify>,
    lost: Arc<Notify>,
}
