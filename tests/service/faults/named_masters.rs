//! Two masters as a person on call sees them: both are named, and the runbook ends it.

use super::{
    contests::{CONTESTED, two_masters},
    expect_ok, follow,
    standing::{until_refused, until_written},
    until_ready_at,
};
use crate::harness::{API_KEY, Answer, Caller, Instance, MetricsPage, eventually, redis_section};
use crate::local_redis::{RedisGroup, RedisProcess};
use serde_json::Value;
use std::process::Command;

/// Requests a page of the admin port.
pub async fn page(instance: &Instance, path: &str) -> Answer {
    let http = Caller::plain_http();
    Answer::of(http.get(format!("http://{}{path}", instance.admin()))).await
}

/// Waits until the only shard has a problem whose cause contains the text, and returns the shard.
pub async fn until_problem(instance: &Instance, cause: &str) -> Value {
    eventually(&format!("the problem is: {cause}"), async || {
        let shard = page(instance, "/console/facts").await.json()["shards"][0].clone();
        shard["problem"]["cause"].as_str()?.contains(cause).then_some(shard)
    })
    .await
}

/// Returns what `cachefront status` prints.
pub fn status(instance: &Instance) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cachefront"));
    let output = command.args(["status", "--admin", &format!("http://{}", instance.admin())]).output();
    String::from_utf8(output.expect("it runs").stdout).expect("text")
}

/// Starts a service in front of two masters. If `is_proven`, the second one is known to have been promoted.
async fn instance(is_proven: bool) -> (RedisGroup, Instance, Caller) {
    let group = two_masters().await;
    if !is_proven {
        expect_ok(&group.replicas(0)[0], "CONFIG RESETSTAT");
    }
    let instance = Instance::start(&group, &redis_section(&group)).await;
    let caller = Caller::log_in_at(&instance.url(), API_KEY, None).await;
    (group, instance, caller)
}

fn nodes(group: &RedisGroup) -> [&RedisProcess; 2] {
    [group.master(0), &group.replicas(0)[0]]
}

/// Expects that the console, the events, the log, `/readyz`, the metrics and `cachefront status` name both nodes.
async fn expect_named_everywhere(instance: &Instance, group: &RedisGroup) {
    let addresses = nodes(group).map(|node| node.address.to_string());
    let facts = page(instance, "/console/facts").await.json();
    let console = page(instance, "/console").await.text;
    let problem = &facts["shards"][0]["problem"];
    for sentence in [&problem["cause"], &problem["advice"]] {
        let sentence = sentence.as_str().expect("a sentence").replace('"', "&quot;");
        assert!(console.contains(&sentence), "the page lacks {sentence}: {console}");
        assert!(status(instance).contains(&sentence), "{}", status(instance));
    }
    assert!(console.contains("console/runbook#cachefrontshardcontested"), "{console}");
    assert!(console.contains("calls itself master</span>") && status(instance).contains("calls itself master"));
    let events = facts["events"].as_array().expect("a list").iter().filter_map(|event| event["text"].as_str());
    let event = events.into_iter().find(|text| text.contains("call themselves master")).expect("an event").to_owned();
    let ready = page(instance, "/readyz").await.text;
    assert!(!ready.contains("not reachable") && !console.contains("not reachable"), "{ready}");
    let log = instance.log();
    let line = log.lines().find(|line| line.contains("call themselves master")).expect("a line");
    for address in &addresses {
        for text in [problem["cause"].as_str().expect("a cause"), &event, line, &ready] {
            assert!(text.contains(address), "{text} lacks {address}");
        }
        let metrics = MetricsPage(page(instance, "/metrics").await.text);
        let of_node = format!("node=\"{address}\"");
        assert!((metrics.sum("cachefront_node_reports_master", &of_node) - 1.0).abs() < 1e-9);
    }
}

#[tokio::test]
async fn two_masters_that_contest_each_other_are_named_and_the_runbook_ends_the_contest() {
    let (group, instance, caller) = instance(false).await;
    until_refused(&caller, CONTESTED).await;
    let shard = until_problem(&instance, "nothing proves which of them was promoted last").await;
    assert_eq!((&shard["contested"], &shard["writable"]), (&Value::from(true), &Value::from(false)));
    let effect = shard["problem"]["effect"].as_str().expect("a sentence");
    assert!(
        effect.contains("so do READs that need the master") && effect.contains("1 node answers the other"),
        "{effect}"
    );
    expect_named_everywhere(&instance, &group).await;
    // Callers learn no address.
    let refused = caller.send(r#"{"command":"WRITE","key":"k","value":"v"}"#.to_owned()).await;
    assert!(nodes(&group).iter().all(|node| !refused.text.contains(&node.address.port.to_string())), "{refused:?}");
    // Steps 2 to 4 of the runbook.
    let [old, new] = nodes(&group);
    let related = [old, new]
        .map(|node| (node.info("master_replid").expect("an id"), node.info("master_replid2").expect("an id")));
    assert_eq!(related[1].1, related[0].0, "the history of the promoted node begins where the other one's ended");
    follow(old, new);
    until_written(&caller).await;
    until_ready_at(instance.admin_port, "READY").await;
    assert!(page(&instance, "/console/facts").await.json()["shards"][0]["problem"].is_null());
}

#[tokio::test]
async fn the_advice_about_a_second_master_is_a_command_that_ends_it() {
    let (group, instance, caller) = instance(true).await;
    until_written(&caller).await;
    let [old, new] = nodes(&group);
    let shard = until_problem(&instance, &format!("writes go to {}", new.address)).await;
    assert_eq!((&shard["contested"], &shard["writable"]), (&Value::from(true), &Value::from(true)));
    expect_named_everywhere(&instance, &group).await;
    let advice = shard["problem"]["advice"].as_str().expect("a sentence");
    let command = advice.strip_prefix(&format!("On {}: ", old.address)).and_then(|text| text.strip_suffix('.'));
    expect_ok(old, command.unwrap_or_else(|| panic!("{advice}")));
    until_ready_at(instance.admin_port, "READY").await;
    assert!(page(&instance, "/console/facts").await.json()["shards"][0]["problem"].is_null());
}
