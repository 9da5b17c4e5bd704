//! Everything that runs in the background is started, named and waited for here.

use std::io;
use tokio::{runtime::Handle, task::JoinSet};

/// The tasks of the process.
#[derive(Default)]
pub struct Tasks {
    /// End by themselves once they are told to stop.
    serving: JoinSet<(&'static str, io::Result<()>)>,
    /// Run until they are ended.
    background: JoinSet<&'static str>,
}

impl Tasks {
    /// Starts a task on that event loop.
    pub fn serving(
        &mut self,
        name: &'static str,
        place: &Handle,
        task: impl Future<Output = io::Result<()>> + Send + 'static,
    ) {
        self.serving.spawn_on(async move { (name, task.await) }, place);
    }

    pub fn background(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.background.spawn(async move {
            task.await;
            name
        });
    }

    /// Waits for a task to end though nobody asked it to.
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
            else => ("every", "there is none".to_owned()),
        };
        io::Error::other(format!("the {name} task ended: {cause}"))
    }

    /// Waits until all that serves has ended.
    pub async fn served(&mut self) {
        while self.serving.join_next().await.is_some() {}
    }

    /// Ends everything that still runs.
    pub fn end(&mut self) {
        self.serving.abort_all();
        self.background.abort_all();
    }
}
