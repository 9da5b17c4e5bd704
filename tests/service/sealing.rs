//! Values that are encrypted before they leave for Redis.

use crate::harness::{Caller, MetricsPage, Service, eventually, redis, redis_section};
use crate::local_redis::RedisGroup;
use serde_json::{Value, json};

const FIRST: &str = "1111111111111111111111111111111122222222222222222222222222222222";
const SECOND: &str = "3333333333333333333333333333333344444444444444444444444444444444";

/// Raw bytes as Redis holds them, in Redis's own notation.
fn raw(group: &RedisGroup, key: &str) -> String {
    group.master(0).ask(&format!("GET {key}")).expect("an answer")
}

fn service(group: &RedisGroup, options: &str) -> Service {
    Service::start_with(options, &redis_section(group))
}

async fn seal(caller: &Caller, key: &str, value: &Value) {
    let reply = caller.run(json!({"command": "WRITE", "key": key, "value": value, "encrypt": true})).await;
    assert_eq!((&reply["status"], &reply["value"]), (&json!("SUCCESS"), value));
}

#[tokio::test]
async fn a_sealed_value_is_unreadable_in_redis_and_is_read_as_it_was_written() {
    let group = redis(1, 0);
    let service = service(&group, &format!("ENCRYPTION_KEY={FIRST}"));
    let caller = service.caller().await;
    for value in [json!("the secret text"), json!({"the secret": ["text", 1.5]}), json!("")] {
        seal(&caller, "sealed", &value).await;
        assert!(!raw(&group, "sealed").contains("secret"), "{:?}", raw(&group, "sealed"));
        assert_eq!(caller.read("sealed").await, Some(value));
    }
    // Without being asked, values stay readable for others.
    caller.write("plain", &json!("the secret text")).await;
    assert_eq!(raw(&group, "plain"), "the secret text");
}

