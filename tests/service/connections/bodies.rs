//! Unfinished bodies of some callers prevent nothing for others.

use crate::harness::{API_KEY, Caller, Http2, MetricsPage, NO_REDIS, Service, Unfinished};
use bytes::Bytes;
use cachefront::settings::hash_api_key;
use serde_json::json;

/// Sends the head of a request and a part of its body.
async fn post_part(client: &mut Http2, path: &str, token: &str, part: &Bytes) -> Option<Unfinished> {
    let authorization = [("authorization", format!("Bearer {token}"))];
    let mut unfinished = client.post(path, &authorization).await.ok()?;
    unfinished.body.send_data(part.clone(), false).ok()?;
    Some(unfinished)
}

#[tokio::test]
async fn unfinished_logins_prevent_no_login() {
    // The requests that a connection without a token may have in progress.
    const LOGINS: usize = 8;
    let service = Service::start(NO_REDIS);
    let part = Bytes::from(vec![b' '; 4000]);
    let (mut clients, mut held) = (Vec::new(), Vec::new());
    // One connection more than 2,048 logins need, which are as many as there may be at once.
    for _ in 0..=2048 / LOGINS {
        let mut client = Http2::connect(service.address).await;
        for _ in 0..LOGINS {
            held.push(post_part(&mut client, "/login", "", &part).await.expect("it is sent"));
        }
        client.ping().await.expect("everything before it has arrived");
        clients.push(client);
    }
    let mut client = Http2::connect(service.address).await;
    let (status, text) = client.send("/login", &[], &json!({"api_key": API_KEY}).to_string()).await;
    assert_eq!(status, 200, "{} logins are unfinished: {text}", held.len());
    let (status, text) = held.remove(0).answer().await.expect("an answer");
    assert!(status == 503 && text.contains("overloaded"), "the oldest one gave way: {status}: {text}");
}

#[tokio::test]
async fn unfinished_large_bodies_of_a_client_leave_room_for_small_ones_and_for_others() {
    let [greedy, other] = ["the-key-of-the-greedy-one", "the-key-of-the-other"];
    let sections = format!(
        "[client:greedy]\napi_key_hash={}\nnamespace=greedy\nscopes=read\n[client:other]\napi_key_hash={}\nnamespace=other\nscopes=read\n",
        hash_api_key(greedy),
        hash_api_key(other)
    );
    let service =
        Service::start_with("BODY_BYTES_MAX=1000000\nBODIES_BYTES_MAX=4000000", &format!("{NO_REDIS}{sections}"));
    let [greedy, other] = [Caller::log_in(&service, greedy, None).await, Caller::log_in(&service, other, None).await];
    let mut client = Http2::connect(service.address).await;
    let part = Bytes::from(vec![b' '; 900_000]);
    let _held = post_part(&mut client, "/cache", &greedy.token, &part).await.expect("it is sent");
    MetricsPage::until(&service, "cachefront_bodies_bytes", "", |bytes| bytes >= 900_000.0).await;
    let mut second = post_part(&mut client, "/cache", &greedy.token, &part).await.expect("it is sent");
    // The rest of a refused body is read before the answer, so it has to end.
    second.body.send_data(Bytes::new(), true).expect("it is sent");
    let (status, text) = second.answer().await.expect("an answer");
    assert!(status == 503 && text.contains("overloaded"), "{status}: {text}");
    let blanks = |bytes: usize| " ".repeat(bytes);
    other.send(blanks(900_000)).await.expect_error(400, "invalid_json");
    other.send(blanks(60_000)).await.expect_error(400, "invalid_json");
    greedy.send(blanks(60_000)).await.expect_error(400, "invalid_json");
}
