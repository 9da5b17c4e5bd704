//! The headers of responses that protect callers and the page of the documentation.

use crate::harness::{API_KEY, Answer, Caller, NO_REDIS, Service, shared};
use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;

#[tokio::test]
async fn no_reply_with_a_value_may_be_stored_by_a_cache() {
    let (_redis, service) = Service::with_own_redis();
    let caller = service.caller().await;
    caller.write("headers:k", &json!("v")).await;
    caller.until_read("headers:k", Some(&json!("v"))).await;
    let read = json!({"command": "READ", "key": "headers:k"});
    for body in [read.to_string(), json!([read]).to_string()] {
        let answer = caller.send(body).await;
        assert!(answer.text.contains("\"v\""), "{answer:?}");
        assert_eq!(answer.header("cache-control"), "no-store", "{answer:?}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{answer:?}");
    }
    let large = "x".repeat(300_000);
    caller.write("headers:large", &json!(large)).await;
    let answer = caller.send(json!({"command": "READ", "key": "headers:large"}).to_string()).await;
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn https_is_asked_for_on_the_https_port_only_and_only_where_it_is_not_turned_off() {
    let http = Caller::http().build().expect("a client");
    let hsts = async |url: String| Answer::of(http.get(url)).await.header("strict-transport-security").to_owned();
    for path in ["/version", "/docs/", "/openapi.json", "/nowhere"] {
        assert_eq!(hsts(shared().url(path)).await, "max-age=31536000", "{path}");
    }
    assert_eq!(hsts(format!("http://{}/console", shared().admin)).await, "");
    let service = Service::start_with("HSTS=false", NO_REDIS);
    assert_eq!(hsts(service.url("/version")).await, "");
}

/// The requests to the HTTPS port, with the statuses of their responses. A new path needs a line.
const HTTPS_PORT: [(&str, &str, u16); 17] = [
    ("POST", "/login", 200),
    ("POST", "/login?wrong", 401),
    ("POST", "/cache", 200),
    ("POST", "/cache?batch", 200),
    ("POST", "/cache?anonymous", 401),
    ("GET", "/cache", 405),
    ("GET", "/login", 405),
    ("GET", "/version", 200),
    ("HEAD", "/version", 200),
    ("GET", "/healthz", 200),
    ("GET", "/readyz", 200),
    ("GET", "/docs", 303),
    ("GET", "/docs/", 200),
    ("GET", "/docs/swagger-ui-bundle.js", 200),
    ("GET", "/docs/nothing", 404),
    ("GET", "/openapi.json", 200),
    ("GET", "/nowhere", 404),
];

/// The requests to the admin port.
const ADMIN_PORT: [(&str, &str, u16); 14] = [
    ("GET", "/", 307),
    ("GET", "/console", 200),
    ("GET", "/console/", 308),
    ("GET", "/console/view", 200),
    ("GET", "/console/facts", 200),
    ("GET", "/console/runbook", 200),
    ("GET", "/console/console.css", 200),
    ("GET", "/console/console.js", 200),
    ("GET", "/metrics", 200),
    ("GET", "/version", 200),
    ("GET", "/healthz", 200),
    ("GET", "/readyz", 200),
    ("POST", "/console", 405),
    ("GET", "/nowhere", 404),
];

#[tokio::test]
async fn every_response_has_a_request_id_and_may_be_neither_stored_nor_taken_for_another_type() {
    let (_redis, service) = Service::with_own_redis();
    let token = service.caller().await.token;
    let http = Caller::http().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    let (https, admin) = (service.url(""), format!("http://{}", service.admin));
    let plain = https.replace("https://", "http://");
    let ports = [(&https, &HTTPS_PORT[..]), (&admin, &ADMIN_PORT[..]), (&plain, &[("GET", "/version", 400)][..])];
    for (port, requests) in ports {
        for (method, path, status) in requests {
            let url = format!("{port}{path}");
            let mut request = http.request(method.parse().expect("a method"), &url);
            let read = json!({"command": "READ", "key": "k"});
            request = match *path {
                _ if *method != "POST" => request,
                "/login" => request.json(&json!({"api_key": API_KEY})),
                "/cache" => request.bearer_auth(&token).json(&read),
                "/cache?batch" => request.bearer_auth(&token).json(&json!([read])),
                _ => request.json(&json!({"api_key": "wrong"})),
            };
            let answer = Answer::of(request).await;
            assert_eq!(answer.status.as_u16(), *status, "{method} {url}: {answer:?}");
            for (header, value) in [("cache-control", "no-store"), ("x-content-type-options", "nosniff")] {
                assert_eq!(answer.header(header), value, "{header} of {method} {url}");
            }
            assert!(!answer.header("x-request-id").is_empty(), "{method} {url}: {answer:?}");
            let hsts = if *port == https { "max-age=31536000" } else { "" };
            assert_eq!(answer.header("strict-transport-security"), hsts, "{method} {url}");
            if *status >= 400 {
                answer.expect_error(*status, answer.json()["code"].as_str().expect("a code"));
            }
        }
    }
}

#[tokio::test]
async fn the_documentation_page_may_load_only_what_its_port_serves_and_is_not_framed() {
    let http = Caller::http().build().expect("a client");
    let page = Answer::of(http.get(shared().url("/docs/"))).await;
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none';") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    for inline in ["<style", "style=", "onclick", "javascript:"] {
        assert!(!page.text.contains(inline), "the policy forbids {inline} in the page");
    }
    let bundle = Answer::of(http.get(shared().url("/docs/swagger-ui-standalone-preset.js"))).await.text;
    let styles: Vec<&str> =
        bundle.split("\"style\",null,\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(!styles.is_empty(), "the script makes a style");
    for style in styles {
        let hash = STANDARD.encode(digest(&SHA256, style.as_bytes()));
        assert!(policy.contains(&format!("'sha256-{hash}'")), "the policy forbids {style}: {hash}");
    }
    assert!(page.text.split("<script").skip(1).all(|script| script.contains("src=")), "{}", page.text);
}

#[tokio::test]
async fn the_documentation_can_be_turned_off() {
    let service = Service::start_with("DOCS=false", NO_REDIS);
    let http = Caller::http().build().expect("a client");
    for path in ["/docs", "/docs/", "/docs/swagger-ui-bundle.js", "/openapi.json", "/nowhere"] {
        let answer = Answer::of(http.get(service.url(path))).await;
        assert!(!answer.expect_error(404, "unknown_path").text.contains("/docs"), "{answer:?}");
    }
}
