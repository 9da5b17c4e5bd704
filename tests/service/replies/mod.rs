//! Limits on what the values that callers read may cost: memory until the last byte was sent, and time of others.

mod fairness;
mod memory;

use crate::{
    harness::{Caller, Service, redis},
    local_redis::RedisGroup,
};
use cachefront::settings::hash_api_key;

/// The size of a large value.
const MIB: usize = 1024 * 1024;

/// Starts a Redis that has a value of this many bytes under each key, which no service has written.
fn redis_with_values(keys: &[&str], bytes: usize) -> RedisGroup {
    let group = redis(1, 0);
    for key in keys {
        let set = format!("EVAL \"return #redis.call('SET', KEYS[1], string.rep('v', ARGV[1])).ok\" 1 {key} {bytes}");
        group.master(0).ask(&set).expect("an answer");
    }
    group
}

/// Returns the settings of the clients `greedy` and `modest`.
fn clients() -> String {
    let client = |name: &&str| {
        let hash = hash_api_key(&api_key(name));
        format!("\n[client:{name}]\napi_key_hash={hash}\nnamespace=*\nscopes=read,write,delete\n")
    };
    ["greedy", "modest"].iter().map(client).collect()
}

/// Logs in as one of the [`clients`].
async fn log_in(service: &Service, client: &str) -> Caller {
    Caller::log_in(service, &api_key(client), None).await
}

fn api_key(client: &str) -> String {
    format!("the-api-key-of-the-client-{client}-0123456789")
}
