//! Programs and rights that some tests require of the machine.
//!
//! A test that lacks one is skipped and says so; if the environment variable `CI` is `true`, it fails.

use crate::local_redis::{Layout, RedisGroup};
use std::path::Path;

/// Reports that the calling test is skipped for this reason, or fails it in CI.
#[track_caller]
pub fn skip(reason: &str) {
    let is_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(!is_ci, "{reason}: install what is missing; with CI=true no test is skipped");
    report_skipped(reason);
}

/// Returns whether the Redis server speaks TLS; if it does not, the calling test is skipped.
///
/// One case is allowed in CI, too: the Valkey server that `scripts/install_redis.sh` unpacks where it may not install
/// a package was built without TLS, and no other build of it can be had without privileges.
#[track_caller]
pub fn redis_speaks_tls() -> bool {
    // A server that was built without TLS does not know this directive.
    let arguments = vec!["--tls-port".to_owned(), "0".to_owned()];
    let speaks_tls = RedisGroup::start(&Layout { replicas: 0, arguments, ..Layout::default() }).is_ok();
    if !speaks_tls {
        let reason = "this Redis server was built without TLS";
        if is_unpacked() { report_skipped(reason) } else { skip(reason) }
    }
    speaks_tls
}

/// True if the Redis server is the one that `scripts/install_redis.sh` unpacked: it does so only where no other is
/// found.
fn is_unpacked() -> bool {
    std::env::var_os("CACHEFRONT_REDIS_SERVER").is_none() && Path::new("target/tools/redis/valkey-server").is_file()
}

/// Says that the calling test is skipped for this reason, which is no failure in CI either.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub fn report_skipped(reason: &str) {
    eprintln!("skipped: {reason}");
}
