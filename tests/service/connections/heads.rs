//! Limits on the heads of requests, and on requests without a token.

use crate::harness::{
    API_KEY, Answer, Caller, Http2, Instance, NO_REDIS, Service, eventually, redis, redis_section, shared,
};
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test]
async fn a_head_with_more_than_100_fields_is_431() {
    let service = shared();
    for http1 in [false, true] {
        let http = if http1 { Caller::http().http1_only() } else { Caller::http() }.build().expect("a client");
        let get = |fields: usize| {
            let names = (0..fields).map(|number| format!("x-{number}"));
            names.fold(http.get(service.url("/version")), |request, name| request.header(name, "1"))
        };
        assert_eq!(Answer::of(get(90)).await.status.as_u16(), 200);
        let refused = Answer::of(get(110)).await;
        if http1 {
            assert_eq!(refused.status.as_u16(), 431, "hyper answers by itself");
        } else {
            refused.expect_error(431, "head_too_large");
        }
    }
}

#[tokio::test]
async fn a_head_with_more_than_16_kib_is_431() {
    let service = shared();
    for http in [Caller::http(), Caller::http().http1_only()] {
        let http = http.build().expect("a client");
        let get = |bytes: usize| http.get(service.url("/version")).header("x-long", "x".repeat(bytes));
        assert_eq!(Answer::of(get(12_000)).await.status.as_u16(), 200);
        assert_eq!(Answer::of(get(17_000)).await.status.as_u16(), 431);
    }
}

#[tokio::test]
async fn a_connection_without_a_token_has_eight_requests_in_progress() {
    let service = Service::start(NO_REDIS);
    let mut client = Http2::connect(service.address).await;
    let mut unfinished = Vec::new();
    for _ in 0..9 {
        unfinished.push(Box::pin(client.post("/login", &[]).await.expect("it is sent").answer()));
    }
    let (refused, _, mut unfinished) = futures_util::future::select_all(unfinished).await;
    let (status, text) = refused.expect("an answer");
    assert!(status == 503 && text.contains("overloaded"), "{status}: {text}");
    let login = json!({"api_key": API_KEY}).to_string();
    let (status, text) = client.send("/login", &[], &login).await;
    assert!(status == 503 && text.contains("overloaded"), "{status}: {text}");
    drop(unfinished.pop());
    eventually("there is room for another request", async || {
        (client.send("/login", &[], &login).await.0 == 200).then_some(())
    })
    .await;
    for _ in 0..20 {
        unfinished.push(Box::pin(client.post("/login", &[]).await.expect("it is sent").answer()));
    }
    assert_eq!(client.send("/login", &[], &login).await.0, 200, "the connection is authenticated");
}

#[tokio::test]
async fn a_burst_of_requests_with_a_token_on_a_new_connection_is_served() {
    let service = shared();
    let token = service.caller().await.token;
    let mut client = Http2::connect(service.address).await;
    let authorization = [("authorization", format!("Bearer {token}"))];
    let mut requests = Vec::new();
    for _ in 0..90 {
        requests.push(client.post("/cache", &authorization).await.expect("it is sent"));
    }
    for mut request in requests {
        request.body.send_data("[]".into(), true).expect("it is sent");
        let (status, text) = request.answer().await.expect("an answer");
        assert_eq!((status.as_u16(), &*text), (200, "[]\n"));
    }
}

/// Returns the resident memory of a process in bytes.
#[cfg(target_os = "linux")]
fn resident_bytes(process: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).expect("the process runs");
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn heads_of_unfinished_requests_take_no_memory() {
    const CONNECTIONS: usize = 10;
    const REQUESTS: usize = 100;
    let group = redis(1, 0);
    let instance = Instance::start(&group, &redis_section(&group)).await;
    // As many fields as a request may have, and nearly as many bytes.
    let names: Vec<String> = (0..90).map(|number| format!("x-{number}")).collect();
    let mut fields: Vec<(&str, String)> = names.iter().map(|name| (&**name, "v".repeat(120))).collect();
    let login = json!({"api_key": API_KEY}).to_string();
    let (_, token) = Http2::connect(instance.address()).await.send("/login", &[], &login).await;
    let token: Value = serde_json::from_str(&token).expect("JSON");
    fields.push(("authorization", format!("Bearer {}", token["access_token"].as_str().expect("a token"))));
    let (mut clients, mut held) = (Vec::new(), Vec::new());
    for _ in 0..CONNECTIONS {
        clients.push(Http2::connect(instance.address()).await);
    }
    let before = resident_bytes(instance.process_id());
    for client in &mut clients {
        for _ in 0..REQUESTS {
            // The service may allow no more requests.
            let posting = tokio::time::timeout(Duration::from_millis(200), client.post("/cache", &fields));
            let Ok(Ok(unfinished)) = posting.await else { break };
            held.push(unfinished);
        }
        client.ping().await.expect("everything before it has arrived");
    }
    let grown = resident_bytes(instance.process_id()).saturating_sub(before);
    assert!(grown < 12 << 20, "{} requests take {} KiB", held.len(), grown >> 10);
}
