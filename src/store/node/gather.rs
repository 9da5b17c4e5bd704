//! Commands that are about to be sent travel together.
//!
//! redis-rs writes to a connection in a task of its own, which each command wakes. tokio runs a task that was just
//! woken before all others, so every command would be written alone, which costs a system call here and one in Redis.
//! A second task that is woken takes that place and sends the first one to the end of the queue, behind the requests
//! that are ready to send their commands, too. Should tokio change that order, only the saving is lost.

use std::{future::poll_fn, pin::pin, sync::Arc};
use tokio::{sync::Notify, task::AbortHandle};

/// The second task.
pub struct Gather {
    woken: Arc<Notify>,
    task: AbortHandle,
}

impl Default for Gather {
    fn default() -> Self {
        let woken = Arc::new(Notify::new());
        let waits = Arc::clone(&woken);
        let task = tokio::spawn(async move {
            loop {
                waits.notified().await;
            }
        });
        Self { woken, task: task.abort_handle() }
    }
}

impl Drop for Gather {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Gather {
    /// Runs `ask`, which hands a command to the connection's task when it is first polled.
    pub async fn after_sending<T>(&self, ask: impl Future<Output = T>) -> T {
        let mut ask = pin!(ask);
        let mut sent = false;
        poll_fn(|context| {
            let polled = ask.as_mut().poll(context);
            if !sent {
                sent = true;
                self.woken.notify_one();
            }
            polled
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::ready;

    #[tokio::test]
    async fn what_is_asked_is_answered() {
        assert_eq!(Gather::default().after_sending(ready(7)).await, 7);
    }
}
