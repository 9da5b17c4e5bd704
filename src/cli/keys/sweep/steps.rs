//! The steps of a sweep: one shard after the other, so that no more than one node is busy.

use super::{
    error::StateFileError,
    pace::Pace,
    progress::SweepProgress,
    running_instance::{OtherRingError, RunningInstance},
    state_file::StateFile,
};
use crate::{
    server::Shutdown,
    store::{MisplacedKey, ScanPage, ScanRequest, Store, SweepError},
    types::Deadline,
};
use std::{collections::BTreeMap, time::Duration};

/// Time for one step, in which another node can become master.
const STEP_TIMEOUT: Duration = Duration::from_secs(5);

/// A running sweep.
pub struct Sweep<'a> {
    store: &'a Store,
    file: &'a mut StateFile,
    instance: RunningInstance,
    pace: Pace,
    /// The number of misplaced keys of each shard whose names are shown.
    show_keys: usize,
    shown: Vec<(String, MisplacedKey)>,
}

/// The reason why a sweep ends early.
#[derive(Debug, thiserror::Error)]
pub enum SweepFailure {
    /// A shard cannot be swept.
    #[error(transparent)]
    Shard(#[from] SweepError),
    /// The state cannot be kept.
    #[error(transparent)]
    State(#[from] StateFileError),
    /// A reload has given the running instance another ring.
    #[error(transparent)]
    Ring(#[from] OtherRingError),
    /// The masters of two shards are one process, so that each would lose the keys of the other.
    #[error("shards \"{0}\" and \"{1}\" are one Redis process: nothing was deleted")]
    OneProcess(String, String),
}

impl SweepFailure {
    /// Returns true if the other shards can be swept all the same.
    fn is_of_one_shard(&self) -> bool {
        matches!(self, Self::Shard(_))
    }
}

/// The result of a run, besides the state of each shard.
#[derive(Default)]
pub struct SweepOutcome {
    /// The failure of each shard that could not be swept.
    pub failures: Vec<SweepFailure>,
    /// Somebody asked for an early end.
    pub interrupted: bool,
    /// Misplaced keys whose names are to be shown, each with the name of the shard that holds it.
    pub shown: Vec<(String, MisplacedKey)>,
}

impl<'a> Sweep<'a> {
    /// Prepares a sweep that goes on from the state.
    pub fn new(
        store: &'a Store,
        (file, instance): (&'a mut StateFile, RunningInstance),
        keys_per_second: u32,
        show_keys: usize,
    ) -> Self {
        Self { store, file, instance, pace: Pace::new(keys_per_second), show_keys, shown: Vec::new() }
    }

    /// Sweeps all shards, until the end or until a shutdown is requested.
    pub async fn run(&mut self, shutdown: &Shutdown) -> SweepOutcome {
        let mut outcome = SweepOutcome::default();
        // A file that cannot be written is reported before anything is deleted.
        if let Err(error) = self.file.save() {
            return SweepOutcome { failures: vec![error.into()], ..outcome };
        }
        if let Err(failure) = self.check_processes().await {
            return SweepOutcome { failures: vec![failure], ..outcome };
        }
        for (position, (name, _)) in self.file.plan().shards.clone().into_iter().enumerate() {
            let swept = self.sweep_shard(position, &name, shutdown).await;
            let swept = swept.and_then(|complete| Ok(self.file.save().map(|()| complete)?));
            match swept {
                Ok(true) => {}
                Ok(false) => outcome.interrupted = true,
                Err(failure) => outcome.failures.push(failure),
            }
            // The next shard may be in order though this one failed.
            if outcome.interrupted || outcome.failures.last().is_some_and(|failure| !failure.is_of_one_shard()) {
                break;
            }
        }
        outcome.shown = std::mem::take(&mut self.shown);
        outcome
    }

    /// Fails if keys are to be deleted and two shards have one process, by a mistake in the settings. A shard that does not
    /// answer now fails later.
    async fn check_processes(&self) -> Result<(), SweepFailure> {
        let mut known = BTreeMap::new();
        let request = ScanRequest { pattern: None, count: 1 };
        let shards = self.file.plan().shards.iter().filter(|_| self.file.plan().delete);
        for (name, _) in shards {
            let Ok(page) = self.store.scan(name, None, &request, Deadline::within(STEP_TIMEOUT)).await else {
                continue;
            };
            if let Some(other) = known.insert(page.next.run_id, name.clone()) {
                return Err(SweepFailure::OneProcess(other, name.clone()));
            }
        }
        Ok(())
    }

    /// Sweeps one shard. Returns false if a shutdown was requested before the end.
    async fn sweep_shard(&mut self, position: usize, name: &str, shutdown: &Shutdown) -> Result<bool, SweepFailure> {
        let mut progress = SweepProgress::new(name, self.file.shard_mut(position).scanned);
        let mut shown = 0;
        while !self.file.shard_mut(position).complete {
            let count = tokio::select! {
                biased;
                () = shutdown.requested() => return Ok(false),
                count = self.pace.next_step() => count,
            };
            let plan = self.file.plan().clone();
            let request = ScanRequest { pattern: plan.pattern.as_deref(), count };
            let from = self.file.shard_mut(position).position();
            let page = self.store.scan(name, from.as_ref(), &request, Deadline::within(STEP_TIMEOUT)).await?;
            let Some(deleted) = self.delete(name, &page, plan.delete).await? else {
                self.file.shard_mut(position).begin_anew();
                continue;
            };
            for key in page.misplaced.iter().take(self.show_keys.saturating_sub(shown)) {
                self.shown.push((name.to_owned(), key.clone()));
                shown += 1;
            }
            let sweep = self.file.shard_mut(position);
            sweep.record(&page, deleted);
            // A node tells only how many keys match a pattern.
            let examined = if plan.pattern.is_some() { count.into() } else { page.found };
            progress.update(&page, examined, sweep);
            self.file.save_sometimes()?;
        }
        Ok(true)
    }

    /// Deletes the misplaced keys of a step, if that is wanted. Returns their number, or `None` if the node that the
    /// keys were found on is not the master any more.
    async fn delete(&mut self, name: &str, page: &ScanPage, wanted: bool) -> Result<Option<u64>, SweepFailure> {
        if !wanted || page.misplaced.is_empty() {
            return Ok(Some(0));
        }
        self.instance.check(self.file.plan()).await?;
        let deadline = Deadline::within(STEP_TIMEOUT);
        match self.store.unlink_misplaced(name, &page.next.run_id, &page.misplaced, deadline).await {
            Err(SweepError::Replaced { .. }) => Ok(None),
            deleted => Ok(Some(deleted?)),
        }
    }
}
