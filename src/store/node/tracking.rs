//! Word from a node that keys have changed which were read over one of its connections (`CLIENT TRACKING`).
//!
//! A node remembers for each connection which keys it was asked to track there, and pushes each of them once when it
//! changes, in the same stream as its answers. So what was read may be kept for as long as the connection lasts and
//! nothing was pushed. When a node throws everything away, as a replica does before it takes over all of its master's
//! data, it says so, and counts as another *epoch* of the connection.

use crate::store::{consistency::LogicalTime, node::NodeId};
use redis::Value;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Is told each key that changed; must not block.
pub type InvalidationHandler = Arc<dyn Fn(&[u8]) + Send + Sync>;

/// What is said over one connection.
pub struct Tracking {
    epoch: AtomicU64,
    on_key: InvalidationHandler,
}

impl Tracking {
    pub fn new(forget: &InvalidationHandler) -> Self {
        Self { epoch: AtomicU64::new(0), on_key: Arc::clone(forget) }
    }

    /// Takes what was pushed: a list of keys, or nil for all there are.
    pub fn on_invalidation(&self, pushed: &[Value]) {
        match pushed {
            [Value::Array(keys)] if keys.iter().all(|key| matches!(key, Value::BulkString(_))) => {
                for key in keys {
                    if let Value::BulkString(key) = key {
                        (self.on_key)(key);
                    }
                }
            }
            // Nil, or what nobody has told us about: to forget too much is safe.
            _ => self.invalidate_all(),
        }
    }

    /// From now on nothing counts any more that was read before.
    pub fn invalidate_all(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }

    fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }
}

/// Where an answer came from that is tracked.
#[derive(Clone)]
pub struct TrackedSource {
    pub node: NodeId,
    tracking: Arc<Tracking>,
    epoch: u64,
    /// Everything acknowledged until then is in the answer.
    pub covers: LogicalTime,
}

impl TrackedSource {
    /// To be made before the question is sent.
    pub fn new(node: NodeId, tracking: &Arc<Tracking>, covers: LogicalTime) -> Self {
        Self { node, epoch: tracking.epoch(), tracking: Arc::clone(tracking), covers }
    }

    /// True if a change of what was read would have been heard of.
    pub fn is_current(&self) -> bool {
        self.tracking.epoch() == self.epoch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn keys_are_told_one_by_one_and_all_else_ends_the_epoch() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let listener = Arc::clone(&told);
        let forget: InvalidationHandler =
            Arc::new(move |key: &[u8]| listener.lock().expect("nobody panicked").push(key.to_vec()));
        let tracking = Arc::new(Tracking::new(&forget));
        let source = || TrackedSource::new(NodeId::default(), &tracking, LogicalTime::ZERO);
        let first = source();
        tracking
            .on_invalidation(&[Value::Array(vec![Value::BulkString(b"a".to_vec()), Value::BulkString(b"b".to_vec())])]);
        assert_eq!(*told.lock().expect("nobody panicked"), [b"a", b"b"]);
        assert!(first.is_current());
        for pushed in [vec![Value::Nil], vec![], vec![Value::Array(vec![Value::Int(1)])]] {
            let before = source();
            tracking.on_invalidation(&pushed);
            assert!(!before.is_current() && source().is_current());
        }
        assert!(!first.is_current());
    }
}
