//! Queries of the dashboard and expressions of the alerts, evaluated by a real Prometheus on a service under load.

use crate::harness::{Prometheus, Service, eventually, redis, redis_section};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/monitoring").join(name)
}

/// Collects all texts under a name at any depth.
fn texts(value: &Value, name: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get(name).and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|field| texts(field, name, found));
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, name, found)),
        _ => {}
    }
}

/// Returns the queries of a part of the dashboard with their variables replaced.
fn dashboard_queries(part: &str) -> Vec<String> {
    let text = fs::read_to_string(file("dashboard.json")).expect("the dashboard");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let mut queries = Vec::new();
    texts(&dashboard[part], "expr", &mut queries);
    let variables = [
        ("$__rate_interval", "10s"),
        ("$__range", "10s"),
        ("$job", "cachefront"),
        ("$namespace", ".*"),
        ("$instance", ".*"),
    ];
    queries
        .into_iter()
        .map(|query| variables.iter().fold(query, |query, (name, text)| query.replace(name, text)))
        .collect()
}

#[tokio::test]
async fn the_queries_of_the_dashboard_and_of_the_alerts_have_answers_in_prometheus() {
    let group = redis(2, 1);
    // The dashboard shows the memory of Redis as a share of its maximum.
    assert_eq!(group.master(0).ask("CONFIG SET maxmemory 256mb").expect("an answer"), "+OK");
    let service = Service::start(&format!("{}\n[telemetry]\ninspect_one_in=1\n", redis_section(&group)));
    let Some(prometheus) = Prometheus::start(&group, service.admin, &file("alerts.yaml")).await else { return };
    let caller = service.caller().await;
    caller.write("settled", &json!("v")).await;
    let round = async || {
        // Replicas answer for this key, which gives the inspection of answers something to measure.
        caller.read("settled").await;
        caller.write("k", &json!("v")).await;
        caller.read("k").await;
        caller.read("none").await;
        caller.run(json!([{"command": "DELETE", "key": "none"}, {"command": "READ", "key": "k"}])).await;
    };
    for _ in 0..10 {
        round().await;
    }
    let count = "sum(cachefront_commands_total{command=\"read\", outcome=\"success\"})";
    eventually("Prometheus has the counts", async || (prometheus.number(count).await? >= 20.0).then_some(())).await;
    assert_eq!(prometheus.number("up{job=\"cachefront\"}").await, Some(1.0));

    // Events are rare: Prometheus has to understand the queries about them.
    for query in dashboard_queries("annotations") {
        prometheus.query(&query).await;
    }
    let queries = dashboard_queries("panels");
    assert!(queries.len() > 20, "{queries:?}");
    for query in queries {
        assert!(!query.contains('$'), "{query} has a variable that nobody sets here");
        eventually(&format!("{query} has an answer"), async || {
            round().await;
            let result = prometheus.query(&query).await;
            let is_number = |row: &Value| row["value"][1].as_str().is_some_and(|value| value != "NaN");
            result.iter().any(is_number).then_some(())
        })
        .await;
    }
    // Prometheus has loaded the rules and can evaluate them; nothing is wrong, so nothing fires.
    let rules = prometheus.rules().await;
    assert!(rules.len() > 10, "{rules:?}");
    for rule in rules {
        prometheus.query(rule["query"].as_str().expect("an expression")).await;
        assert_ne!(rule["health"], "err", "{rule}");
        assert_ne!(rule["state"], "firing", "{rule}");
    }
}
