//! The background tasks: started, named and awaited in one place.

use std::io;
use tokio::{runtime::Handle, task::JoinSet};

/// The tasks of the process.
#[derive(Default)]
pub struct Tasks {
    /// Tasks that end by themselves after a graceful shutdown was requested.
    serving: JoinSet<(&'static str, io::Result<()>)>,
    /// Tasks that run until they are aborted.
    background: JoinSet<&'static str>,
}

impl Tasks {
    /// Starts a serving task on an event loop.
    pub fn serving(
        &mut self,
        name: &'static str,
        runtime: &Handle,
        task: impl Future<Output = io::Result<()>> + Send + 'static,
    ) {
        self.serving.spawn_on(async move { (name, task.await) }, runtime);
    }

    /// Starts a background task on the current event loop.
    pub fn background(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.background.spawn(async move {
            task.await;
            name
        });
    }

    /// Waits for a task that ends although no shutdown was requested; returns an error that names it.
    pub async fn first_to_end(&mut self) -> io::Error {
        let (name, cause) = tokio::select! {
            Some(ended) = self.serving.join_next() => match ended {
                Ok((name, Ok(()))) => (name, "it returned".to_owned()),
                Ok((name, Err(error))) => (name, error.to_string()),
                Err(error) => ("serving", error.to_string()),
            },
            Some(ended) = self.background.join_next() => match ended {
                Ok(name) => (name, "it returned".to_owned()),
                Err(error) => ("background", error.to_string()),
            },
            else => ("last", "there are no more tasks".to_owned()),
        };
        io::Error::other(format!("the {name} task ended: {cause}"))
    }

    /// Waits until all serving tasks have ended.
    pub async fn wait_for_serving(&mut self) {
        while self.serving.join_next().await.is_some() {}
    }

    /// Aborts all tasks that still run.
    pub fn abort(&mut self) {
        self.serving.abort_all();
        self.background.abort_all();
    }
}
