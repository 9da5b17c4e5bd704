//! Loading of settings from files that somebody may be writing at this moment: what was read counts only if all files are
//! the same a moment later.

use super::error::ReloadError;
use crate::settings::WatchedFiles;
use std::time::Duration;
use tokio::{
    task::spawn_blocking,
    time::{sleep, timeout},
};

/// Time between the two readings of all files, which have to be equal: a file that is half written may seem valid.
const SETTLE_TIME: Duration = Duration::from_millis(200);
/// Maximum number of times that the settings are loaded for one reload, while files change.
const LOADS_MAX: usize = 50;
/// Number of times that the settings are loaded before a problem counts: files that belong together, such as a
/// certificate and its key, are written one after the other.
const LOADS_OF_A_PROBLEM: usize = 6;
/// Time after which reading is reported as slow. It is exceeded only where the file system hangs.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// The files to watch, and the result of loading them.
pub type LoadedWithFiles<T> = (WatchedFiles, Result<T, ReloadError>);

/// Loads until all files have the same content a moment later, and until a problem has lasted. `load` gets the files that
/// are watched so far. `None` means that reading failed.
pub async fn load_until_stable<T: Send + 'static>(
    mut watched: WatchedFiles,
    load: impl Fn(&WatchedFiles) -> LoadedWithFiles<T> + Clone + Send + 'static,
) -> Option<LoadedWithFiles<T>> {
    for load_number in 1..=LOADS_MAX {
        let load = load.clone();
        let (files, loaded) = run_blocking(move || load(&watched)).await?;
        sleep(SETTLE_TIME).await;
        let is_stable = reread(files.clone()).await? == files;
        if is_stable && (loaded.is_ok() || load_number >= LOADS_OF_A_PROBLEM) {
            return Some((files, loaded));
        }
        watched = files;
    }
    Some((watched, Err(ReloadError::Unsettled)))
}

/// Returns the files with their current content. `None` means that reading failed.
pub async fn reread(files: WatchedFiles) -> Option<WatchedFiles> {
    run_blocking(move || files.reread()).await
}

/// Runs work that may block on a thread for blocking work. There is no second attempt where a file system hangs: it
/// would hang, too. `None` means that the work panicked; the service goes on with its settings.
async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let mut work = spawn_blocking(work);
    let finished = if let Ok(finished) = timeout(READ_TIMEOUT, &mut work).await {
        finished
    } else {
        let secs = READ_TIMEOUT.as_secs();
        tracing::warn!(secs, "reading the settings takes more than {secs} s; changes wait until it ends");
        work.await
    };
    finished.inspect_err(|error| tracing::error!(%error, "reading the settings failed: {error}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs,
        path::Path,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering::Relaxed},
        },
    };

    /// Loads the text of a file with [`load_until_stable`]. After each load, `then` gets the number of loads so far and
    /// may change the file or refuse what was loaded. Returns the result and the number of loads.
    async fn load_with(
        file: &Path,
        then: impl Fn(usize) -> Result<(), ReloadError> + Clone + Send + 'static,
    ) -> (Result<String, ReloadError>, usize) {
        let (loads, path) = (Arc::new(AtomicUsize::new(0)), file.to_owned());
        let counted = Arc::clone(&loads);
        let loaded = load_until_stable(WatchedFiles::default(), move |_| {
            let mut files = WatchedFiles::default();
            files.watch(&path);
            let text = fs::read_to_string(&path).expect("the file is read");
            (files, then(counted.fetch_add(1, Relaxed) + 1).map(|()| text))
        });
        let (_, result) = loaded.await.expect("nothing panics");
        (result, loads.load(Relaxed))
    }

    fn file() -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        fs::write(file.path(), "first").expect("it is written");
        file
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_changes_after_it_was_read_is_read_again() {
        let file = file();
        let path = file.path().to_owned();
        let (result, loads) = load_with(file.path(), move |loads| {
            if loads < 4 {
                fs::write(&path, format!("version {loads}")).expect("it is written");
            }
            Ok(())
        })
        .await;
        assert_eq!((result.ok().as_deref(), loads), (Some("version 3"), 4));
    }

    #[tokio::test(start_paused = true)]
    async fn files_that_never_stop_changing_are_refused() {
        let file = file();
        let path = file.path().to_owned();
        let (result, loads) = load_with(file.path(), move |loads| {
            fs::write(&path, format!("version {loads}")).expect("it is written");
            Ok(())
        })
        .await;
        assert!(matches!(result, Err(ReloadError::Unsettled)) && loads == LOADS_MAX, "{loads}: {result:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_problem_counts_only_after_it_has_lasted() {
        let file = file();
        let refuse_until =
            |last: usize| move |loads: usize| if loads <= last { Err(ReloadError::IncompleteFile) } else { Ok(()) };
        let (result, loads) = load_with(file.path(), refuse_until(LOADS_OF_A_PROBLEM - 1)).await;
        assert_eq!((result.ok().as_deref(), loads), (Some("first"), LOADS_OF_A_PROBLEM));
        let (result, loads) = load_with(file.path(), refuse_until(usize::MAX)).await;
        assert!(matches!(result, Err(ReloadError::IncompleteFile)) && loads == LOADS_OF_A_PROBLEM, "{result:?}");
    }
}
