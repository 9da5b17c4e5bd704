//! Settings that change while the service runs.

use crate::harness::{API_KEY, Answer, Authority, Caller, NO_REDIS, Service, eventually, redis, redis_section};
use cachefront::settings::hash_api_key;
use serde_json::{Value, json};

/// Setting under which the service looks for changed files.
const LOOKING: &str = "RELOAD_EVERY_SECS=1";
/// Setting under which changes are applied only on request.
const ASKED: &str = "RELOAD_EVERY_SECS=0";

async fn log_in(service: &Service, api_key: &str) -> u16 {
    let http = Caller::http().build().expect("a client");
    Answer::of(http.post(service.url("/login")).json(&json!({"api_key": api_key}))).await.status.as_u16()
}

fn client(name: &str, api_key: &str, options: &str) -> String {
    format!(
        "\n[client:{name}]\napi_key_hash={}\nnamespace=*\nscopes=read,write,delete\n{options}\n",
        hash_api_key(api_key)
    )
}

#[tokio::test]
async fn a_reload_admits_an_added_client_and_refuses_the_token_of_a_removed_one() {
    let group = redis(1, 1);
    let redis = redis_section(&group);
    let (old, new) = (client("old", "the-key-of-the-old-client", ""), client("new", "the-key-of-the-new-client", ""));
    let service = Service::start_with(LOOKING, &[&redis, old.as_str()].concat());
    let removed = Caller::log_in(&service, "the-key-of-the-old-client", Some("old")).await;
    removed.until_read("reload:none", None).await;
    assert_eq!(log_in(&service, "the-key-of-the-new-client").await, 401);

    service.edit(|text| text.replace(&old, &new));
    eventually("the new client can log in", async || {
        (log_in(&service, "the-key-of-the-new-client").await == 200).then_some(())
    })
    .await;
    assert_eq!(log_in(&service, "the-key-of-the-old-client").await, 401);
    let read = json!({"command": "READ", "key": "reload:none"}).to_string();
    removed.send(read).await.expect_error(401, "token_invalid");
    Caller::log_in(&service, "the-key-of-the-new-client", Some("new")).await.write("reload:new", &json!(1)).await;
}

#[tokio::test]
async fn a_reload_changes_secrets_limits_and_defaults_together() {
    let group = redis(1, 0);
    let options = format!("{ASKED}\nJWT_EXPIRE_SECS=600\nVALUE_BYTES_MAX=10");
    let service = Service::start_with(&options, &format!("[redis]\nkey_expire_secs=0\n{}", redis_section(&group)));
    let caller = service.caller().await;
    caller.write("k", &json!("short")).await;
    assert_eq!(group.master(0).ask("TTL k").expect("an answer"), ":-1");
    let long = json!({"command": "WRITE", "key": "k", "value": "longer than ten"}).to_string();
    caller.send(long.clone()).await.expect_error(413, "value_too_large");

    let key = service.folder().join("sealing.key");
    std::fs::write(&key, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f").expect("it is written");
    service.edit(|text| {
        text.replace("VALUE_BYTES_MAX=10", "ENCRYPTION_KEY=sealing.key\nENCRYPT_VALUES=always")
            .replace("JWT_SECRET_KEY=a-jwt-secret", "JWT_SECRET_KEY=another-jwt-secret")
            .replace("JWT_EXPIRE_SECS=600", "JWT_EXPIRE_SECS=300")
            .replace("key_expire_secs=0", "key_expire_secs=1000")
            .replace(API_KEY, "another-shared-secret")
    });
    service.reload();
    eventually("the other secret counts", async || {
        (log_in(&service, "another-shared-secret").await == 200).then_some(())
    })
    .await;
    // All at once: a caller that sees one change sees every other.
    assert_eq!(log_in(&service, API_KEY).await, 401);
    caller.send(long.clone()).await.expect_error(401, "token_invalid");
    let caller = Caller::log_in(&service, "another-shared-secret", None).await;
    assert_eq!(caller.send(long).await.status.as_u16(), 200);
    let ttl = group.master(0).ask("TTL k").expect("an answer");
    assert!(ttl.trim_start_matches(':').parse::<i32>().is_ok_and(|secs| (900..=1000).contains(&secs)), "{ttl}");
    assert_eq!(caller.read("k").await, Some(json!("longer than ten")));
    assert!(!group.master(0).ask("GET k").expect("an answer").contains("longer"), "it is not sealed");
}

#[tokio::test]
async fn a_new_certificate_is_used_for_new_connections_and_old_ones_go_on() {
    let service = Service::start_with(LOOKING, NO_REDIS);
    let old = Caller::http().build().expect("a client");
    let version = service.url("/version");
    assert_eq!(Answer::of(old.get(&version)).await.status.as_u16(), 200);

    // An authority that the old client does not trust: it could not even open another connection.
    let authority = Authority::new("another authority");
    authority.issue(service.folder(), "service");
    let fresh = || Caller::http_trusting(&authority).build().expect("a client");
    eventually("the new certificate is shown", async || fresh().get(&version).send().await.ok()).await;
    Caller::http().build().expect("a client").get(&version).send().await.expect_err("the old certificate is gone");
    assert_eq!(Answer::of(old.get(&version)).await.status.as_u16(), 200);
    // What is agreed on in a handshake is as before.
    let response = fresh().get(&version).send().await.expect("an answer");
    assert_eq!(response.version(), reqwest::Version::HTTP_2);
}

#[tokio::test]
async fn a_reload_keeps_the_rate_limit_state_of_a_client() {
    let limited = client("limited", "the-key-of-the-limited", "commands_per_second=1000");
    let options = format!("{ASKED}\nVALUE_BYTES_MAX=10");
    let group = redis(1, 1);
    let service = Service::start_with(&options, &[redis_section(&group), limited].concat());
    let (free, limited) = (service.caller().await, Caller::log_in(&service, "the-key-of-the-limited", None).await);
    let batch: Value = vec![json!({"command": "READ", "key": "reload:limited"}); 1000].into();
    let refused = async || {
        let replies = limited.run(batch.clone()).await;
        replies.as_array().expect("replies").iter().filter(|reply| reply["code"] == "rate_limited").count()
    };
    let write = json!({"command": "WRITE", "key": "reload:long", "value": "x".repeat(15)}).to_string();
    let until_writing_gives = async |status: u16| {
        eventually("the other settings count", async || {
            (free.send(write.clone()).await.status.as_u16() == status).then_some(())
        })
        .await;
    };
    // After a second everything may be sent again, so a slow round says nothing; a fast one follows.
    eventually("commands are refused right after a reload", async || {
        service.edit(|text| text.replace("VALUE_BYTES_MAX=20", "VALUE_BYTES_MAX=10"));
        service.reload();
        until_writing_gives(413).await;
        refused().await;
        service.edit(|text| text.replace("VALUE_BYTES_MAX=10", "VALUE_BYTES_MAX=20"));
        service.reload();
        until_writing_gives(200).await;
        (refused().await > 0).then_some(())
    })
    .await;
}
