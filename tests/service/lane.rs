//! The lane, the short way for commands: same answers as without it, and its end.

use crate::harness::{API_KEY, MetricsPage, Raw, RawResponse, Service, redis, redis_section};
use serde_json::json;
use std::time::Duration;
use tokio::{io::AsyncWriteExt, time::timeout};

/// Bodies that are commands, batches, mistakes and neither.
fn bodies() -> Vec<String> {
    let long = "x".repeat(20_000);
    let mut bodies: Vec<String> = [
        r#"{"command":"WRITE","key":"lane:k","value":"v","expire":60}"#,
        r#"{"command":"READ","key":"lane:k"}"#,
        r#"{"command":"WRITE","key":"lane:j","value":{"a":[1,2.50,"\u00e4"]}}"#,
        r#"{"command":"READ","key":"lane:j"}"#,
        r#"{"command":"WRITE","key":"lane:b","value":"AAEC/w==","encoding":"base64"}"#,
        r#"{"command":"READ","key":"lane:b"}"#,
        r#"{"command":"READ","key":"lane:none"}"#,
        r#"[{"command":"READ","key":"lane:k"},{"command":"DELETE","key":"lane:k"},{"command":"READ","key":"lane:k"},{}]"#,
        r#"{"command":"DELETE","key":"lane:k"}"#,
        r#"{"command":"DELETE","key":"lane:k"}"#,
        r#"{"command":"READ","key":"lane:j","consistency":"master"}"#,
        r#"{"command":"WRITE","key":"lane:r","value":"v","replicas":0}"#,
        r#" {"command" : "READ" , "key" : 7 } "#,
        "",
        "{",
        "null",
        "[]",
        "{}",
        "\u{0}",
        r#"{"command":"FETCH","key":"k"}"#,
        r#"{"command":"READ","key":""}"#,
        r#"{"command":"READ","key":"k","ttl":1}"#,
        r#"{"command":"WRITE","key":"k"}"#,
        r#"{"command":"WRITE","key":"k","value":"v","expire":"soon"}"#,
        r#"[{"command":"READ"},"text",{"command":"WRITE","key":"lane:l","value":"v"}]"#,
    ]
    .map(str::to_owned)
    .into();
    bodies.push(json!({"command": "WRITE", "key": "lane:long", "value": long}).to_string());
    bodies.push(json!({"command": "READ", "key": "lane:long"}).to_string());
    bodies.push(json!([{"command": "READ", "key": "lane:long"}, {"command": "READ", "key": "lane:long"}]).to_string());
    bodies
}

/// Returns the lines of a head that do not differ from one response to the next, sorted.
fn stable(response: &RawResponse) -> Vec<&str> {
    let varies = ["date: ", "cache-sync-token: "];
    let lines = response.head.lines().filter(|line| !varies.iter().any(|name| line.starts_with(name)));
    let mut lines: Vec<&str> = lines.collect();
    lines.sort_unstable();
    lines
}

async fn connect(service: &Service) -> Raw<tokio_rustls::client::TlsStream<tokio::net::TcpStream>> {
    Raw::tls(service.address, b"http/1.1").await
}

fn post(path: &str, lines: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: a\r\nX-Request-Id: one\r\nContent-Length: {length}\r\n{lines}\r\n{body}")
}

async fn left_lane(service: &Service) -> f64 {
    MetricsPage::of(service).await.sum("cachefront_connections_left_lane_total", "")
}

