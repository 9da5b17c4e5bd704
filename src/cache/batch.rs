//! Many commands in one request.

use super::{Cache, CacheError, Command, Reply};
use crate::{
    store::{Answer, Freshness, Operation, OperationKind},
    types::{Deadline, FullKey, Namespace},
};

impl Cache {
    /// Runs all commands; replies in their order. Reads are at least as fresh as that. One that fails does not fail its neighbours.
    pub async fn batch(
        &self,
        commands: &[Command<'_>],
        namespace: Option<&Namespace>,
        freshness: Freshness,
        deadline: Deadline,
    ) -> Vec<Result<Reply, CacheError>> {
        let mut operations = Vec::with_capacity(commands.len());
        // What can't even be sent has its error already; the others name their operation.
        let places: Vec<Result<usize, CacheError>> = commands
            .iter()
            .map(|command| {
                let key = command.key().within(namespace);
                let kind = self.operation(command, &key, freshness)?;
                operations.push(Operation { key, kind });
                Ok(operations.len() - 1)
            })
            .collect();
        let mut answers: Vec<_> = self.store.batch(&operations, deadline).await.into_iter().map(Some).collect();
        let mut reply = |place: usize| {
            let answer = answers[place].take().expect("each answer is taken once");
            self.reply(&operations[place].key, answer?)
        };
        places.into_iter().map(|place| place.and_then(&mut reply)).collect()
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
