//! Traces in a collector, and collectors that fail.

use crate::harness::{
    API_KEY, Answer, Caller, Collector, Instance, attribute, authority, redis, redis_section, signal, span_count,
};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";
const ALL: &str = "trace_sample_ratio=1\n";
const NONE: &str = "trace_sample_ratio=0\n";

async fn caller(instance: &Instance) -> Caller {
    Caller::log_in_at(&instance.url(), API_KEY, None).await
}

/// Sends a command or batch with an id and other headers.
async fn send(caller: &Caller, id: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let request = caller.http.post(&caller.url).header(AUTHORIZATION, format!("Bearer {}", caller.token));
    let request = request.header(CONTENT_TYPE, "application/json").header("x-request-id", id);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    Answer::of(request.body(body.to_string())).await
}

#[tokio::test]
async fn a_trace_goes_from_the_request_to_the_node_and_shows_no_key_and_no_value() {
    let (collector, group) = (Collector::start(), redis(1, 0));
    let sections =
        format!("{}{}", redis_section(&group), collector.section(&format!("{ALL}service_name=shop-cache\n")));
    let instance = Instance::start(&group, &sections).await;
    let caller = caller(&instance).await;
    let read = json!({"command": "READ", "key": "secret-key"});
    let write = json!({"command": "WRITE", "key": "secret-key", "value": "secret-value"});
    let delete = json!({"command": "DELETE", "key": "secret-key"});
    let batch = json!([read, {"command": "READ", "key": "secret-key-2"}, {"command": "DELETE", "key": "secret-key-3"}]);
    let shapes = [
        ("1", &write, "POST /cache write success (shard write success (node success))"),
        ("2", &read, "POST /cache read success (near cache miss, shard read success (node success))"),
        ("3", &read, "POST /cache read success (near cache fetched (shard read success (node success 3)))"),
        ("4", &read, "POST /cache read success (near cache hit)"),
        ("5", &batch, "POST /cache batch success 3 (near cache 2, shard batch 2 (node success, node success))"),
        ("6", &delete, "POST /cache delete success (shard delete success (node success))"),
        ("7", &read, "POST /cache read not_found (near cache fetched (shard read not_found (node success 3)))"),
    ];
    for (id, command, shape) in shapes {
        let answer = send(&caller, id, &[], command).await;
        assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
        assert_eq!(collector.trace(id).await.shape(), shape, "request {id}");
    }
    let trace = collector.trace("2").await;
    let (shard, node) = (trace.find("shard"), trace.find("node"));
    assert_eq!(attribute(&trace.root, "http.response.status_code"), "200");
    assert_eq!(attribute(shard, "shard"), group.shards().next().expect("a shard").0);
    assert_eq!(attribute(node, "node"), group.shards().next().expect("a shard").1.to_string());
    assert!(trace.root.parent_span_id.is_empty(), "{trace:?}");
    assert!(collector.services().iter().all(|name| name == "shop-cache"));
    let all = format!("{:?}", collector.spans());
    assert!(all.contains("POST /login") && !all.contains("secret-") && !all.contains(&caller.token), "{all}");
    assert!(!all.contains("healthz") && !all.contains("/metrics"), "{all}");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

#[tokio::test]
async fn the_sampling_decision_of_the_caller_overrides_the_ratio() {
    let (collector, group) = (Collector::start(), redis(1, 0));
    let instance = Instance::start(&group, &format!("{}{}", redis_section(&group), collector.section(NONE))).await;
    let caller = caller(&instance).await;
    let read = json!({"command": "READ", "key": "k"});
    let (sampled, unsampled) = (format!("00-{TRACE}-{PARENT}-01"), format!("00-{TRACE}-{PARENT}-00"));
    for (id, parent) in
        [("none", None), ("unsampled", Some(&*unsampled)), ("broken", Some("00-zz-1-01")), ("empty", Some(""))]
    {
        let headers: Vec<_> = parent.map(|parent| ("traceparent", parent)).into_iter().collect();
        send(&caller, id, &headers, &read).await;
    }
    send(&caller, "sampled", &[("traceparent", &sampled), ("tracestate", "shop=42")], &read).await;
    let trace = collector.trace("sampled").await;
    assert_eq!((hex(&trace.root.trace_id), hex(&trace.root.parent_span_id)), (TRACE.to_owned(), PARENT.to_owned()));
    assert_eq!(trace.root.trace_state, "shop=42");
    // This span was sent last, so that any other would have arrived.
    let others: Vec<_> = collector.spans().into_iter().filter(|span| hex(&span.trace_id) != TRACE).collect();
    assert!(others.is_empty(), "{others:?}");
}

#[tokio::test]
async fn a_failed_request_is_marked_in_its_trace_and_logged_with_the_trace_id() {
    let (collector, group) = (Collector::start(), redis(1, 0));
    let instance = Instance::start(&group, &format!("[redis]\nport=1\n{}", collector.section(NONE))).await;
    let caller = caller(&instance).await;
    let sampled = format!("00-{TRACE}-{PARENT}-01");
    let read = json!({"command": "READ", "key": "k"});
    send(&caller, "bad", &[("traceparent", &sampled)], &read).await.expect_error(503, "shard_unavailable");
    send(&caller, "untraced", &[], &read).await.expect_error(503, "shard_unavailable");
    let trace = collector.trace("bad").await;
    assert_eq!(attribute(&trace.root, "outcome"), "unavailable");
    assert_eq!(trace.root.status.as_ref().map(|status| status.code), Some(2), "{trace:?}");
    let line = |id: &str| -> Value {
        let text = instance.log();
        let line = text.lines().find(|line| line.contains(&format!("\"{id}\""))).map(str::to_owned);
        serde_json::from_str(&line.unwrap_or_else(|| panic!("{id} is not in {text}"))).expect("JSON")
    };
    assert_eq!((&line("bad")["trace_id"], &line("bad")["code"]), (&json!(TRACE), &json!("shard_unavailable")));
    assert_eq!(line("untraced")["trace_id"], Value::Null);
    assert!(line("bad")["span"].is_null() && line("bad")["spans"].is_null(), "{}", line("bad"));
}

#[tokio::test]
async fn a_missing_or_hanging_collector_delays_no_request() {
    let (hanging, group) = (Collector::hanging(), redis(1, 0));
    let nowhere = "\n[telemetry]\notlp_endpoint=http://127.0.0.1:1\ntrace_sample_ratio=1\n".to_owned();
    for (section, outcome) in [(nowhere, "failed"), (hanging.section(ALL), "dropped")] {
        let instance = Instance::start(&group, &format!("{}{section}", redis_section(&group))).await;
        let caller = caller(&instance).await;
        let asking = (0..16).map(|number| {
            let (caller, instance) = (caller.clone(), &instance);
            async move {
                let mut slowest = Duration::ZERO;
                for round in 0.. {
                    let start = Instant::now();
                    caller.read(&format!("k-{number}-{round}")).await;
                    slowest = slowest.max(start.elapsed());
                    // Only now and then, because a look costs more than a request.
                    if round % 100 == 99 && span_count(instance, outcome).await > 0.0 {
                        break;
                    }
                }
                slowest
            }
        });
        let slowest = futures_util::future::join_all(asking).await.into_iter().max().expect("callers");
        // A request that waited for the collector would wait for its timeout of 5 s.
        assert!(slowest < Duration::from_secs(4), "{outcome}: {slowest:?}");
        assert!(span_count(&instance, "sent").await < 1.0);
        let log = instance.log();
        let said = log.lines().filter(|line| line.contains("WARN") && line.contains("spans")).count();
        assert!((1..=2).contains(&said), "{log}");
        // The shutdown does not wait for the collector either.
        let start = Instant::now();
        signal("-TERM", instance.process_id());
        assert!(instance.ended().await);
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn the_last_spans_are_sent_before_the_end_and_over_tls() {
    let (collector, group) = (Collector::with_tls(), redis(1, 0));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, authority().pem()).expect("the authority is written");
    let section = collector.section(&format!("{ALL}otlp_ca_cert={}\n", path.display()));
    let instance = Instance::start(&group, &format!("{}{section}", redis_section(&group))).await;
    let caller = caller(&instance).await;
    for number in 0..50 {
        send(&caller, &format!("last-{number}"), &[], &json!({"command": "READ", "key": "k"})).await;
    }
    signal("-TERM", instance.process_id());
    assert!(instance.ended().await);
    let ids: Vec<String> = collector.spans().iter().map(|span| attribute(span, "request_id")).collect();
    let missing: Vec<_> = (0..50).map(|number| format!("last-{number}")).filter(|id| !ids.contains(id)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
