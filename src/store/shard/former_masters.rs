//! The histories of the masters that a shard had before.
//!
//! Each promotion gives a node's history a new name. A node that is a master under the name that it had before its
//! successor was promoted was never promoted since: it was deposed, and nobody has told it yet.

use crate::store::node::replication::ReplicationInfo;

/// The number of histories that are kept: more than a shard has nodes that live on as masters.
const KEPT_MAX: usize = 16;

/// The histories of the masters that a shard had before the current one, the latest last.
#[derive(Default)]
pub struct FormerMasters(Vec<String>);

impl FormerMasters {
    /// Records that `master` is the master from now on, in place of the one with the history `before`. What the new master was
    /// promoted from is the history of a former master, too, although this instance may not have seen it.
    pub fn record(&mut self, before: &str, master: &ReplicationInfo) {
        for former in [&*master.previous_replication_id, before] {
            if !former.is_empty() && !self.0.iter().any(|known| known == former) {
                self.0.push(former.to_owned());
            }
        }
        self.0.retain(|known| *known != master.replication_id);
        self.0.drain(..self.0.len().saturating_sub(KEPT_MAX));
    }

    /// Forgets all former masters.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Returns the histories.
    pub fn histories(&self) -> &[String] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::node::replication::ReplicationRole;

    #[test]
    fn a_master_that_is_used_again_is_no_former_one_and_the_oldest_ones_are_forgotten() {
        let mut former = FormerMasters::default();
        let master = |id: &str, previous: &str| ReplicationInfo::reported(ReplicationRole::Master, id, previous);
        former.record("", &master("a", ""));
        assert!(former.histories().is_empty());
        former.record("a", &master("c", "b"));
        former.record("c", &master("c", "b"));
        assert_eq!(former.histories(), ["b", "a"]);
        former.record("c", &master("a", ""));
        assert_eq!(former.histories(), ["b", "c"]);
        for number in 0..KEPT_MAX {
            former.record(&number.to_string(), &master("a", ""));
        }
        assert_eq!((former.histories().len(), &*former.histories()[0]), (KEPT_MAX, "0"));
    }
}
