//! docs/status-codes.md, written from the list of codes.

use super::ErrorCode;
use std::{collections::BTreeSet, fmt::Write, fs, path::Path};

const HEAD: &str = r#"# Status codes

Made from the list of codes in `src/http/error_code.rs` by `make docs`; edit that.

Every error of the service is JSON of one shape; [requests that are no HTTP](#requests-that-are-no-http) do not reach it. `code` is stable and for programs. `message` is a sentence for people. `command` is
there where it is known. A batch is answered with HTTP 200, and each item has its own reply, errors included.

```json
{"command":"READ","status":"ERROR","code":"shard_unavailable","message":"The shard of this key is unavailable"}
```

| status | code | meaning | what to do |
| --- | --- | --- | --- |
| 200 | – | The command succeeded: `status` is `SUCCESS`, or `NOT_FOUND` for a key that does not exist. | |
| 200 | – | `status` is `UNCONFIRMED`: the value is on the master, and on fewer replicas than the WRITE asked for. | Read `replicas`, and decide. |
| 200 | – | `status` is `CONFLICT`: the key of a WRITE with `if_absent` exists; nothing was changed. | |
| 200 | – | `status` is `LIMITED`: the INCREMENT would have passed `min` or `max`; nothing was changed. | |
"#;
const FOOT: &str = "
An error is never reported as a miss: `NOT_FOUND` means that the shard of the key was asked and has no such key. A key
that a change of the ring moved to another shard is missing there until it is written again.

The status `UNCONFIRMED` and the code `write_unconfirmed` differ. `UNCONFIRMED` is a reply: the master has the value, too few
replicas have it. `write_unconfirmed` is an error: it is not known whether the master has the value.

## Requests that are no HTTP

The HTTP library refuses what it cannot parse: 400 for a malformed request line or header field, and 431 for a head with more
than 16 KiB or, in HTTP/1, more than 100 fields. These responses have no body, no code and no `x-request-id`, and no metric
counts them. An HTTP/1 connection is closed then. In HTTP/2, a malformed stream is reset.

## Late changes

A change that was answered `write_unconfirmed` or `deadline_passed` can still take effect until Redis has seen the
end of the connection that it was sent over. It can do so after a later change of the same key was acknowledged, and then
the key has the older value. Mostly this takes a few milliseconds. It takes seconds if the network delays what was sent, or
while the Redis process is stopped. A change that was answered with success takes effect before its answer, never later.

A program that must not see an older value again puts a version into the value and compares it on READ, or gives the value
a short `expire`. [Why such changes are not prevented](design/unconfirmed-changes.md).

A wrong API key gets the message `Invalid secret`. That is the text of the Python service, kept for its clients.
";

/// Returns the whole page.
fn page() -> String {
    let mut page = HEAD.to_owned();
    for code in ErrorCode::ALL {
        let (spec, status) = (code.spec(), code.status().as_u16());
        let _ = writeln!(page, "| {status} | `{}` | {} | {} |", spec.name, spec.meaning.trim(), spec.advice);
    }
    page + FOOT
}

/// With `CACHEFRONT_WRITE_DOCS` set, as `make docs` does, the page is written instead.
#[test]
fn the_documentation_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/status-codes.md");
    if std::env::var_os("CACHEFRONT_WRITE_DOCS").is_some() {
        fs::write(&path, page()).expect("the page is written");
    }
    let text = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, page(), "docs/status-codes.md is out of date: run `make docs`");
}

#[test]
fn every_code_has_a_name_of_its_own_and_the_codes_are_ordered_by_status() {
    let names: BTreeSet<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(names.len(), ErrorCode::ALL.len());
    for name in names {
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'), "{name}");
    }
    assert!(ErrorCode::ALL.is_sorted_by_key(|code| code.status()));
}
