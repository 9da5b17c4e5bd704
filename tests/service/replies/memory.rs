//! The memory of replies.

#![expect(clippy::float_cmp, clippy::cast_precision_loss, reason = "what is compared are whole numbers")]

use super::{MIB, clients, log_in, redis_with_values};
use crate::harness::{Caller, MetricsPage, Service, connect_tls, eventually, redis, redis_section};
use axum::http::{Request, StatusCode};
use bytes::Bytes;
use h2::client::{self, SendRequest};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::task::JoinHandle;

/// An HTTP/2 connection whose client takes nothing of the replies, and sends PING frames.
struct Stalled {
    requests: SendRequest<Bytes>,
    token: String,
    connection: JoinHandle<()>,
}

impl Stalled {
    async fn connect(service: &Service, caller: &Caller) -> Self {
        let stream = connect_tls(service.address, [127, 0, 0, 1], b"", b"h2").await.expect("TLS");
        let (requests, mut connection) =
            client::Builder::new().initial_window_size(0).handshake(stream).await.expect("HTTP/2");
        let mut pings = connection.ping_pong().expect("the only one");
        let connection = tokio::spawn(async move {
            let pinging = async {
                while pings.ping(h2::Ping::opaque()).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            };
            // The end is all that counts.
            tokio::select! { _ended = connection => {}, () = pinging => {} }
        });
        Self { requests, token: caller.token.clone(), connection }
    }

    /// Sends a command, and returns the status of the reply and its body, of which nothing arrives.
    async fn send(&self, command: &Value) -> (StatusCode, h2::RecvStream) {
        let request =
            Request::post("https://localhost/cache").header("authorization", format!("Bearer {}", self.token));
        let mut requests = self.requests.clone().ready().await.expect("a place");
        let (response, mut body) = requests.send_request(request.body(()).expect("a request"), false).expect("sent");
        body.send_data(command.to_string().into(), true).expect("sent");
        let response = response.await.expect("a head");
        (response.status(), response.into_body())
    }
}

impl Drop for Stalled {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

async fn reply_bytes(service: &Service) -> f64 {
    MetricsPage::of(service).await.sum("cachefront_replies_bytes", "")
}

#[tokio::test]
async fn replies_that_the_client_does_not_take_have_a_limit_and_end_with_their_connection() {
    let group = redis_with_values(&["large"], MIB);
    let options = format!("REPLIES_BYTES_MAX={}\nIDLE_TIMEOUT_SECS=2", 3 * MIB);
    let service = Service::plain_with(&options, &redis_section(&group));
    let caller = service.caller().await;
    let stalled = Stalled::connect(&service, &caller).await;
    let read = json!({"command": "READ", "key": "large"});
    let mut bodies = Vec::new();
    for expected in [StatusCode::OK, StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE] {
        let (status, body) = stalled.send(&read).await;
        assert_eq!(status, expected);
        bodies.push(body);
    }
    assert!((2.0..2.1).contains(&(reply_bytes(&service).await / MIB as f64)), "two replies are pending");

    // A batch says for each value that there is no memory; small replies need none.
    let replies = caller.run(json!([read, {"command": "WRITE", "key": "small", "value": "s"}])).await;
    assert_eq!((&replies[0]["code"], &replies[1]["status"]), (&json!("overloaded"), &json!("SUCCESS")), "{replies}");
    let large = json!({"command": "WRITE", "key": "written", "value": "w".repeat(2 * MIB)});
    caller.send(large.to_string()).await.expect_error(503, "overloaded");
    assert_eq!(caller.read("written").await, None, "a WRITE is refused before it runs");

    eventually("the connection is cut, and its memory is free", async || {
        (stalled.connection.is_finished() && reply_bytes(&service).await == 0.0).then_some(())
    })
    .await;
    assert_eq!(caller.read("large").await.map(|value| value.as_str().map(str::len)), Some(Some(MIB)));
    eventually("a reply that was taken holds no memory", async || (reply_bytes(&service).await == 0.0).then_some(()))
        .await;
}

#[tokio::test]
async fn a_client_takes_at_most_half_of_the_memory_for_replies() {
    let group = redis_with_values(&["large"], MIB);
    let sections = [redis_section(&group), clients()].concat();
    let service = Service::plain_with(&format!("REPLIES_BYTES_MAX={}", 3 * MIB), &sections);
    let mut pending = Vec::new();
    for (name, expected) in
        [("greedy", StatusCode::OK), ("greedy", StatusCode::SERVICE_UNAVAILABLE), ("modest", StatusCode::OK)]
    {
        let stalled = Stalled::connect(&service, &log_in(&service, name).await).await;
        let (status, body) = stalled.send(&json!({"command": "READ", "key": "large"})).await;
        assert_eq!(status, expected, "{name}");
        pending.push((stalled, body));
    }
}

#[tokio::test]
async fn a_reply_is_measured_as_it_is_written() {
    let group = redis(1, 0);
    let master = group.master(0);
    // Redis fills the space before the last byte with NUL, which JSON writes with 6 bytes.
    for (key, last) in [("nul", 12 * MIB), ("huge", 70 * MIB)] {
        master.ask(&format!("SETRANGE {key} {last} x")).expect("an answer");
    }
    let service = Service::plain(&format!("[redis]\nconnections_per_node=1\n{}", redis_section(&group)));
    let caller = service.caller().await;
    for key in ["nul", "huge"] {
        let read = json!({"command": "READ", "key": key});
        caller.send(read.to_string()).await.expect_error(413, "reply_too_large");
        assert_eq!(caller.run(json!([read])).await[0]["code"], "reply_too_large");
    }
    assert_eq!(reply_bytes(&service).await, 0.0);
}
