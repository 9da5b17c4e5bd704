//! The maximum age of connections: clients that stay connected are told to connect again, and lose nothing.

use crate::harness::{API_KEY, Http2, NO_REDIS, Raw, Service};
use bytes::Bytes;
use serde_json::json;
use std::time::{Duration, Instant};

const AGE_MAX: Duration = Duration::from_secs(1);
/// The least age that a connection gets: 80 % of the maximum.
const AGE_MIN: Duration = Duration::from_millis(800);

fn service() -> Service {
    Service::start_with(&format!("CONNECTION_AGE_MAX_SECS={}", AGE_MAX.as_secs()), NO_REDIS)
}

#[tokio::test]
async fn an_http_1_connection_is_told_to_close_with_a_response_once_it_is_old() {
    let service = service();
    let mut connection = Raw::tls(service.address, b"http/1.1").await;
    let start = Instant::now();
    let mut request = async || connection.send("GET /version HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let last = loop {
        let response = request().await;
        assert_eq!(response.status(), 200, "{response:?}");
        if response.has("connection: close") {
            break start.elapsed();
        }
        assert!(start.elapsed() < AGE_MAX * 10, "it is never told");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(last >= AGE_MIN, "{last:?}");
    connection.closed().await;
}

#[tokio::test]
async fn an_http_2_connection_is_told_to_go_away_once_it_is_old_and_every_request_on_it_is_answered() {
    let service = service();
    let mut client = Http2::connect(service.address).await;
    let start = Instant::now();
    let login = json!({"api_key": API_KEY}).to_string();
    let mut unfinished = client.post("/login", &[]).await.expect("it is sent");
    // Another request is refused only because the connection takes no more.
    while let Ok(mut request) = client.post("/login", &[]).await {
        request.body.send_data(Bytes::copy_from_slice(login.as_bytes()), true).expect("it is sent");
        assert_eq!(request.answer().await.expect("an answer").0, 200);
        assert!(start.elapsed() < AGE_MAX * 10, "it is never told");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(start.elapsed() >= AGE_MIN, "{:?}", start.elapsed());
    // The request that was in progress is finished on the old connection.
    unfinished.body.send_data(Bytes::copy_from_slice(login.as_bytes()), true).expect("it is sent");
    assert_eq!(unfinished.answer().await.expect("an answer").0, 200);
    crate::harness::eventually("it is closed", async || client.is_closed().then_some(())).await;
}

#[tokio::test]
async fn an_old_connection_without_requests_is_not_closed_under_the_next_one() {
    let service = service();
    let mut connection = Raw::tls(service.address, b"http/1.1").await;
    tokio::time::sleep(AGE_MAX + Duration::from_millis(200)).await;
    let response = connection.send("GET /version HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(response.status() == 200 && response.has("connection: close"), "{response:?}");
    connection.closed().await;
}
