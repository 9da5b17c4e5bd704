//! The state of a sweep, and the file that keeps it between two runs.

use super::{error::StateFileError, plan::SweepPlan, shard_sweep::ShardSweep};
use crate::cli::failure::Failure;
use serde::{Deserialize, Serialize};
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tempfile::NamedTempFile;

/// Time between two writes of the file.
const SAVE_INTERVAL: Duration = Duration::from_secs(1);

/// The content of the file.
#[derive(Serialize, Deserialize)]
struct SweepState {
    plan: SweepPlan,
    /// The sweep of each shard, in the order of the plan.
    shards: Vec<ShardSweep>,
}

/// The state of a sweep, and the file that keeps it.
pub struct StateFile {
    /// The path of the file; `None` where no state is kept.
    path: Option<PathBuf>,
    state: SweepState,
    /// The time of the last write.
    saved_at: Option<Instant>,
    /// An earlier run of the sweep was interrupted.
    pub resumed: bool,
}

impl StateFile {
    /// Reads the state, if the file exists.
    pub fn open(path: Option<PathBuf>, plan: SweepPlan) -> Result<Self, Failure> {
        let found = path.as_ref().map(|path| read(path)).transpose().map_err(Failure::caused)?.flatten();
        let resumed = found.is_some();
        let state = match (found, &path) {
            (Some(state), Some(path)) if state.plan != plan || state.shards.len() != plan.shards.len() => {
                return Err(Failure::usage(StateFileError::OtherPlan { path: path.clone() }));
            }
            (Some(state), _) => state,
            (None, _) => SweepState { shards: vec![ShardSweep::default(); plan.shards.len()], plan },
        };
        Ok(Self { path, state, saved_at: None, resumed })
    }

    /// Returns the plan of the sweep.
    pub fn plan(&self) -> &SweepPlan {
        &self.state.plan
    }

    /// Returns the name and the sweep of each shard.
    pub fn shards(&self) -> impl Iterator<Item = (&str, &ShardSweep)> {
        self.state.plan.shards.iter().map(|(name, _)| name.as_str()).zip(&self.state.shards)
    }

    /// Returns the sweep of the shard at a position of the plan.
    pub fn shard_mut(&mut self, position: usize) -> &mut ShardSweep {
        &mut self.state.shards[position]
    }

    /// Writes the file, if the last write is long enough ago.
    pub fn save_sometimes(&mut self) -> Result<(), StateFileError> {
        if self.saved_at.is_none_or(|at| at.elapsed() >= SAVE_INTERVAL) { self.save() } else { Ok(()) }
    }

    /// Writes the file. Other programs see the old content or the new one.
    pub fn save(&mut self) -> Result<(), StateFileError> {
        let Some(path) = &self.path else { return Ok(()) };
        write(path, &self.state).map_err(|source| StateFileError::Write { path: path.clone(), source })?;
        self.saved_at = Some(Instant::now());
        Ok(())
    }

    /// Removes the file, so that the next sweep begins anew.
    pub fn remove(&self) -> Result<(), Failure> {
        let Some(path) = &self.path else { return Ok(()) };
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Failure::general(format!("{} cannot be removed: {error}", path.display())))
            }
            _ => Ok(()),
        }
    }
}

fn read(path: &Path) -> Result<Option<SweepState>, StateFileError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StateFileError::Read { path: path.to_owned(), source }),
    };
    serde_json::from_slice(&text).map(Some).map_err(|source| StateFileError::Syntax { path: path.to_owned(), source })
}

fn write(path: &Path, state: &SweepState) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = NamedTempFile::new_in(folder)?;
    serde_json::to_writer(&mut file, state)?;
    file.write_all(b"\n")?;
    file.persist(path)?;
    Ok(())
}
