//! Thousands of callers that disconnect during their requests: no other caller may receive their replies.

use super::{BRIEF, under_load};
use crate::harness::{Caller, Service};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::json;
use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};
use tokio::time::timeout;

const VANISHED: usize = 3000;
/// Number of requests that are abandoned together with their connection.
const AT_ONCE: usize = 50;

/// Opens a connection, reads its own keys over it, and disconnects at any time during the requests.
async fn come_and_go(service: &Service, token: &str, round: usize, vanished: &AtomicUsize) {
    // An HTTP/1.1 connection has one request at a time, so that each request gets a connection.
    let builder = if round.is_multiple_of(2) { Caller::http() } else { Caller::http().http1_only() };
    let http = builder.build().expect("a client");
    let requests = (0..AT_ONCE).map(async |number| {
        let key = format!("gone:{round}:{number}");
        let commands = json!([{"command": "WRITE", "key": key, "value": key}, {"command": "READ", "key": key}]);
        let request = http.post(service.url("/cache")).header(AUTHORIZATION, format!("Bearer {token}"));
        let request = request.header(CONTENT_TYPE, "application/json").body(commands.to_string());
        // The first ones disconnect before they are connected, the last ones after their answer.
        let disconnect_after = Duration::from_micros(u64::try_from(number * round % 40 * 1000).expect("a number"));
        let answer = async { request.send().await?.json::<serde_json::Value>().await };
        match timeout(disconnect_after, answer).await {
            Ok(Ok(replies)) => assert_eq!(replies[1]["value"], json!(key), "{replies}"),
            Ok(Err(error)) => panic!("no answer: {error:?}"),
            Err(_) => drop(vanished.fetch_add(1, Relaxed)),
        }
    });
    futures_util::future::join_all(requests).await;
}

#[tokio::test]
async fn thousands_of_disconnecting_callers_mix_up_no_replies() {
    let (_group, service, traffic) = under_load(2).await;
    let token = service.caller().await.token;
    let vanished = AtomicUsize::new(0);
    let mut round = 1;
    while vanished.load(Relaxed) < VANISHED {
        assert!(round < 1000, "nobody vanishes");
        come_and_go(&service, &token, round, &vanished).await;
        round += 1;
    }
    traffic.until_written().await;
    let summary = traffic.finish().await;
    summary.report("callers", "3,000 vanish in the middle of their requests").expect_no_failed_read();
    summary.expect_no_failed_write().expect_nothing_lost().expect_stalls_within(BRIEF, BRIEF);
}
