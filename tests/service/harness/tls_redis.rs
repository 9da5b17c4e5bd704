//! A Redis that speaks TLS.

use super::{authority, start};
use crate::local_redis::{Layout, RedisGroup};
use std::path::Path;

/// Starts a Redis that requires TLS and a client certificate on one port. It answers the harness on its plain port, too. Its
/// files are in the folder: `ca.pem` has the authority that both sides trust.
pub fn tls_redis(folder: &Path, port: u16) -> RedisGroup {
    let files = authority().issue(folder, "redis");
    let ca = folder.join("ca.pem");
    std::fs::write(&ca, authority().pem()).expect("the authority is written");
    let paths = [("cert", &files.certificate), ("key", &files.key), ("ca-cert", &ca)];
    let mut arguments = vec!["--tls-port".to_owned(), port.to_string()];
    for (name, path) in paths {
        arguments.extend([format!("--tls-{name}-file"), path.display().to_string()]);
    }
    start(&Layout { replicas: 0, arguments, ..Layout::default() })
}
