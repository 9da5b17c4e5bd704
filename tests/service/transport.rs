//! TLS, HTTP/1.1 and HTTP/2.

use crate::harness::{Answer, Caller, NO_REDIS, Service, authority, eventually, shared};
use reqwest::{Version, tls};
use serde_json::json;
use std::time::Duration;
use tokio::{
    sync::mpsc::{UnboundedSender, unbounded_channel},
    task::JoinHandle,
};

#[tokio::test]
async fn http2_and_http1_are_both_spoken() {
    let url = shared().url("/version");
    for (client, expected) in [(Caller::http(), Version::HTTP_2), (Caller::http().http1_only(), Version::HTTP_11)] {
        let response = client.build().expect("a client").get(&url).send().await.expect("an answer");
        assert_eq!((response.status().as_u16(), response.version()), (200, expected));
    }
}

#[tokio::test]
async fn tls_1_2_and_tls_1_3_are_spoken() {
    let url = shared().url("/version");
    for version in [tls::Version::TLS_1_2, tls::Version::TLS_1_3] {
        let client = Caller::http().tls_version_min(version).tls_version_max(version).build().expect("a client");
        assert_eq!(client.get(&url).send().await.expect("an answer").status().as_u16(), 200);
    }
}

#[tokio::test]
async fn a_client_that_trusts_another_authority_refuses_the_service() {
    let stranger = crate::harness::Authority::new("a stranger");
    let client = Caller::http_trusting(&stranger).build().expect("a client");
    client.get(shared().url("/version")).send().await.expect_err("the certificate has another authority");
    // The same certificate under a name that it does not have.
    let address = shared().address;
    let client = Caller::http().resolve("other.test", address).build().expect("a client");
    client.get(format!("https://other.test:{}/version", address.port())).send().await.expect_err("another name");
    assert!(authority().pem().contains("BEGIN CERTIFICATE"));
}

#[tokio::test]
async fn concurrent_requests_each_get_their_own_reply() {
    let (_redis, service) = Service::with_own_redis();
    let caller = service.caller().await;
    let keys: Vec<String> = (0..200).map(|number| format!("transport:many:{number}")).collect();
    caller.fill(&keys).await;
    let caller = &caller;
    let reads = keys.iter().map(|key| async move { (caller.read(key).await, key) });
    for (value, key) in futures_util::future::join_all(reads).await {
        assert_eq!(value, Some(json!(key)));
    }
}

#[tokio::test]
async fn callers_that_disconnect_mix_up_no_replies() {
    let (_redis, service) = Service::with_own_redis();
    let caller = service.caller().await;
    let keys: Vec<String> = (0..50).map(|number| format!("transport:leave:{number}")).collect();
    caller.fill(&keys).await;
    let caller = &caller;
    for round in 0..10 {
        let disconnecting = keys.iter().map(|key| async move {
            // Short enough to end at any time during the request.
            let disconnect_after = Duration::from_micros(200 * (round + 1));
            if let Ok(value) = tokio::time::timeout(disconnect_after, caller.read(key)).await {
                assert_eq!(value, Some(json!(key)));
            }
        });
        let waiting = keys.iter().map(|key| async move {
            assert_eq!(caller.read(key).await, Some(json!(key)));
        });
        let (_, _) =
            tokio::join!(futures_util::future::join_all(disconnecting), futures_util::future::join_all(waiting));
    }
}

#[tokio::test]
async fn a_client_that_is_still_sending_receives_the_refusal() {
    let service = shared();
    let body = vec![b' '; 4 * 1024 * 1024];
    for http in [Caller::http(), Caller::http().http1_only()] {
        let http = http.build().expect("a client");
        let send = |path: &str, content_type: &str| {
            let request = http.post(service.url(path)).header("content-type", content_type).body(body.clone());
            Answer::of(request.bearer_auth("expired"))
        };
        send("/cache", "application/json").await.expect_error(401, "token_invalid");
        send("/nowhere", "application/json").await.expect_error(404, "unknown_path");
        send("/version", "text/plain").await.expect_error(405, "method_not_allowed");
        send("/login", "application/json").await.expect_error(413, "body_too_large");
    }
}

/// Sends a request with a body of the pieces that are sent to the returned channel, until it is dropped.
fn unfinished(caller: &Caller) -> (UnboundedSender<Vec<u8>>, JoinHandle<Answer>) {
    let (sender, receiver) = unbounded_channel::<Vec<u8>>();
    let pieces = futures_util::stream::unfold(receiver, async |mut receiver| {
        let piece = receiver.recv().await?;
        Some((Ok::<_, std::io::Error>(piece), receiver))
    });
    let caller = caller.clone();
    (sender, tokio::spawn(async move { caller.send(reqwest::Body::wrap_stream(pieces)).await }))
}

#[tokio::test]
async fn the_memory_of_all_request_bodies_is_bounded() {
    let service = Service::start_with("BODY_BYTES_MAX=100000\nBODIES_BYTES_MAX=100000", NO_REDIS);
    let caller = service.caller().await;
    let body = " ".repeat(20_000);
    eventually("the memory is used up", async || {
        // One body takes nearly all the memory, because it does not end.
        let (sender, held) = unfinished(&caller);
        sender.send(vec![b' '; 90_000]).expect("it is taken");
        let refused = loop {
            let answer = caller.send(body.clone()).await;
            if answer.status.as_u16() == 503 || held.is_finished() {
                break answer;
            }
        };
        drop(sender);
        let held = held.await.expect("it ends");
        // The long body is the one that was refused if it arrived while a short one was in memory.
        (held.status.as_u16() != 503).then(|| {
            held.expect_error(400, "invalid_json");
            assert_eq!(refused.expect_error(503, "overloaded").header("retry-after"), "1");
        })
    })
    .await;
    caller.send(body).await.expect_error(400, "invalid_json");
}

#[tokio::test]
async fn a_refused_body_releases_its_memory_at_once() {
    let service = Service::start_with("BODY_BYTES_MAX=60000\nBODIES_BYTES_MAX=60000", NO_REDIS);
    let caller = service.caller().await;
    let body = " ".repeat(20_000);
    let status = async || caller.send(body.clone()).await.status.as_u16();
    let answer = eventually("others have room while the rest of it is awaited", async || {
        // It is too long, and its sender is not done with it: its answer waits for that, though not for ever.
        let (sender, too_long) = unfinished(&caller);
        sender.send(vec![b' '; 50_000]).expect("it is taken");
        while status().await != 503 && !too_long.is_finished() {}
        let _unless_it_is_over = sender.send(vec![b' '; 50_000]);
        while status().await != 400 && !too_long.is_finished() {}
        let in_time = !too_long.is_finished();
        drop(sender);
        let answer = too_long.await.expect("it ends");
        in_time.then_some(answer)
    })
    .await;
    answer.expect_error(413, "body_too_large");
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let service = Service::start_with("IDLE_TIMEOUT_SECS=1\nCONNECTIONS_MAX=1", NO_REDIS);
    // An HTTP/2 connection stays open in the client's pool, and takes the only place.
    let idle = Caller::http().build().expect("a client");
    assert_eq!(idle.get(service.url("/version")).send().await.expect("an answer").status().as_u16(), 200);
    let other = Caller::http().build().expect("a client");
    eventually("the place is free again", async || other.get(service.url("/version")).send().await.ok()).await;
}
