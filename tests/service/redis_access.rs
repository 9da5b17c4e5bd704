//! Access to Redis: passwords, ACL users, databases, TLS.

use crate::harness::{Authority, MetricsPage, Service, TlsRedis, redis_section, start};
use crate::local_redis::Layout;
use serde_json::json;
use std::path::Path;

async fn expect_works(service: &Service) {
    let caller = service.caller().await;
    caller.write("access:k", &json!("v")).await;
    caller.until_read("access:k", Some(&json!("v"))).await;
}

async fn expect_unavailable(service: &Service) {
    let answer = service.caller().await.send(r#"{"command":"READ","key":"k"}"#).await;
    answer.expect_error(503, "shard_unavailable");
}

#[tokio::test]
async fn the_password_of_redis_has_to_be_right() {
    let group = start(&Layout { password: "pass%word;#1".to_owned(), replicas: 1, ..Layout::default() });
    let with = |password: &str| Service::start(&format!("[redis]\npassword={password}\n{}", redis_section(&group)));
    expect_works(&with("pass%word;#1")).await;
    expect_unavailable(&with("wrong")).await;
    expect_unavailable(&with("")).await;
}

#[tokio::test]
async fn an_acl_user_needs_only_the_documented_permissions() {
    let group = start(&Layout { replicas: 1, ..Layout::default() });
    for node in [group.master(0), &group.replicas(0)[0]] {
        let rule = documented_permissions().replace(">password", ">users-password");
        assert_eq!(node.ask(&rule).expect("an answer"), "+OK");
    }
    let section = "[redis]\nusername=cachefront\npassword=users-password\n";
    let service = Service::start(&format!("{section}{}", redis_section(&group)));
    expect_works(&service).await;
    // The near cache serves nothing if the user may not track keys.
    let caller = service.caller().await;
    for _ in 0..20 {
        caller.read("access:k").await;
    }
    MetricsPage::until(&service, "cachefront_near_cache_lookups_total", "outcome=\"hit\"", |hits| hits > 0.0).await;
}

#[tokio::test]
async fn a_strict_read_fails_where_the_user_may_not_prove_it() {
    let group = start(&Layout { replicas: 0, ..Layout::default() });
    let rule = documented_permissions().replace(">password", ">users-password").replace(" +wait", "");
    assert_eq!(group.master(0).ask(&rule).expect("an answer"), "+OK");
    let section = "[redis]\nusername=cachefront\npassword=users-password\n";
    let service = Service::start(&format!("{section}{}", redis_section(&group)));
    expect_works(&service).await;
    let caller = service.caller().await;
    let strict = json!({"command": "READ", "key": "access:k", "consistency": "master"});
    caller.send(strict.to_string()).await.expect_error(503, "shard_unavailable");
    let replies = caller.run(json!([strict, {"command": "READ", "key": "access:k"}])).await;
    assert_eq!((&replies[0]["code"], &replies[1]["status"]), (&json!("shard_unavailable"), &json!("SUCCESS")));
}

/// Returns the command that the documentation gives for the ACL user.
fn documented_permissions() -> String {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md"));
    let page = page.expect("the page is readable");
    let line = page.lines().find_map(|line| line.strip_prefix("`ACL SETUSER ")?.split('`').next());
    format!("ACL SETUSER {}", line.expect("the page has the command"))
}

#[tokio::test]
async fn another_database_is_another_key_space() {
    let group = start(&Layout { replicas: 0, ..Layout::default() });
    let service = Service::start(&format!("[redis]\ndb=3\n{}", redis_section(&group)));
    expect_works(&service).await;
    assert!(group.master(0).ask("INFO keyspace").expect("an answer").contains("db3:keys=1"));
}

#[tokio::test]
async fn tls_to_redis_verifies_the_server_and_presents_a_client_certificate() {
    let Some(redis) = TlsRedis::start() else { return };
    let section = [redis.section(), redis.shard()].concat();
    expect_works(&Service::start(&section)).await;
    assert_eq!(redis.group.master(0).ask("GET access:k").expect("an answer"), "v");

    let without: String = section.split_inclusive('\n').filter(|line| !line.starts_with("client_")).collect();
    expect_unavailable(&Service::start(&without)).await;
    std::fs::write(redis.file("stranger.pem"), Authority::new("a stranger").pem()).expect("the authority is written");
    expect_unavailable(&Service::start(&section.replace("ca.pem", "stranger.pem"))).await;
}
