//! What a person needs to paste.

use super::{local_redis::RedisGroup, session::DevSession};
use std::{fmt::Write, path::Path};

/// The welcome, with lines that work when they are pasted into a shell.
pub fn text(session: &DevSession, redis: &RedisGroup) -> String {
    let DevSession { api_key, port, admin_port, .. } = session;
    let (certificate, config) = (quoted(&session.certificate), session.config.display());
    let version = env!("CARGO_PKG_VERSION");
    let mut text = format!(
        "\nCachefront {version} is ready at https://localhost:{port} (try /docs; probes at http://127.0.0.1:{admin_port}/readyz)\n\n  Console   http://127.0.0.1:{admin_port}/console\n"
    );
    for (name, master, replicas) in redis.shards() {
        let replicas: Vec<String> = replicas.iter().map(ToString::to_string).collect();
        let replicas = if replicas.is_empty() { "none".to_owned() } else { replicas.join(", ") };
        let _ = writeln!(text, "  Redis     shard {name}: master {master}, replicas {replicas}");
    }
    let cache = |body: &str| {
        format!(
            "  curl --cacert {certificate} https://localhost:{port}/cache \\\n    -H \"Authorization: Bearer $AT\" -H 'Content-Type: application/json' \\\n    -d '{body}'\n"
        )
    };
    let _ = write!(
        text,
        "  API key   {api_key}
  Settings  {config}

Paste into another terminal. Log in; the token is good for 15 minutes:

  AT=$(curl -s --cacert {certificate} https://localhost:{port}/login \\
    -H 'Content-Type: application/json' \\
    -d '{{\"api_key\":\"{api_key}\"}}' | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')

Write, read, delete:

{}
{}
{}
Ctrl-C stops everything; this Redis and what it holds go with it.
",
        cache(r#"{"command":"WRITE","key":"greeting","value":"hello","expire":3600}"#),
        cache(r#"{"command":"READ","key":"greeting"}"#),
        cache(r#"{"command":"DELETE","key":"greeting"}"#),
    );
    text
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+@".contains(&byte));
    if plain { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
