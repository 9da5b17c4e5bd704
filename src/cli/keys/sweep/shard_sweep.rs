//! The sweep of one shard so far.

use crate::store::{ScanPage, ScanPosition};
use serde::{Deserialize, Serialize};

/// The sweep of one shard so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardSweep {
    /// The address of the master.
    pub node: Option<String>,
    /// The position from which to go on; `None` before the first step.
    position: Option<Position>,
    /// All keys of the shard were looked at.
    pub complete: bool,
    /// The number of keys that were looked at.
    pub scanned: u64,
    /// The number of keys among them that belong to another shard.
    pub misplaced: u64,
    /// The number of misplaced keys that were deleted.
    pub deleted: u64,
}

/// A [`ScanPosition`] in the form of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Position {
    run_id: String,
    cursor: u64,
}

impl ShardSweep {
    /// Returns the position from which to go on; `None` to begin.
    pub fn position(&self) -> Option<ScanPosition> {
        self.position
            .as_ref()
            .map(|Position { run_id, cursor }| ScanPosition { run_id: run_id.clone(), cursor: *cursor })
    }

    /// Begins anew. Keys that were deleted stay deleted.
    pub fn begin_anew(&mut self) {
        *self = Self { deleted: self.deleted, ..Self::default() };
    }

    /// Records a step, with the number of keys that were deleted.
    pub fn record(&mut self, page: &ScanPage, deleted: u64) {
        if page.began_anew {
            self.begin_anew();
        }
        self.node = Some(page.node.to_string());
        self.scanned += page.found;
        self.misplaced += u64::try_from(page.misplaced.len()).unwrap_or(u64::MAX);
        self.deleted += deleted;
        self.complete = page.next.cursor == 0;
        self.position = Some(Position { run_id: page.next.run_id.clone(), cursor: page.next.cursor });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{store::MisplacedKey, types::Address};

    fn page(run_id: &str, cursor: u64, began_anew: bool) -> ScanPage {
        ScanPage {
            node: Address { host: "a".to_owned(), port: 1 },
            next: ScanPosition { run_id: run_id.to_owned(), cursor },
            began_anew,
            found: 10,
            misplaced: vec![MisplacedKey { name: b"k".to_vec(), owner: "b".into() }],
            keys_on_node: 100,
        }
    }

    #[test]
    fn a_new_master_is_scanned_from_the_beginning() {
        let mut sweep = ShardSweep::default();
        sweep.record(&page("x", 5, false), 1);
        sweep.record(&page("x", 9, false), 1);
        assert_eq!((sweep.scanned, sweep.misplaced, sweep.deleted, sweep.complete), (20, 2, 2, false));
        assert_eq!(sweep.position(), Some(ScanPosition { run_id: "x".to_owned(), cursor: 9 }));
        sweep.record(&page("y", 0, true), 1);
        assert_eq!((sweep.scanned, sweep.misplaced, sweep.deleted, sweep.complete), (10, 1, 3, true));
    }
}
