//! `GET /metrics` on the admin port.
#![expect(clippy::float_cmp, reason = "what is compared are whole numbers")]

mod nodes;
mod prometheus;

use crate::harness::{
    API_KEY, Answer, Authority, Caller, MetricsPage, Service, eventually, promtool, redis, redis_section, shared,
};
use cachefront::{settings::hash_api_key, telemetry::metrics::names};
use serde_json::{Value, json};
use std::time::{Duration, UNIX_EPOCH};

const REQUESTS: &str = "cachefront_request_duration_seconds_count";
const COMMANDS: &str = "cachefront_commands_total";

fn read(key: &str) -> Value {
    json!({"command": "READ", "key": key})
}

fn write(key: &str) -> Value {
    json!({"command": "WRITE", "key": key, "value": "v"})
}

#[tokio::test]
async fn commands_and_requests_are_counted() {
    let group = redis(1, 1);
    let service = Service::plain(&redis_section(&group));
    let caller = service.caller().await;
    caller.run(write("metrics:k")).await;
    for _ in 0..3 {
        assert_eq!(caller.run(read("metrics:k")).await["status"], "SUCCESS");
    }
    caller.run(read("metrics:none")).await;
    caller.run(json!({"command": "DELETE", "key": "metrics:k"})).await;
    caller.send("{").await.expect_error(400, "invalid_json");
    caller.send(json!({"command": "READ"}).to_string()).await.expect_error(400, "invalid_field");
    caller.run(json!([write("metrics:l"), read("metrics:l"), read("metrics:none"), {"command": "READ"}, 7])).await;
    let stranger = Caller { token: "none".to_owned(), ..caller.clone() };
    stranger.send(read("metrics:k").to_string()).await.expect_error(401, "token_invalid");
    let login = json!({"api_key": "wrong"});
    Answer::of(caller.http.post(service.url("/login")).json(&login)).await.expect_error(401, "invalid_api_key");
    Answer::of(caller.http.get(service.url("/nowhere"))).await.expect_error(404, "unknown_path");

    let page = MetricsPage::of(&service).await;
    for (labels, count) in [
        (r#"command="write",outcome="success""#, 1.0),
        (r#"command="read",outcome="success""#, 3.0),
        (r#"command="read",outcome="not_found""#, 1.0),
        (r#"command="read",outcome="client_error""#, 1.0),
        (r#"command="delete",outcome="success""#, 1.0),
        (r#"command="batch",outcome="success""#, 1.0),
        (r#"endpoint="cache",command="none",outcome="client_error""#, 1.0),
        (r#"endpoint="cache",command="none",outcome="unauthorized""#, 1.0),
        (r#"endpoint="login",command="none",outcome="success""#, 1.0),
        (r#"endpoint="login",command="none",outcome="unauthorized""#, 1.0),
        (r#"endpoint="other",command="none",outcome="client_error""#, 1.0),
        (r#"endpoint="cache""#, 10.0),
    ] {
        assert_eq!(page.sum(REQUESTS, labels), count, "{labels}\n{}", page.0);
    }
    for (labels, count) in [
        (r#"command="write",outcome="success""#, 2.0),
        (r#"command="read",outcome="success""#, 4.0),
        (r#"command="read",outcome="not_found""#, 2.0),
        (r#"command="read",outcome="client_error""#, 2.0),
        (r#"command="none",outcome="client_error""#, 2.0),
        (r#"command="none",outcome="unauthorized""#, 1.0),
    ] {
        assert_eq!(page.sum(COMMANDS, labels), count, "{labels}\n{}", page.0);
    }
    assert_eq!(page.sum("cachefront_logins_total", r#"outcome="refused""#), 1.0);
    assert_eq!(page.sum("cachefront_token_cache_lookups_total", r#"outcome="hit""#), 8.0);
    assert_eq!(page.sum("cachefront_token_cache_lookups_total", r#"outcome="miss""#), 2.0);
    // All went to Redis but for what could not be read: four of a batch travel in at most three messages.
    let trips = page.sum("cachefront_node_duration_seconds_count", "");
    assert!((8.0..=9.0).contains(&trips), "{trips}");
    assert!(page.sum("cachefront_request_duration_seconds_sum", r#"command="read""#) > 0.0);
    assert!(page.sum("cachefront_connections_accepted_total", r#"listener="service""#) >= 1.0);
}

#[tokio::test]
async fn every_command_is_counted_under_its_name_alone_and_in_batches() {
    let (_redis, service) = Service::with_own_redis();
    let caller = service.caller().await;
    for command in ["READ", "DELETE", "TOUCH", "TTL", "EXISTS", "INCREMENT"] {
        let command = json!({"command": command, "key": format!("metrics:{command}")});
        caller.run(json!([command, command])).await;
        caller.run(command).await;
    }
    let once = json!({"command": "WRITE", "key": "metrics:once", "value": 1, "if_absent": true});
    let limit = json!({"command": "RATE_LIMIT", "key": "metrics:limit", "limit": 1, "per": 3600});
    for command in [once, limit] {
        caller.run(json!([command, command])).await;
        caller.run(command).await;
    }
    let page = MetricsPage::of(&service).await;
    for (command, outcome, alone, all) in [
        ("read", "not_found", 1.0, 3.0),
        ("delete", "not_found", 1.0, 3.0),
        ("touch", "not_found", 1.0, 3.0),
        ("ttl", "not_found", 1.0, 3.0),
        ("exists", "not_found", 1.0, 3.0),
        ("increment", "success", 1.0, 3.0),
        ("write", "success", 0.0, 1.0),
        ("write", "conflict", 1.0, 2.0),
        ("rate_limit", "success", 0.0, 1.0),
        ("rate_limit", "limited", 1.0, 2.0),
    ] {
        let labels = format!(r#"command="{command}",outcome="{outcome}""#);
        assert_eq!(page.sum(REQUESTS, &format!(r#"endpoint="cache",{labels}"#)), alone, "{labels}");
        assert_eq!(page.sum(COMMANDS, &labels), all, "{labels}");
    }
    assert_eq!(page.sum(REQUESTS, r#"endpoint="cache""#), 16.0);
}

#[tokio::test]
async fn errors_are_counted_by_outcome() {
    let client = format!("[client:limited]\napi_key_hash={}\ncommands_per_second=1\n", hash_api_key("the-limited-key"));
    let client = format!("{client}namespace=*\nscopes=read\n");
    let service = Service::start(&format!("[shard:lost]\nmaster=127.0.0.1:1\n{client}"));
    let limited = Caller::log_in(&service, "the-limited-key", None).await;
    service.caller().await.send(read("k").to_string()).await.expect_error(503, "shard_unavailable");
    limited.send(write("k").to_string()).await.expect_error(403, "scope_missing");
    // A command without permission counts, too.
    limited.send(read("k").to_string()).await.expect_error(429, "rate_limited");
    let page = MetricsPage::of(&service).await;
    for (command, outcome) in [("write", "forbidden"), ("read", "unavailable"), ("read", "rate_limited")] {
        let labels = format!("command=\"{command}\",outcome=\"{outcome}\"");
        assert_eq!((page.sum(REQUESTS, &labels), page.sum(COMMANDS, &labels)), (1.0, 1.0), "{labels}");
    }
    assert_eq!(page.sum("cachefront_shard_readable", r#"shard="lost""#), 0.0);
    let http = Caller::http().build().expect("a client");
    Answer::of(http.get(service.url("/nowhere"))).await.expect_error(404, "unknown_path");
    Answer::of(http.post(service.url("/login")).json(&json!({"api_key": "no"})))
        .await
        .expect_error(401, "invalid_api_key");
    limited.run(json!([write("k"), write("k"), write("k")])).await;
    let page = MetricsPage::of(&service).await;
    let errors = |code: &str| page.sum("cachefront_errors_total", &format!("code=\"{code}\""));
    assert_eq!((errors("shard_unavailable"), errors("unknown_path"), errors("invalid_api_key")), (1.0, 1.0, 1.0));
    assert_eq!(errors("scope_missing") + errors("rate_limited"), 5.0, "each command of a batch counts: {}", page.0);
}

#[tokio::test]
async fn shed_requests_are_counted() {
    let group = redis(1, 0);
    let service = Service::start_with("REQUESTS_MAX=1", &redis_section(&group));
    let caller = service.caller().await;
    caller.run(write("k")).await;
    group.master(0).ask("CLIENT PAUSE 500 ALL").expect("an answer");
    let answers = futures_util::future::join_all((0..4).map(|_| caller.send(read("k").to_string()))).await;
    let shed = answers.iter().filter(|answer| answer.text.contains("\"overloaded\"")).count();
    assert!(shed > 0, "{answers:?}");
    let page = MetricsPage::of(&service).await;
    assert_eq!(page.sum("cachefront_sheds_total", r#"cause="requests""#), f64::from(u32::try_from(shed).expect("few")));
    assert_eq!(page.sum("cachefront_requests_max", ""), 1.0);
}

#[tokio::test]
async fn sealed_values_and_failed_decryptions_are_counted() {
    let group = redis(1, 0);
    let key = "ENCRYPTION_KEY=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    let service = Service::start_with(key, &redis_section(&group));
    let caller = service.caller().await;
    caller.run(json!({"command": "WRITE", "key": "k", "value": "v", "encrypt": true})).await;
    caller.run(write("plain")).await;
    assert_eq!((caller.read("k").await, caller.read("plain").await), (Some(json!("v")), Some(json!("v"))));
    // Under another key it is not what was sealed.
    assert_eq!(group.master(0).ask("COPY k moved").expect("an answer"), ":1");
    caller.send(read("moved").to_string()).await.expect_error(500, "decryption_failed");
    let page = MetricsPage::of(&service).await;
    let opened = |outcome: &str| page.sum("cachefront_values_opened_total", &format!("outcome=\"{outcome}\""));
    assert_eq!(page.sum("cachefront_values_sealed_total", ""), 1.0);
    assert_eq!((opened("opened"), opened("not_authentic"), opened("unknown_key")), (1.0, 1.0, 0.0));
    assert_eq!(page.sum(COMMANDS, r#"outcome="decryption_failed""#), 1.0);
}

#[tokio::test]
async fn reloads_and_the_expiry_of_the_certificate_are_shown() {
    let service = Service::start_with("RELOAD_EVERY_SECS=0", "[shard:lost]\nmaster=127.0.0.1:1\n");
    let page = MetricsPage::of(&service).await;
    let expiry = page.sum("cachefront_certificate_expiry_timestamp_seconds", "");
    assert_eq!(page.sum("cachefront_settings_last_reload_successful", ""), 1.0);
    let http = Caller::http().build().expect("a client");
    assert_eq!(Answer::of(http.get(service.url("/version"))).await.status.as_u16(), 200);

    service.edit(|text| text.replace("LOG_LEVEL=off", "LOG_LEVEL=off\nNONSENSE=1"));
    service.reload();
    let refused = r#"outcome="refused""#;
    let page = MetricsPage::until(&service, "cachefront_settings_reloads_total", refused, |count| count == 1.0).await;
    assert_eq!(page.sum("cachefront_settings_last_reload_successful", ""), 0.0);

    // 2040-01-01.
    let end_secs = 2_208_988_800;
    let end = UNIX_EPOCH + Duration::from_secs(end_secs);
    Authority::new("another authority").issue_until(service.folder(), "service", end);
    service.edit(|text| text.replace("\nNONSENSE=1", ""));
    service.reload();
    let applied = r#"outcome="applied""#;
    let page = MetricsPage::until(&service, "cachefront_settings_reloads_total", applied, |count| count == 1.0).await;
    assert_eq!(page.sum("cachefront_settings_last_reload_successful", ""), 1.0);
    assert_eq!(page.sum("cachefront_certificate_expiry_timestamp_seconds", ""), 2_208_988_800.0);
    assert_ne!(expiry, 2_208_988_800.0);
    let from = page.sum("cachefront_certificate_valid_from_timestamp_seconds", r#"certificate="service""#);
    assert!(from > 0.0 && from < 2_208_988_800.0, "{from}");
    // The old client does not trust the new authority, and says so in the handshake.
    Caller::http().build().expect("a client").get(service.url("/version")).send().await.expect_err("no trust");
    MetricsPage::until(&service, "cachefront_handshakes_failed_total", r#"listener="service""#, |count| count >= 1.0)
        .await;
    drop(http);
    MetricsPage::until(&service, "cachefront_connections_open", r#"listener="service""#, |count| count == 0.0).await;
}

#[tokio::test]
async fn refused_connections_are_counted() {
    let service = Service::start_with("CONNECTIONS_MAX=1", "[shard:lost]\nmaster=127.0.0.1:1\n");
    let one = Caller::http().build().expect("a client");
    assert_eq!(Answer::of(one.get(service.url("/version"))).await.status.as_u16(), 200);
    Caller::http().build().expect("a client").get(service.url("/version")).send().await.expect_err("no place");
    let page = MetricsPage::of(&service).await;
    let of_service = |name: &str| page.sum(name, r#"listener="service""#);
    assert_eq!((of_service("cachefront_connections_open"), of_service("cachefront_connections_max")), (1.0, 1.0));
    assert!(of_service("cachefront_connections_refused_total") >= 1.0);
}

#[tokio::test]
async fn hits_entries_and_invalidations_of_the_near_cache_are_counted() {
    let group = redis(1, 0);
    let service = Service::start(&redis_section(&group));
    let caller = service.caller().await;
    caller.write("k", &json!("v")).await;
    // Cached from the second read on; later reads reach no node.
    for _ in 0..10 {
        assert_eq!(caller.read("k").await, Some(json!("v")));
    }
    let page = MetricsPage::of(&service).await;
    let (hits, misses) = ("outcome=\"hit\"", "outcome=\"miss\"");
    let lookups = |labels: &str| page.sum("cachefront_near_cache_lookups_total", labels);
    assert!(lookups(hits) >= 1.0 && lookups(misses) >= 2.0, "{}", page.0);
    assert_eq!(lookups(hits) + lookups(misses), 10.0);
    let trips = page.sum("cachefront_node_duration_seconds_count", "");
    assert_eq!(trips, 1.0 + lookups(misses), "{}", page.0);
    assert_eq!(page.sum("cachefront_near_cache_kept_total", ""), 1.0);
    assert_eq!(page.sum("cachefront_near_cache_entries", ""), 1.0);
    assert!(page.sum("cachefront_near_cache_bytes", "") > 0.0);
    group.master(0).ask("SET k w").expect("an answer");
    MetricsPage::until(&service, "cachefront_near_cache_forgotten_total", "", |count| count >= 1.0).await;
    let off = Service::start("[near_cache]\nenabled=false\n[shard:lost]\nmaster=127.0.0.1:1\n");
    assert!(!MetricsPage::of(&off).await.has("cachefront_near_cache_entries", ""));
}

#[tokio::test]
async fn both_formats_show_exactly_the_listed_metrics() {
    let service = shared();
    let caller = service.caller().await;
    caller.until_read("metrics:nothing", None).await;
    let page = eventually("the lag of a replica and the keys of a node are known", async || {
        let page = MetricsPage::of(service).await;
        let is_known = page.has("cachefront_node_replication_lag_seconds", "") && page.has("cachefront_node_keys", "");
        is_known.then_some(page)
    })
    .await;
    assert!(page.0.ends_with("# EOF\n"));
    let plain = MetricsPage(MetricsPage::in_format(service, "*/*").await.text);
    assert!(!plain.0.contains("EOF") && !plain.0.contains("# UNIT"));
    for metric in names::ALL {
        let sample = if metric.kind == names::MetricKind::Histogram { "_count" } else { "" };
        for page in [&page, &plain] {
            assert!(page.has(&format!("{}{sample}", metric.name), ""), "{} is missing in {}", metric.name, page.0);
        }
        assert!(page.0.contains(&format!("# TYPE {} ", metric.family())), "{}", metric.name);
        assert!(plain.0.contains(&format!("# TYPE {} ", metric.name)), "{}", metric.name);
    }
    let count = |page: &MetricsPage| page.0.lines().filter(|line| line.starts_with("# TYPE")).count();
    assert_eq!((count(&page), count(&plain)), (names::ALL.len(), names::ALL.len()));
    assert!(!page.0.contains(API_KEY) && !page.0.contains("metrics:nothing"));
    if let Some((content, said)) = promtool(&["check", "metrics"], &plain.0) {
        assert!(content && said.trim().is_empty(), "{said}");
    }
    let https = Caller::http().build().expect("a client");
    Answer::of(https.get(service.url("/metrics"))).await.expect_error(404, "unknown_path");
}
