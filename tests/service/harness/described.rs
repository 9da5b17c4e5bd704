//! The check that the OpenAPI description has every answer that the service gives.

use super::Answer;
use serde_json::Value;
use std::sync::LazyLock;

static PATHS: LazyLock<Value> = LazyLock::new(|| {
    let mut document = serde_json::to_value(cachefront::api::openapi_document()).expect("JSON");
    document["paths"].take()
});

/// Asserts that the description has the status of the answer to a request for this path of the HTTPS port, and the code of its
/// error as an example.
pub fn assert_described(path: &str, answer: &Answer) {
    let status = answer.status.as_u16();
    // A method that the path does not take has no description. Other programs have other media types.
    if PATHS[path].is_null() || status == 405 || answer.header("content-type") != "application/json" {
        return;
    }
    let operations = PATHS[path].as_object().expect("operations");
    let (_, operation) = operations.iter().next().expect("an operation");
    let response = &operation["responses"][status.to_string()];
    assert!(!response.is_null(), "{path} is not described with {status}: {answer:?}");
    if status == 200 {
        return;
    }
    if let Some(code) = answer.json()["code"].as_str() {
        let example = &response["content"]["application/json"]["examples"][code];
        assert!(!example.is_null(), "{path} is not described with {status} and {code}: {answer:?}");
    }
}
