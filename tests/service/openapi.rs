//! The OpenAPI document and the documentation page.
//!
//! The description as a whole is a snapshot: where it changes on purpose, accept it with
//! `INSTA_UPDATE=always cargo test --test service openapi::` and look at the difference. With `CI=true` a difference
//! always fails.

use crate::harness::{Answer, Caller, shared};
use serde_json::{Value, json};

#[tokio::test]
async fn every_described_path_answers() {
    let service = shared();
    let http = Caller::http().build().expect("a client");
    let answer = Answer::of(http.get(service.url("/openapi.json"))).await;
    assert_eq!(answer.status.as_u16(), 200);
    let document: Value = serde_json::from_str(&answer.text).expect("JSON");
    let paths = document["paths"].as_object().expect("paths");
    let mut names: Vec<&String> = paths.keys().collect();
    names.sort();
    assert_eq!(names, ["/cache", "/healthz", "/login", "/readyz", "/version"]);
    let start = |path| answer.text.find(path).expect("a path");
    assert!(start("\"/login\":{") < start("\"/cache\":{"), "the login does not come first");
    for (path, methods) in paths {
        for method in methods.as_object().expect("methods").keys() {
            let method = method.to_uppercase().parse().expect("a method");
            let answer = Answer::of(http.request(method, service.url(path))).await;
            assert!(![404, 405].contains(&answer.status.as_u16()), "{path}: {answer:?}");
            // Every path but the probes and the login is closed to strangers.
            assert_eq!(path == "/cache" || path == "/login", answer.status.as_u16() == 401, "{path}: {answer:?}");
        }
    }
}

/// Returns the examples of a part of the description, ordered by name.
fn examples(document: &Value, pointer: &str) -> Vec<(String, Value)> {
    let content = document.pointer(pointer).unwrap_or_else(|| panic!("{pointer} is missing"));
    let examples = content["examples"].as_object().unwrap_or_else(|| panic!("{pointer} has no examples"));
    examples.iter().map(|(name, example)| (name.clone(), example["value"].clone())).collect()
}

#[tokio::test]
async fn every_example_of_a_command_succeeds_and_the_first_one_is_short() {
    let document = serde_json::to_value(cachefront::api::openapi_document()).expect("JSON");
    let (caller, group) = (shared().caller().await, "/paths/~1cache/post/requestBody/content/application~1json");
    let commands = examples(&document, group);
    assert_eq!(commands[0].1, json!({"command": "READ", "key": "user:42"}));
    for (name, command) in commands {
        let reply = caller.run(command).await;
        for reply in reply.as_array().unwrap_or(&vec![reply.clone()]) {
            assert!(["SUCCESS", "NOT_FOUND"].contains(&reply["status"].as_str().expect("a status")), "{name}: {reply}");
        }
    }
}

#[test]
fn null_is_valid_in_one_alternative_only() {
    let document = serde_json::to_value(cachefront::api::openapi_document()).expect("JSON");
    for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
        for (field, property) in schema["properties"].as_object().into_iter().flatten() {
            // `value` is any JSON.
            let any = property["type"].is_null() && property["$ref"].is_null() && property["oneOf"].is_null();
            assert_eq!(any, field == "value", "{name}.{field}: {property}");
            let alternatives = property["oneOf"].as_array().into_iter().flatten();
            let untyped = alternatives.filter(|one| one["$ref"].is_null() && one["type"].is_null()).count();
            assert_eq!(untyped, 0, "{name}.{field}: {property}");
        }
    }
}

#[tokio::test]
async fn the_openapi_document_matches_its_snapshot() {
    let http = Caller::http().build().expect("a client");
    let answer = Answer::of(http.get(shared().url("/openapi.json"))).await;
    let document: Value = serde_json::from_str(&answer.text).expect("JSON");
    let text = serde_json::to_string_pretty(&document).expect("a text");
    insta::assert_snapshot!("description", text.replace(env!("CARGO_PKG_VERSION"), "[version]"));
}

#[tokio::test]
async fn the_documentation_page_loads_nothing_from_elsewhere() {
    let service = shared();
    let http = Caller::http().build().expect("a client");
    let page = Answer::of(http.get(service.url("/docs/"))).await;
    assert_eq!(page.status.as_u16(), 200, "{page:?}");
    assert!(page.text.contains("swagger-ui"), "{}", page.text);
    assert!(!page.text.contains("https://"), "the page loads from elsewhere: {}", page.text);
    assert_eq!(Answer::of(http.get(service.url("/docs"))).await.status.as_u16(), 200);
    assert_eq!(Answer::of(http.get(service.url("/docs/swagger-ui-bundle.js"))).await.status.as_u16(), 200);
}
