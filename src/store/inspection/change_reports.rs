//! The reports of changes that a master sends for the keys that are inspected.

use crate::types::FullKey;
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, Weak,
    atomic::{AtomicBool, Ordering},
};

/// A mark on a key: set as soon as a change of the key is reported.
pub struct ChangeFlag {
    key: FullKey<'static>,
    changed: AtomicBool,
}

impl ChangeFlag {
    /// Returns true if a change of the key was reported.
    pub fn is_set(&self) -> bool {
        self.changed.load(Ordering::Acquire)
    }
}

/// The marks on all keys that one connection reports changes of. A mark that nobody holds any more is dropped.
#[derive(Default)]
pub struct ChangeReports(Mutex<Vec<Weak<ChangeFlag>>>);

impl ChangeReports {
    /// Marks a key. Reports of changes from now on set the mark.
    pub fn mark(&self, key: &FullKey<'_>) -> Arc<ChangeFlag> {
        let flag = Arc::new(ChangeFlag { key: key.to_owned(), changed: AtomicBool::new(false) });
        let mut flags = self.lock();
        flags.retain(|flag| flag.strong_count() > 0);
        flags.push(Arc::downgrade(&flag));
        flag
    }

    /// Processes the report of a change.
    pub fn on_key(&self, key: &[u8]) {
        for flag in self.lock().iter().filter_map(Weak::upgrade).filter(|flag| flag.key.as_bytes() == key) {
            flag.changed.store(true, Ordering::Release);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<ChangeFlag>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Key;
    use std::borrow::Cow;

    #[test]
    fn a_report_sets_the_marks_on_its_key() {
        let reports = ChangeReports::default();
        let [k, other] = ["k", "other"].map(|text| Key::new(Cow::Borrowed(text)).expect("a key"));
        let flags = [reports.mark(&k.within(None)), reports.mark(&other.within(None)), reports.mark(&k.within(None))];
        reports.on_key(b"k");
        assert_eq!(flags.map(|flag| flag.is_set()), [true, false, true]);
        let later = reports.mark(&k.within(None));
        assert!(!later.is_set());
        assert_eq!(reports.lock().len(), 1, "marks that nobody holds are dropped");
    }
}
