//! The memory and the keys of a node's process, as `INFO` reports them, for metrics and the console.

use crate::store::protocol::info::{field, text_of};
use redis::Value;

/// The memory and the keys of a Redis process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeResources {
    /// The memory in use (`used_memory`).
    pub memory_bytes: u64,
    /// The limit on the memory (`maxmemory`); 0 if there is none.
    pub memory_bytes_max: u64,
    /// The keys in all databases.
    pub keys: u64,
    /// The keys that were removed because the memory was full, since the process started.
    pub evicted_keys: u64,
    /// The keys whose time to live ended, since the process started.
    pub expired_keys: u64,
    /// The lookups that found their key, since the process started.
    pub keyspace_hits: u64,
    /// The lookups that did not find their key, since the process started.
    pub keyspace_misses: u64,
}

impl NodeResources {
    /// Reads the replies to `INFO memory`, `INFO stats` and `INFO keyspace`. Returns `None` if the node's user may not ask.
    pub fn parse(memory: &Value, stats: &Value, keyspace: &Value) -> Option<Self> {
        let (memory, stats, keyspace) = (text_of(memory)?, text_of(stats)?, text_of(keyspace)?);
        Some(Self {
            memory_bytes: number(&memory, "used_memory"),
            memory_bytes_max: number(&memory, "maxmemory"),
            keys: keyspace.lines().filter_map(keys_of_database).sum(),
            evicted_keys: number(&stats, "evicted_keys"),
            expired_keys: number(&stats, "expired_keys"),
            keyspace_hits: number(&stats, "keyspace_hits"),
            keyspace_misses: number(&stats, "keyspace_misses"),
        })
    }
}

/// Returns the number in a field; 0 if there is none.
fn number(text: &str, name: &str) -> u64 {
    field(text, name).and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Returns the number of keys in a line of `INFO keyspace`: `db0:keys=3,expires=0,avg_ttl=0`.
fn keys_of_database(line: &str) -> Option<u64> {
    let (_, row) = line.strip_prefix("db")?.split_once(":keys=")?;
    row.split(',').next()?.trim_end().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn memory_keys_and_lookups_are_read_from_info() {
        let memory = text("# Memory\r\nused_memory:1048576\r\nused_memory_human:1.00M\r\nmaxmemory:2097152\r\n");
        let stats = text("# Stats\r\nexpired_keys:4\r\nevicted_keys:5\r\nkeyspace_hits:30\r\nkeyspace_misses:10\r\n");
        let keyspace = text("# Keyspace\r\ndb0:keys=7,expires=2,avg_ttl=100\r\ndb3:keys=1,expires=0,avg_ttl=0\r\n");
        let expected = NodeResources {
            memory_bytes: 1_048_576,
            memory_bytes_max: 2_097_152,
            keys: 8,
            evicted_keys: 5,
            expired_keys: 4,
            keyspace_hits: 30,
            keyspace_misses: 10,
        };
        assert_eq!(NodeResources::parse(&memory, &stats, &keyspace), Some(expected));
        assert_eq!(NodeResources::parse(&memory, &Value::Nil, &keyspace), None, "the user may not ask");
    }
}
