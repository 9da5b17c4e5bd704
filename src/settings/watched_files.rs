//! The files that settings come from, with digests of their content, so that a change is noticed.

use aws_lc_rs::digest;
use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
};

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// Returns the SHA-256 digest of some bytes.
pub fn digest(bytes: &[u8]) -> Digest {
    digest::digest(&digest::SHA256, bytes).as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// All files that were read for the settings or looked for.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct WatchedFiles {
    /// The digest of each file. It is `None` for a file that cannot be read, and for one that is not a regular file: the
    /// content of a pipe can be read only once.
    digests: BTreeMap<PathBuf, Option<Digest>>,
    /// Section and option (in lower case) that name a file, with its path.
    options: Vec<(String, String, PathBuf)>,
}

impl WatchedFiles {
    /// Records the content of a file. The file is read for use afterwards: a change in between is then noticed later,
    /// not missed.
    pub fn watch(&mut self, path: &Path) {
        self.digests.entry(path.to_owned()).or_insert_with(|| digest_of_file(path));
    }

    /// Does the same as [`WatchedFiles::watch`] for a file that an option names.
    pub fn watch_for_option(&mut self, section: &str, option: &str, path: &Path) {
        self.watch(path);
        self.options.push((section.to_owned(), option.to_ascii_lowercase(), path.to_owned()));
    }

    /// Returns the digests of the files that an option names.
    pub fn digests_for_option(&self, section: &str, option: &str) -> impl Iterator<Item = Digest> {
        let named =
            self.options.iter().filter(move |(title, name, _)| title == section && name.eq_ignore_ascii_case(option));
        named.filter_map(|(_, _, path)| self.digests.get(path).copied().flatten())
    }

    /// Returns the same files with their current content. Reading may block.
    #[must_use]
    pub fn reread(&self) -> Self {
        let digests = self.digests.keys().map(|path| (path.clone(), digest_of_file(path))).collect();
        Self { digests, options: self.options.clone() }
    }

    /// Adds the files that only `others` has.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        for (path, digest) in others.digests {
            self.digests.entry(path).or_insert(digest);
        }
        self
    }
}

/// Shows the number of files only: a secret that was given in place of a path would be among the paths, and a short one
/// can be found from its digest.
impl fmt::Debug for WatchedFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchedFiles").field("count", &self.digests.len()).finish_non_exhaustive()
    }
}

fn digest_of_file(path: &Path) -> Option<Digest> {
    let is_file = fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    is_file.then(|| fs::read(path).ok()).flatten().map(|bytes| digest(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changes_appears_or_disappears_is_noticed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (one, link) = (folder.path().join("one"), folder.path().join("link"));
        fs::write(&one, "1").expect("it is written");
        std::os::unix::fs::symlink(&one, &link).expect("a link");
        let mut files = WatchedFiles::default();
        files.watch(&link);
        files.watch(&folder.path().join("absent"));
        assert_eq!(files, files.reread());
        // Kubernetes changes a file by swapping the link to it.
        let other = folder.path().join("other");
        fs::write(&other, "2").expect("it is written");
        std::os::unix::fs::symlink(&other, folder.path().join("next")).expect("a link");
        fs::rename(folder.path().join("next"), &link).expect("the link is swapped");
        let swapped = files.reread();
        assert_ne!(files, swapped);
        fs::write(folder.path().join("absent"), "").expect("it is written");
        let present = swapped.reread();
        assert_ne!(swapped, present);
        fs::remove_file(&link).expect("it goes");
        assert_ne!(present, present.reread());
    }
}
