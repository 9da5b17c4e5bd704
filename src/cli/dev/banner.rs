//! The welcome text of a development session.

use super::{local_redis::RedisGroup, session::DevSession};
use std::{env, fmt::Write, path::Path};

/// Returns the welcome, with lines that work when they are pasted into a shell.
pub fn text(session: &DevSession, redis: &RedisGroup) -> String {
    let DevSession { api_key, port, admin_port, .. } = session;
    let (certificate, config) = (quoted(&session.certificate), session.config.display());
    let version = env!("CARGO_PKG_VERSION");
    let program = env::current_exe().map_or_else(|_| "cachefront".to_owned(), |path| quoted(&path));
    let mut text = format!(
        "\nCachefront {version} is ready at https://localhost:{port} (try /docs; probes at http://127.0.0.1:{admin_port}/readyz)\n\n  Console   http://127.0.0.1:{admin_port}/console\n"
    );
    for (name, master, replicas) in redis.shards() {
        let replicas: Vec<String> = replicas.iter().map(ToString::to_string).collect();
        let replicas = if replicas.is_empty() { "none".to_owned() } else { replicas.join(", ") };
        let _ = writeln!(text, "  Redis     shard {name}: master {master}, replicas {replicas}");
    }
    let _ = write!(
        text,
        "  API key   {api_key}
  Settings  {config}

Paste into another terminal:

  export CACHEFRONT_URL=https://localhost:{port} CACHEFRONT_CA={certificate} \\
    CACHEFRONT_API_KEY={api_key}
  {program} write greeting hello --expire 3600
  {program} read greeting
  {program} delete greeting

The same with curl. Log in; the token is valid for 15 minutes:

  AT=$(curl -s --cacert {certificate} https://localhost:{port}/login \\
    -H 'Content-Type: application/json' \\
    -d '{{\"api_key\":\"{api_key}\"}}' | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')

Write, read, delete:

",
    );
    for body in [
        r#"{"command":"WRITE","key":"greeting","value":"hello","expire":3600}"#,
        r#"{"command":"READ","key":"greeting"}"#,
        r#"{"command":"DELETE","key":"greeting"}"#,
    ] {
        let _ = write!(
            text,
            "  curl --cacert {certificate} https://localhost:{port}/cache \\\n    -H \"Authorization: Bearer $AT\" -H 'Content-Type: application/json' \\\n    -d '{body}'\n\n"
        );
    }
    text.push_str("Ctrl-C stops everything and removes this Redis with its data.\n");
    text
}

/// Returns a path in the form that a shell takes for one word.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+@".contains(&byte));
    if plain { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
