//! Snapshots of errors: status, headers and body of each.
//!
//! Accept an intended change with `INSTA_UPDATE=always cargo test --test service error_bodies::` and
//! look at the difference. With `CI=true` a difference always fails.

use crate::{
    bad_input::malformed_bodies,
    harness::{Answer, Caller, NO_REDIS, Service, redis, redis_section, shared},
};
use cachefront::settings::hash_api_key;
use serde_json::json;
use std::fmt::Write;

/// The headers that belong to an error. Others, such as the id of the request, differ each time.
const HEADERS: [&str; 5] = ["content-type", "allow", "cache-control", "retry-after", "www-authenticate"];

/// Answers, each below the request that it is for.
#[derive(Default)]
struct Answers(String);

impl Answers {
    fn add(&mut self, request: &str, answer: &Answer) {
        let start: String = request.chars().take(100).collect::<String>().replace('\n', "\\n");
        let rest = if start.len() < request.len() { " …" } else { "" };
        let _ = writeln!(self.0, "# {start}{rest}\nHTTP {}", answer.status.as_u16());
        for name in HEADERS {
            if !answer.header(name).is_empty() {
                let _ = writeln!(self.0, "{name}: {}", answer.header(name));
            }
        }
        let _ = writeln!(self.0, "{}\n", answer.text.trim_end());
    }
}

#[tokio::test]
async fn malformed_bodies_have_the_accepted_errors() {
    let (caller, mut answers) = (shared().caller().await, Answers::default());
    for (body, ..) in malformed_bodies() {
        answers.add(if body.is_empty() { "an empty body" } else { &body }, &caller.send(body.clone()).await);
    }
    let bytes = &b"{\"command\":\"READ\",\"key\":\"\xff\"}"[..];
    answers.add("a body that is not UTF-8", &caller.send(bytes).await);
    let batch = vec![json!({"command": "READ", "key": "k"}); 1001];
    answers.add("a batch of 1,001 commands", &caller.send(json!(batch).to_string()).await);
    insta::assert_snapshot!("malformed_bodies", answers.0);
}

#[tokio::test]
async fn refused_requests_have_the_accepted_errors() {
    let (service, mut answers) = (shared(), Answers::default());
    let (caller, http) = (service.caller().await, Caller::http().build().expect("a client"));
    answers.add("GET /nowhere", &Answer::of(http.get(service.url("/nowhere"))).await);
    let admin = format!("http://{}/docs", service.admin);
    answers.add("GET /docs on the admin port", &Answer::of(http.get(admin)).await);
    answers.add("GET /cache", &Answer::of(http.get(service.url("/cache"))).await);
    answers.add("POST /version", &Answer::of(http.post(service.url("/version"))).await);
    let request = || http.post(&caller.url).body(r#"{"command":"READ","key":"k"}"#);
    answers.add("no token", &Answer::of(request()).await);
    answers.add("an invalid token", &Answer::of(request().bearer_auth("none")).await);
    let request = || request().bearer_auth(&caller.token);
    answers.add("another media type", &Answer::of(request().header("content-type", "text/plain")).await);
    answers.add("an invalid sync token", &Answer::of(request().header("cache-sync-token", "none")).await);
    answers.add("a body of 100 MB", &caller.send(vec![b' '; 100_000_000]).await);
    insta::assert_snapshot!("refused_requests", answers.0);
}

#[tokio::test]
async fn refused_logins_have_the_accepted_errors() {
    let (http, mut answers) = (Caller::http().build().expect("a client"), Answers::default());
    let request = || http.post(shared().url("/login"));
    for (content_type, body) in [
        ("application/json", r#"{"api_key":"wrong"}"#),
        ("application/json", "{}"),
        ("application/json", r#"{"api_key":"#),
        ("application/json", "[1]"),
        ("application/json", r#"{"api_key":5}"#),
        ("application/x-www-form-urlencoded", "grant_type=client_credentials&client_id=me&client_secret=wrong"),
        ("application/x-www-form-urlencoded", "grant_type=password&client_secret=wrong"),
        ("text/plain", "{}"),
    ] {
        let answer = Answer::of(request().header("content-type", content_type).body(body)).await;
        answers.add(&format!("{content_type}: {body}"), &answer);
    }
    answers.add("Basic !!!", &Answer::of(request().header("authorization", "Basic !!!")).await);
    insta::assert_snapshot!("refused_logins", answers.0);
}

#[tokio::test]
async fn commands_that_a_client_may_not_send_have_the_accepted_errors() {
    let group = redis(1, 0);
    let (reader, slow) = ("the-key-of-the-reader", "the-key-of-the-slow-one");
    let clients = format!(
        "[client:reader]\napi_key_hash={}\nnamespace=*\nscopes=read\n\
         [client:slow]\napi_key_hash={}\nnamespace=*\nscopes=read,write,delete\ncommands_per_second=1\n",
        hash_api_key(reader),
        hash_api_key(slow)
    );
    let service = Service::start_with("VALUE_BYTES_MAX=10", &(clients + &redis_section(&group)));
    let write = json!({"command": "WRITE", "key": "k", "value": "12345678901"}).to_string();
    let (reader, slow) = (Caller::log_in(&service, reader, None).await, Caller::log_in(&service, slow, None).await);
    let mut answers = Answers::default();
    answers.add("a WRITE without the scope", &reader.send(write.clone()).await);
    answers.add("a value over its limit", &service.caller().await.send(write).await);
    let batch = vec![json!({"command": "READ", "key": "k"}); 10];
    slow.send(json!(batch).to_string()).await;
    answers.add("too many commands", &slow.send(batch[0].to_string()).await);
    insta::assert_snapshot!("commands_not_allowed", answers.0);
}

#[tokio::test]
async fn failures_of_redis_have_the_accepted_errors() {
    let group = redis(1, 0);
    let (section, mut answers) = (redis_section(&group), Answers::default());
    let key = "1111111111111111111111111111111122222222222222222222222222222222";
    let sealing = Service::plain_with(&format!("ENCRYPTION_KEY={key}"), &section);
    let sealed = json!({"command": "WRITE", "key": "sealed", "value": "v", "encrypt": true});
    assert_eq!(sealing.caller().await.run(sealed).await["status"], "SUCCESS");
    assert_eq!(group.master(0).ask("RPUSH list a").expect("an answer"), ":1");

    let service = Service::plain(&section);
    let caller = service.caller().await;
    for key in ["sealed", "list"] {
        let read = json!({"command": "READ", "key": key}).to_string();
        answers.add(&read, &caller.send(read.clone()).await);
    }
    let write = json!({"command": "WRITE", "key": "k", "value": "v"}).to_string();
    for setting in ["CONFIG SET maxmemory-policy noeviction", "CONFIG SET maxmemory 1"] {
        assert_eq!(group.master(0).ask(setting).expect("an answer"), "+OK");
    }
    answers.add("a WRITE where Redis has no memory", &caller.send(write.clone()).await);
    let alone = Service::start(NO_REDIS);
    let caller = alone.caller().await;
    for command in ["READ", "DELETE"] {
        let command = json!({"command": command, "key": "k"}).to_string();
        answers.add(&format!("{command} where no node is reachable"), &caller.send(command.clone()).await);
    }
    answers.add("a WRITE where no node is reachable", &caller.send(write.clone()).await);
    answers.add("a batch where no node is reachable", &caller.send(format!("[{write}]")).await);
    insta::assert_snapshot!("failures_of_redis", answers.0);
}
