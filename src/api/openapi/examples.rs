//! The examples of the description: requests, and the responses of those that succeed.

use crate::api::{cache, login};
use serde_json::{Value, json};
use utoipa::{
    Modify,
    openapi::{Content, OpenApi, RefOr, example::ExampleBuilder},
};

/// The media type of an OAuth2 login.
const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// A name and a value. `/docs` shows the first one before all others, and they are ordered by name.
type Named = (&'static str, Value);

/// Adds the examples of requests and of their responses.
pub struct Examples;

impl Modify for Examples {
    fn modify(&self, document: &mut OpenApi) {
        add_to_request(document, login::PATH, JSON, &login_requests());
        add_to_request(document, login::PATH, FORM, &login_forms());
        add_to_response(document, login::PATH, &[("token", token())]);
        add_to_request(document, cache::PATH, JSON, &commands());
        add_to_response(document, cache::PATH, &replies());
    }
}

fn login_requests() -> Vec<Named> {
    vec![
        ("1_api_key", json!({"api_key": "the-key-that-make-run-prints"})),
        ("2_with_client_id", json!({"client_id": "my-service", "api_key": "the-key-of-my-service"})),
    ]
}

fn login_forms() -> Vec<Named> {
    let credentials = json!({
        "grant_type": "client_credentials", "client_id": "my-service", "client_secret": "the-key-of-my-service",
    });
    vec![("1_client_credentials", credentials), ("2_with_http_basic", json!({"grant_type": "client_credentials"}))]
}

fn token() -> Value {
    let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJteS1zZXJ2aWNlIn0.c2lnbmF0dXJl";
    json!({"access_token": token, "token_type": "Bearer", "expires_in": 900})
}

fn commands() -> Vec<Named> {
    let read = json!({"command": "READ", "key": "user:42"});
    let write = json!({"command": "WRITE", "key": "user:42", "value": {"name": "Ada"}});
    vec![
        ("1_read", read.clone()),
        ("2_write", write.clone()),
        ("3_write_that_expires", json!({"command": "WRITE", "key": "session:7", "value": "open", "expire": 3600})),
        ("4_write_to_replicas", json!({"command": "WRITE", "key": "user:42", "value": 1, "replicas": 1})),
        ("5_delete", json!({"command": "DELETE", "key": "user:42"})),
        ("6_read_from_the_master", json!({"command": "READ", "key": "user:42", "consistency": "master"})),
        ("7_write_once", json!({"command": "WRITE", "key": "lock:7", "value": "me", "expire": 30, "if_absent": true})),
        ("8_read_and_prolong", json!({"command": "READ", "key": "session:7", "touch": 3600})),
        ("9_touch", json!({"command": "TOUCH", "key": "session:7", "expire": 3600})),
        ("a_ttl", json!({"command": "TTL", "key": "session:7"})),
        ("b_exists", json!({"command": "EXISTS", "key": "session:7"})),
        ("c_increment", json!({"command": "INCREMENT", "key": "views:42", "by": 1, "expire": 86400})),
        ("d_rate_limit", json!({"command": "RATE_LIMIT", "key": "api:ada", "limit": 30, "per": 60})),
        ("e_batch", json!([read, write])),
    ]
}

fn replies() -> Vec<Named> {
    let read = json!({"command": "READ", "status": "SUCCESS", "value": {"name": "Ada"}});
    let failed = json!({
        "command": "WRITE", "status": "ERROR", "code": "shard_unavailable",
        "message": "The shard of this key is unavailable; nothing was changed", "retry_after_ms": 1000,
    });
    vec![
        ("1_read", read.clone()),
        ("2_not_found", json!({"command": "READ", "status": "NOT_FOUND", "message": "user:42 Key not found"})),
        ("3_bytes", json!({"command": "READ", "status": "SUCCESS", "encoding": "base64", "value": "AAEC/w=="})),
        ("4_written", json!({"command": "WRITE", "status": "SUCCESS", "value": {"name": "Ada"}})),
        ("5_on_replicas", json!({"command": "WRITE", "status": "SUCCESS", "value": 1, "replicas": 1})),
        ("6_on_too_few_replicas", json!({"command": "WRITE", "status": "UNCONFIRMED", "value": 1, "replicas": 0})),
        ("7_deleted", json!({"command": "DELETE", "status": "SUCCESS", "message": "user:42 Key deleted"})),
        ("8_not_written", json!({"command": "WRITE", "status": "CONFLICT", "message": "lock:7 Key exists"})),
        ("9_lifetime", json!({"command": "TTL", "status": "SUCCESS", "ttl": 3599})),
        ("a_incremented", json!({"command": "INCREMENT", "status": "SUCCESS", "value": 12, "ttl": 86399})),
        ("b_at_its_limit", json!({"command": "INCREMENT", "status": "LIMITED", "value": 100, "ttl": 86399})),
        (
            "c_rate_limit",
            json!({
                "command": "RATE_LIMIT", "status": "SUCCESS", "allowed": true, "remaining": 29, "retry_after_ms": 0, "reset_ms": 2000,
            }),
        ),
        ("d_batch", json!([read, failed])),
    ]
}

fn add_to_request(document: &mut OpenApi, path: &str, media_type: &str, examples: &[Named]) {
    let post = document.paths.paths.get_mut(path).and_then(|item| item.post.as_mut());
    let Some(RefOr::T(body)) = post.and_then(|post| post.request_body.as_mut()) else { return };
    if let Some(RefOr::T(content)) = body.content.get_mut(media_type) {
        add(content, examples);
    }
}

fn add_to_response(document: &mut OpenApi, path: &str, examples: &[Named]) {
    let post = document.paths.paths.get_mut(path).and_then(|item| item.post.as_mut());
    let Some(RefOr::T(ok)) = post.and_then(|post| post.responses.responses.get_mut("200")) else { return };
    if let Some(RefOr::T(content)) = ok.content.get_mut(JSON) {
        add(content, examples);
    }
}

fn add(content: &mut Content, examples: &[Named]) {
    for (name, value) in examples {
        let example = ExampleBuilder::new().summary(summary(name)).value(Some(value.clone())).build();
        content.examples.insert((*name).to_owned(), example.into());
    }
}

/// Returns a name for people: that of an example without its number.
fn summary(name: &str) -> String {
    name.split_once('_').map_or(name, |(_, name)| name).replace('_', " ")
}