#[tokio::test]
async fn every_body_and_head_is_answered_alike_with_and_without_a_lane() {
    let mut answers = Vec::new();
    for lane in [true, false] {
        // Each has an own Redis, so that both begin with nothing.
        let group = redis(1, 1);
        let service = Service::start_with(&format!("LANE={lane}\n"), &redis_section(&group));
        let token = service.caller().await.token;
        let authorization = format!("Authorization: Bearer {token}\r\n");
        let before = left_lane(&service).await;
        let mut connection = connect(&service).await;
        let mut given = Vec::new();
        for body in bodies() {
            given.push(connection.send(post("/cache", &authorization, &body)).await);
        }
        for lines in [
            String::new(),
            "Authorization: Bearer wrong\r\n".to_owned(),
            format!("Authorization: Bearer {API_KEY}\r\n"),
            "Authorization: Basic eDp5\r\n".to_owned(),
            format!("{authorization}Content-Type: text/plain\r\n"),
            format!("{authorization}Content-Type: application/json; charset=utf-8\r\n"),
            format!("{authorization}Content-Encoding: gzip\r\n"),
            format!("{authorization}cache-sync-token: nonsense\r\n"),
            format!("{authorization}request-timeout-ms: 0\r\n"),
            format!("{authorization}Connection: keep-alive\r\n"),
        ] {
            given.push(connection.send(post("/cache", &lines, r#"{"command":"READ","key":"lane:j"}"#)).await);
        }
        let login = format!("{{\"api_key\":\"{API_KEY}x\"}}");
        given.push(connection.send(post("/login", "Content-Type: application/json\r\n", &login)).await);
        assert!(left_lane(&service).await < before + 1.0, "an ordinary request left the lane");
        answers.push(given);
    }
    let [with, without] = &answers[..] else { panic!("there are two services") };
    for (number, (one, other)) in with.iter().zip(without).enumerate() {
        assert_eq!((stable(one), &one.body), (stable(other), &other.body), "request {number}");
    }
    assert_eq!(with.len(), without.len());
}

#[tokio::test]
async fn clients_that_log_in_and_send_head_and_body_apart_stay_in_the_lane() {
    let (_redis, service) = Service::with_own_redis();
    let mut connection = connect(&service).await;
    let login = format!("{{\"api_key\":\"{API_KEY}\"}}");
    let granted = connection.send(post("/login", "Content-Type: application/json\r\n", &login)).await;
    let granted: serde_json::Value = serde_json::from_str(&granted.body).expect("JSON");
    let lines = format!("Authorization: Bearer {}\r\n", granted["access_token"].as_str().expect("a token"));
    let request = post("/cache", &lines, r#"{"command":"READ","key":"lane:none"}"#);
    let (head, body) = request.split_at(request.len() - 36);
    connection.0.write_all(head.as_bytes()).await.expect("it is sent");
    connection.0.flush().await.expect("it is sent");
    assert!(connection.send(body).await.body.contains("NOT_FOUND"));
    // All at once, and one of them refused.
    let three = format!("{request}{}{request}", post("/cache", "", "{}"));
    assert!(connection.send(three).await.body.contains("NOT_FOUND"));
    assert_eq!(connection.send("").await.status(), 401);
    assert!(connection.send("").await.body.contains("NOT_FOUND"));
    assert!(left_lane(&service).await < 1.0);
    // Anything else is answered all the same.
    let version = "GET /version HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(connection.send(format!("{request}{version}")).await.status(), 200);
    assert!(connection.send("").await.body.contains("version"));
    assert!(connection.send(request).await.body.contains("NOT_FOUND"));
    assert!(left_lane(&service).await >= 1.0);
}

#[tokio::test]
async fn an_idle_connection_in_its_lane_ends_when_the_service_stops() {
    let (_redis, service) = Service::with_own_redis();
    let token = service.caller().await.token;
    let before = left_lane(&service).await;
    let mut connection = connect(&service).await;
    let request = post("/cache", &format!("Authorization: Bearer {token}\r\n"), r#"{"command":"READ","key":"k"}"#);
    assert_eq!(connection.send(request).await.status(), 200);
    assert!(left_lane(&service).await < before + 1.0, "it left the lane");
    service.stop();
    // The limit of a graceful stop (DRAIN_SECS) is far longer.
    timeout(Duration::from_secs(5), connection.closed()).await.expect("the connection ends at once");
    service.wait();
}

#[tokio::test]
async fn a_connection_of_http_1_does_not_become_one_of_http_2() {
    let (_redis, service) = Service::with_own_redis();
    let token = service.caller().await.token;
    let request = post("/cache", &format!("Authorization: Bearer {token}\r\n"), r#"{"command":"READ","key":"k"}"#);
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let mut connection = connect(&service).await;
    assert_eq!(connection.send(request).await.status(), 200);
    connection.0.write_all(preface).await.expect("it is sent");
    connection.0.flush().await.expect("it is sent");
    timeout(Duration::from_secs(5), connection.closed()).await.expect("it is closed without a frame");
}
