//! The OpenAPI document and the documentation page.
//!
//! The description as a whole is a snapshot: where it changes on purpose, accept it with
//! `INSTA_UPDATE=always cargo test --test service openapi::` and look at the difference. With `CI=true` a difference
//! always fails.

use crate::harness::{Answer, Caller, shared};
use serde_json::Value;

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