#[tokio::test]
async fn a_sealed_value_does_not_open_under_another_key() {
    let group = redis(1, 0);
    let service = service(&group, &format!("ENCRYPTION_KEY={FIRST}"));
    let caller = service.caller().await;
    seal(&caller, "mine", &json!("secret")).await;
    assert_eq!(group.master(0).ask("COPY mine yours").expect("an answer"), ":1");
    let answer = caller.send(r#"{"command":"READ","key":"yours"}"#).await;
    answer.expect_error(500, "decryption_failed");
    let replies = caller.run(json!([{"command": "READ", "key": "yours"}, {"command": "READ", "key": "mine"}])).await;
    assert_eq!((&replies[0]["code"], &replies[1]["value"]), (&json!("decryption_failed"), &json!("secret")));
}

#[tokio::test]
async fn encryption_keys_can_be_rotated_and_a_lost_one_is_an_error_and_not_a_miss() {
    let group = redis(1, 0);
    let old = service(&group, &format!("ENCRYPTION_KEY={FIRST}"));
    seal(&old.caller().await, "k", &json!("secret")).await;
    let rotated = service(&group, &format!("ENCRYPTION_KEY={SECOND}, {FIRST}"));
    let caller = rotated.caller().await;
    assert_eq!(caller.read("k").await, Some(json!("secret")));
    seal(&caller, "k", &json!("anew")).await;
    let read = r#"{"command":"READ","key":"k"}"#;
    old.caller().await.send(read).await.expect_error(500, "decryption_failed");
    let none = service(&group, "");
    none.caller().await.send(read).await.expect_error(500, "decryption_failed");
    let only_new = service(&group, &format!("ENCRYPTION_KEY={SECOND}"));
    assert_eq!(only_new.caller().await.read("k").await, Some(json!("anew")));
}

#[tokio::test]
async fn encrypt_values_always_seals_every_value() {
    let group = redis(1, 0);
    let service = service(&group, &format!("ENCRYPTION_KEY={FIRST}\nENCRYPT_VALUES=always"));
    let caller = service.caller().await;
    let write = json!({"command": "WRITE", "key": "a", "value": "secret"});
    let refusing = json!({"command": "WRITE", "key": "b", "value": "secret", "encrypt": false});
    caller.run(json!([write, refusing])).await;
    for key in ["a", "b"] {
        assert!(!raw(&group, key).contains("secret"));
        assert_eq!(caller.read(key).await, Some(json!("secret")));
    }
}

#[tokio::test]
async fn where_sealing_is_required_a_value_that_is_not_sealed_is_an_error_and_not_a_miss() {
    let group = redis(1, 0);
    let required = format!("ENCRYPTION_KEY={FIRST}\nENCRYPT_VALUES=required");
    // With and without a near cache, which also keeps values in opened form.
    for near_cache in ["enabled=false", "enabled=true", "enabled=true\nkeep_opened=true"] {
        assert_eq!(group.master(0).ask("SET planted secret").expect("an answer"), "+OK");
        let sections = format!("[near_cache]\n{near_cache}\n{}", redis_section(&group));
        let service = Service::start_with(&required, &sections);
        let caller = service.caller().await;
        caller.write("written", &json!("secret")).await;
        assert!(!raw(&group, "written").contains("secret"));
        // Often enough for the near cache to have both values.
        for _ in 0..5 {
            caller.send(r#"{"command":"READ","key":"planted"}"#).await.expect_error(500, "value_not_sealed");
            assert_eq!(caller.read("written").await, Some(json!("secret")));
            let items = ["planted", "written", "absent"].map(|key| json!({"command": "READ", "key": key}));
            let replies = caller.run(json!(items)).await;
            let codes = [0, 1, 2].map(|item| replies[item]["code"].as_str());
            assert_eq!(codes, [Some("value_not_sealed"), None, None], "{replies}");
            assert_eq!(replies[2]["status"], "NOT_FOUND", "{replies}");
        }
        // A WRITE replaces it by a sealed value, also one that asks for no encryption.
        caller.run(json!({"command": "WRITE", "key": "planted", "value": "mine", "encrypt": false})).await;
        assert_eq!(caller.read("planted").await, Some(json!("mine")));
        assert!(!raw(&group, "planted").contains("mine"));
    }
}

#[tokio::test]
async fn a_reload_to_required_counts_for_values_that_were_cached_before() {
    let group = redis(1, 0);
    let options = format!("RELOAD_EVERY_SECS=0\nENCRYPTION_KEY={FIRST}\nENCRYPT_VALUES=always");
    let service = service(&group, &options);
    assert_eq!(group.master(0).ask("SET planted secret").expect("an answer"), "+OK");
    let caller = service.caller().await;
    for _ in 0..5 {
        assert_eq!(caller.read("planted").await, Some(json!("secret")));
    }
    service.edit(|text| text.replace("ENCRYPT_VALUES=always", "ENCRYPT_VALUES=required"));
    service.reload();
    eventually("the other rule counts", async || {
        let answer = caller.send(r#"{"command":"READ","key":"planted"}"#).await;
        (answer.status.as_u16() == 500).then_some(answer)
    })
    .await
    .expect_error(500, "value_not_sealed");
}

#[tokio::test]
async fn a_key_whose_file_is_gone_stays_in_use() {
    let group = redis(1, 0);
    let service = service(&group, "RELOAD_EVERY_SECS=0\nENCRYPTION_KEY=sealing.key");
    let file = service.folder().join("sealing.key");
    std::fs::write(&file, FIRST).expect("the key is written");
    service.reload();
    let caller = service.caller().await;
    let write = json!({"command": "WRITE", "key": "sealed", "value": "secret", "encrypt": true}).to_string();
    eventually("the key is used", async || (caller.send(write.clone()).await.status.as_u16() == 200).then_some(()))
        .await;
    std::fs::remove_file(&file).expect("the key is removed");
    service.reload();
    let refused = "cachefront_settings_reloads_total";
    MetricsPage::until(&service, refused, "outcome=\"refused\"", |reloads| reloads >= 1.0).await;
    assert_eq!(caller.read("sealed").await, Some(json!("secret")));
}

#[tokio::test]
async fn a_missing_key_file_matters_once_a_value_is_sealed_and_a_reload_finds_it() {
    let group = redis(1, 0);
    let service = service(&group, "RELOAD_EVERY_SECS=1\nENCRYPTION_KEY=text_encryption.key");
    let caller = service.caller().await;
    caller.write("plain", &json!("v")).await;
    assert_eq!(caller.read("plain").await, Some(json!("v")));
    let write = json!({"command": "WRITE", "key": "sealed", "value": "secret", "encrypt": true}).to_string();
    let answer = caller.send(write.clone()).await;
    assert!(answer.text.contains("the file that ENCRYPTION_KEY names does not exist"), "{answer:?}");
    answer.expect_error(400, "encryption_not_configured");
    std::fs::write(service.folder().join("text_encryption.key"), FIRST).expect("the key is written");
    eventually("the key is used", async || (caller.send(write.clone()).await.status.as_u16() == 200).then_some(()))
        .await;
    assert_eq!(caller.read("sealed").await, Some(json!("secret")));
}
