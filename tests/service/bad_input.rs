//! Invalid input of all kinds, each with one clear error.

use crate::harness::{Answer, Caller, NO_REDIS, Service, shared};
use serde_json::json;

/// Returns bodies that are no valid command, each with the code of its error and a part of the message.
pub fn malformed_bodies() -> Vec<(String, &'static str, &'static str)> {
    let long_key = json!({"command": "READ", "key": "k".repeat(513)}).to_string();
    let deep = "[".repeat(100_000);
    let deep_value = format!(r#"{{"command":"READ","key":{}}}"#, "[".repeat(100_000));
    let rows = [
        ("", "invalid_json", "The body is empty"),
        (" \n", "invalid_json", "The body is empty"),
        ("{", "invalid_json", "EOF while parsing an object at line 1 column 1"),
        (r#"{"command":"READ","key":"k"#, "invalid_json", "EOF while parsing a string"),
        (r#"{"command":"READ","key":"k"} x"#, "invalid_json", "trailing characters at line 1 column 30"),
        (r#"{"command":"READ",}"#, "invalid_json", "trailing comma"),
        ("nonsense", "invalid_json", "at line 1"),
        ("5", "invalid_command", "not a number"),
        ("\"READ\"", "invalid_command", "not a string"),
        ("null", "invalid_command", "not null"),
        (&deep, "invalid_json", "EOF while parsing"),
        (&deep_value, "invalid_json", "expected value at line 1 column 100025"),
        (r#"{"command":"READ","key":"a","key":"b"}"#, "invalid_json", "duplicate field `key`"),
        (r#"{"command":"WRITE","key":"a","value":1,"value":2}"#, "invalid_json", "duplicate field `value`"),
        (r#"{"key":"k"}"#, "invalid_field", "`command` is missing"),
        (r#"{"command":null,"key":"k"}"#, "invalid_field", "`command` must be a string, not null"),
        (
            r#"{"command":"read","key":"k"}"#,
            "unknown_command",
            "READ, WRITE, DELETE, TOUCH, TTL, EXISTS, INCREMENT or RATE_LIMIT, in capitals, not \"read\"",
        ),
        (r#"{"command":"FLUSHALL"}"#, "unknown_command", "FLUSHALL"),
        (r#"{"command":"READ"}"#, "invalid_field", "`key` is missing"),
        (r#"{"command":"READ","key":5.5}"#, "invalid_field", "`key` must be a string or an integer, not 5.5"),
        (r#"{"command":"READ","key":true}"#, "invalid_field", "`key` must be a string or an integer, not a boolean"),
        (r#"{"command":"READ","key":{"a":1}}"#, "invalid_field", "not an object"),
        (r#"{"command":"READ","key":""}"#, "invalid_key", "must not be empty"),
        (r#"{"command":"READ","key":"a\nb"}"#, "invalid_key", "control character (U+000A) at byte 1"),
        (r#"{"command":"READ","key":"a\u0000"}"#, "invalid_key", "U+0000"),
        (r#"{"command":"READ","key":"\ud800"}"#, "invalid_field", "`key` is not Unicode text"),
        (&long_key, "invalid_key", "513 bytes"),
        (r#"{"command":"WRITE","key":"k"}"#, "invalid_field", "`value` is missing"),
    ];
    let rows = rows.iter().chain(MISUSED_FIELDS);
    rows.map(|(body, code, message)| ((*body).to_owned(), *code, *message)).collect()
}

/// Commands with fields that have a wrong value, or that no command has.
const MISUSED_FIELDS: &[(&str, &str, &str)] = &[
    (
        r#"{"command":"WRITE","key":"k","value":1,"expire":"60"}"#,
        "invalid_field",
        "whole number of seconds, not a string",
    ),
    (r#"{"command":"WRITE","key":"k","value":1,"expire":1.5}"#, "invalid_field", "whole number of seconds, not 1.5"),
    (r#"{"command":"WRITE","key":"k","value":1,"expire":99999999999999999999}"#, "invalid_field", "at most 3155760000"),
    (r#"{"command":"WRITE","key":"k","value":1,"expire":3155760001}"#, "invalid_field", "at most 3155760000"),
    (
        r#"{"command":"WRITE","key":"k","value":"a b","encoding":"base64"}"#,
        "invalid_field",
        "`value` is not base64, as `encoding` says: byte 1 is not one of its characters",
    ),
    (r#"{"command":"WRITE","key":"k","value":"abcde","encoding":"base64"}"#, "invalid_field", "it is not complete"),
    (
        r#"{"command":"WRITE","key":"k","value":[1],"encoding":"base64"}"#,
        "invalid_field",
        "must be a string of base64, as `encoding` says, not an array",
    ),
    (
        r#"{"command":"WRITE","key":"k","value":"a","encoding":"gzip"}"#,
        "invalid_field",
        "`encoding` can only be \"base64\"",
    ),
    (
        r#"{"command":"WRITE","key":"k","value":1,"ttl":60}"#,
        "unknown_field",
        "`ttl` is not a field of a command; did you mean `expire`?",
    ),
    (r#"{"command":"WRITE","key":"k","value":1,"encrypted":true}"#, "unknown_field", "did you mean `encrypt`?"),
    (r#"{"command":"WRITE","key":"k","value":1,"nx":true}"#, "unknown_field", "did you mean `if_absent`?"),
    (r#"{"command":"READ","Key":"k"}"#, "unknown_field", "did you mean `key`?"),
    (r#"{"cmd":"READ","key":"k"}"#, "unknown_field", "did you mean `command`?"),
    (r#"{"command":"WRITE","key":"k","value":1,"encrypt":"yes"}"#, "invalid_field", "`encrypt` must be true or false"),
    (r#"{"command":"WRITE","key":"k","value":1,"encrypt":true}"#, "encryption_not_configured", "ENCRYPTION_KEY"),
];

#[tokio::test]
async fn errors_of_malformed_bodies_say_what_is_wrong_and_where() {
    let caller = shared().caller().await;
    for (body, code, message) in malformed_bodies() {
        let answer = caller.send(body.clone()).await;
        let start: String = body.chars().take(80).collect();
        answer.expect_error(400, code);
        let body = answer.json();
        let given = body["message"].as_str().expect("a message");
        assert!(given.contains(message), "{start}: {given:?} lacks {message:?}");
        assert!(given.len() < 300, "{start}: {given:?} is long");
    }
}

#[tokio::test]
async fn a_body_that_is_not_utf8_is_400() {
    let caller = shared().caller().await;
    let answer = caller.send(&b"{\"command\":\"READ\",\"key\":\"\xff\"}"[..]).await;
    assert!(answer.expect_error(400, "invalid_utf8").text.contains("byte 25"), "{answer:?}");
}

#[tokio::test]
async fn a_body_of_100_megabytes_is_413_with_and_without_content_length() {
    let caller = shared().caller().await;
    let megabyte = vec![b' '; 1024 * 1024];
    let announced = caller.send(megabyte.repeat(100)).await;
    announced.expect_error(413, "body_too_large");
    let chunks = futures_util::stream::iter((0..100).map(move |_| Ok::<_, std::io::Error>(megabyte.clone())));
    let streamed = caller.send(reqwest::Body::wrap_stream(chunks)).await;
    streamed.expect_error(413, "body_too_large");
    assert_eq!(caller.read("bad-input:after").await, None);
}

#[tokio::test]
async fn a_value_over_its_limit_is_413() {
    let service = Service::start_with("VALUE_BYTES_MAX=10", NO_REDIS);
    let caller = service.caller().await;
    let answer = caller.send(json!({"command": "WRITE", "key": "k", "value": "12345678901"}).to_string()).await;
    assert!(answer.expect_error(413, "value_too_large").text.contains("11 bytes; at most 10"), "{answer:?}");
}

#[tokio::test]
async fn other_media_types_are_415_and_a_missing_one_means_json() {
    let service = shared();
    let token = service.caller().await.token;
    let send = |content_type: Option<&'static str>| {
        let http = Caller::http().build().expect("a client");
        let request = http.post(service.url("/cache")).bearer_auth(&token).body(r#"{"command":"READ","key":"k"}"#);
        Answer::of(match content_type {
            Some(text) => request.header("content-type", text),
            None => request,
        })
    };
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "x"] {
        send(Some(content_type)).await.expect_error(415, "unsupported_media_type");
    }
    for content_type in
        [None, Some("application/json; charset=utf-8"), Some("Application/JSON"), Some("application/vnd.api+json")]
    {
        assert_eq!(send(content_type).await.status.as_u16(), 200, "{content_type:?}");
    }
}

#[tokio::test]
async fn a_near_miss_fails_its_own_item_of_a_batch() {
    let caller = shared().caller().await;
    let read = json!({"command": "READ", "key": "bad-input:missing"});
    let replies = caller.run(json!([{"command": "READ", "keys": "k"}, read])).await;
    assert_eq!((&replies[0]["code"], &replies[1]["status"]), (&json!("unknown_field"), &json!("NOT_FOUND")));
    assert_eq!(replies[0]["command"], "READ");
}

#[tokio::test]
async fn a_compressed_body_is_415_and_says_that_it_must_not_be() {
    let service = shared();
    let token = service.caller().await.token;
    let send = |path: &str, coding: &'static str| {
        let http = Caller::http().build().expect("a client");
        let request = http.post(service.url(path)).bearer_auth(&token).header("content-type", "application/json");
        Answer::of(request.header("content-encoding", coding).body(r#"{"command":"READ","key":"k"}"#))
    };
    for (path, coding) in [("/cache", "gzip"), ("/cache", "identity, br"), ("/login", "deflate")] {
        let answer = send(path, coding).await;
        assert_eq!(answer.expect_error(415, "unsupported_content_encoding").header("accept-encoding"), "identity");
    }
    assert_eq!(send("/cache", "Identity").await.status.as_u16(), 200);
}

#[tokio::test]
async fn unknown_paths_are_404_and_unsupported_methods_are_405() {
    let service = shared();
    let http = Caller::http().build().expect("a client");
    for path in ["/", "/cache/", "/admin", "/%00", "/cache/../etc/passwd?x=1"] {
        Answer::of(http.get(service.url(path))).await.expect_error(404, "unknown_path");
    }
    for (method, path, allow) in [
        ("GET", "/cache", "POST"),
        ("PUT", "/login", "POST"),
        ("POST", "/version", "GET, HEAD"),
        ("DELETE", "/readyz", "GET, HEAD"),
    ] {
        let method = method.parse().expect("a method");
        let answer = Answer::of(http.request(method, service.url(path))).await;
        answer.expect_error(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), allow);
    }
}

/// A generator without dependencies: the same cases in every run (`SplitMix64`).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from(mixed ^ (mixed >> 31)).expect("64 bits") % limit
    }

    fn mutated(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            match self.below(5) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, u8::try_from(self.below(256)).expect("a byte")),
                2 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                3 => {
                    const PIECES: [&[u8]; 10] =
                        [b"{", b"}", b"[", b"]", b"\"", b"\\u", b",", b"null", b"\xff", b"99999999999999999999"];
                    let piece = PIECES[self.below(PIECES.len())];
                    bytes.splice(at..at, piece.iter().copied());
                }
                _ => {
                    let part = bytes[at.min(bytes.len() / 2)..].to_vec();
                    bytes.extend(part);
                }
            }
        }
        bytes
    }
}

#[tokio::test]
async fn thousands_of_generated_bodies_do_not_break_the_service() {
    let seeds: [&[u8]; 7] = [
        br#"{"command":"READ","key":"fuzz:a"}"#,
        br#"{"command":"WRITE","key":"fuzz:a","value":{"a":[1,2.5e3,"\u00e9"]},"expire":60,"encrypt":false}"#,
        br#"{"command":"DELETE","key":"fuzz:a"}"#,
        br#"[{"command":"WRITE","key":"fuzz:b","value":"v"},{"command":"READ","key":"fuzz:b"},5]"#,
        br#"{"command":"WRITE","key":"fuzz:\ud83d\ude00","value":null}"#,
        br#"{"command":"WRITE","key":-5,"value":"/wD+AA==","encoding":"base64","expire":3.6e3}"#,
        br#"{"trace":{"a":[1]},"command":"READ","key":"fuzz:a","tlt":1}"#,
    ];
    let (_redis, service) = Service::with_own_redis();
    let caller = service.caller().await;
    let mut random = Random(2026);
    for round in 0..3_000 {
        let body = random.mutated(seeds[round % seeds.len()]);
        let answer = caller.send(body.clone()).await;
        let status = answer.status.as_u16();
        assert!(status == 200 || status == 400, "{:?} gave {answer:?}", String::from_utf8_lossy(&body));
        answer.json();
    }
    caller.write("bad-input:good", &json!("still here")).await;
    caller.until_read("bad-input:good", Some(&json!("still here"))).await;
}
