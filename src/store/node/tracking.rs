//! Invalidation of cached values by the node that they were read from (`CLIENT TRACKING`).
//!
//! A node remembers, for each connection, the keys that it was asked to track over the connection. It reports each of
//! them once when it changes, in the same stream as its answers. So a cached value is current as long as the connection
//! lasts and no change of its key was reported. A node that drops all its data, as a replica does before it receives
//! all data of its master, reports that, too, even over connections that track no key: then a new *epoch* of the
//! connection begins, and the node has to be probed before it is read as a replica again.

use crate::store::{consistency::LogicalTime, node::node_id::NodeId};
use redis::Value;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// A function that receives each key that changed; it must not block.
pub type InvalidationHandler = Arc<dyn Fn(&[u8]) + Send + Sync>;

/// A function that is called when a node has dropped all its data; it must not block.
pub type FlushHandler = Box<dyn Fn() + Send + Sync>;

/// The reports that arrive over one connection.
pub struct Tracking {
    epoch: AtomicU64,
    /// The number of times that the node dropped all its data.
    flushes: AtomicU64,
    on_key: Option<InvalidationHandler>,
    on_flush: FlushHandler,
}

impl Tracking {
    /// Creates the first epoch of a connection. `on_key` receives the keys that change; `on_flush` is called when the
    /// node has dropped all its data, before anything that it sent afterwards is read.
    pub fn new(on_key: Option<&InvalidationHandler>, on_flush: FlushHandler) -> Self {
        let (epoch, flushes) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { epoch, flushes, on_key: on_key.cloned(), on_flush }
    }

    /// Processes a report: a list of keys, or nil for all keys.
    pub fn on_invalidation(&self, pushed: &[Value]) {
        match pushed {
            [Value::Array(keys)] if keys.iter().all(|key| matches!(key, Value::BulkString(_))) => {
                let Some(on_key) = &self.on_key else { return };
                for key in keys {
                    if let Value::BulkString(key) = key {
                        on_key(key);
                    }
                }
            }
            [Value::Nil] => {
                self.flushes.fetch_add(1, Ordering::AcqRel);
                self.invalidate_all();
                (self.on_flush)();
            }
            // An unknown report: to invalidate too much is safe.
            _ => self.invalidate_all(),
        }
    }

    /// Begins a new epoch: nothing that was read before is current any more.
    pub fn invalidate_all(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }

    /// Returns the number of times that the node dropped all its data.
    pub fn flushes(&self) -> u64 {
        self.flushes.load(Ordering::Acquire)
    }

    fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }
}

/// The origin of an answer whose key is tracked.
#[derive(Clone)]
pub struct TrackedSource {
    /// The node that answered.
    pub node: NodeId,
    tracking: Arc<Tracking>,
    epoch: u64,
    /// The answer covers everything that was acknowledged until this time.
    pub covers: LogicalTime,
}

impl TrackedSource {
    /// Creates the origin of an answer. It has to be created before the command is sent.
    pub fn new(node: NodeId, tracking: &Arc<Tracking>, covers: LogicalTime) -> Self {
        Self { node, epoch: tracking.epoch(), tracking: Arc::clone(tracking), covers }
    }

    /// Returns true if changes of the key are reported over this connection.
    pub fn is_over(&self, tracking: &Arc<Tracking>) -> bool {
        Arc::ptr_eq(&self.tracking, tracking)
    }

    /// Returns true if a change of the key would have been reported.
    pub fn is_current(&self) -> bool {
        self.tracking.epoch() == self.epoch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    fn source(tracking: &Arc<Tracking>) -> TrackedSource {
        TrackedSource::new(NodeId::default(), tracking, LogicalTime::ZERO)
    }

    #[test]
    fn each_key_of_a_report_is_passed_on() {
        let reported = Arc::new(Mutex::new(Vec::new()));
        let keys = Arc::clone(&reported);
        let on_key: InvalidationHandler =
            Arc::new(move |key: &[u8]| keys.lock().expect("nobody panicked").push(key.to_vec()));
        let tracking = Arc::new(Tracking::new(Some(&on_key), Box::new(|| panic!("the data was not dropped"))));
        let before = source(&tracking);
        tracking
            .on_invalidation(&[Value::Array(vec![Value::BulkString(b"a".to_vec()), Value::BulkString(b"b".to_vec())])]);
        assert_eq!(*reported.lock().expect("nobody panicked"), [b"a", b"b"]);
        assert!(before.is_current());
    }

    #[test]
    fn a_report_without_keys_begins_a_new_epoch() {
        let calls = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&calls);
        let on_flush = Box::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        let tracking = Arc::new(Tracking::new(None, on_flush));
        for pushed in [vec![Value::Nil], vec![], vec![Value::Array(vec![Value::Int(1)])]] {
            let before = source(&tracking);
            tracking.on_invalidation(&pushed);
            assert!(!before.is_current() && source(&tracking).is_current());
        }
        assert_eq!((tracking.flushes(), calls.load(Ordering::Relaxed)), (1, 1), "only nil reports a flush");
    }
}
