//! The files that settings come from, with digests of what they held, so that a change can be noticed.

use aws_lc_rs::digest;
use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
};

pub type Digest = [u8; 32];

pub fn digest(bytes: &[u8]) -> Digest {
    digest::digest(&digest::SHA256, bytes).as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// Every file that loading read or looked for.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct WatchedFiles {
    /// `None` for what could not be read, or is no regular file: a pipe gives what it holds only once.
    held: BTreeMap<PathBuf, Option<Digest>>,
    /// Which option names which file: section and option, in small letters.
    named: Vec<(String, String, PathBuf)>,
}

impl WatchedFiles {
    /// To be called before the file is read for use: a change in between is then noticed later, not missed.
    pub fn note(&mut self, path: &Path) {
        self.held.entry(path.to_owned()).or_insert_with(|| held_by(path));
    }

    /// As [`Files::note`] for a file that an option names.
    pub fn note_named(&mut self, section: &str, option: &str, path: &Path) {
        self.note(path);
        self.named.push((section.to_owned(), option.to_ascii_lowercase(), path.to_owned()));
    }

    /// What the files held that an option names.
    pub fn held_for(&self, section: &str, option: &str) -> impl Iterator<Item = Digest> {
        let named = self.named.iter();
        let named = named.filter(move |(of, name, _)| of == section && name.eq_ignore_ascii_case(option));
        named.filter_map(|(_, _, path)| self.held.get(path).copied().flatten())
    }

    /// The same files as they are now. It reads them, so it may block.
    #[must_use]
    pub fn reread(&self) -> Self {
        let held = self.held.keys().map(|path| (path.clone(), held_by(path))).collect();
        Self { held, named: self.named.clone() }
    }

    /// These, and what only `others` has.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        for (path, held) in others.held {
            self.held.entry(path).or_insert(held);
        }
        self
    }
}

/// Digests of secrets are not shown either: a short secret can be found from its digest.
impl fmt::Debug for WatchedFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.held.keys()).finish()
    }
}

fn held_by(path: &Path) -> Option<Digest> {
    let is_file = fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    is_file.then(|| fs::read(path).ok()).flatten().map(|bytes| digest(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changes_comes_or_goes_is_noticed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (one, link) = (folder.path().join("one"), folder.path().join("link"));
        fs::write(&one, "1").expect("it is written");
        std::os::unix::fs::symlink(&one, &link).expect("a link");
        let mut files = WatchedFiles::default();
        files.note(&link);
        files.note(&folder.path().join("absent"));
        assert_eq!(files, files.reread());
        // As Kubernetes does it: what the link leads to is another file.
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
