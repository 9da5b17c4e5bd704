//! `/console`, the page about an instance on its admin port.
//!
//! The page as a whole is a snapshot: where it changes on purpose, accept it with
//! `INSTA_UPDATE=always cargo test --test service console::` and look at the difference. With `CI=true` a difference
//! always fails.

use crate::harness::{API_KEY, Answer, Caller, Cluster, JWT_SECRET, Service, eventually, redis, redis_section, shared};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const PATHS: [&str; 6] =
    ["/console", "/console/facts", "/console/view", "/console/runbook", "/console/console.css", "/console/console.js"];

async fn get(service: &Service, path: &str) -> Answer {
    let http = Caller::plain_http();
    Answer::of(http.get(format!("http://{}{path}", service.admin))).await
}

async fn facts(service: &Service) -> Value {
    let answer = get(service, "/console/facts").await;
    assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
    answer.json()
}

fn texts<'f>(facts: &'f Value, list: &str, field: &str) -> Vec<&'f str> {
    facts[list].as_array().into_iter().flatten().filter_map(|entry| entry[field].as_str()).collect()
}

/// Waits until the facts meet a condition, and returns them.
async fn until(service: &Service, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    eventually(what, async || Some(facts(service).await).filter(&is_so)).await
}

/// Returns the sum of the shares of all shards.
fn shares(facts: &Value) -> f64 {
    facts["shards"].as_array().into_iter().flatten().filter_map(|shard| shard["share"].as_f64()).sum()
}

#[tokio::test]
async fn the_console_is_served_on_the_admin_port_only_and_loads_nothing_from_elsewhere() {
    let service = shared();
    let http = Caller::http().build().expect("a client");
    for path in PATHS {
        let answer = get(service, path).await;
        assert_eq!(answer.status.as_u16(), 200, "{path}: {answer:?}");
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none';") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        Answer::of(http.get(service.url(path))).await.expect_error(404, "unknown_path");
    }
    let page = get(service, "/console").await.text;
    for inline in ["<style", "style=", "onclick", "onerror", "javascript:", "//cdn", "https://"] {
        assert!(!page.contains(inline), "the page has {inline}");
    }
    assert_eq!(page.matches("<script").count(), 1);
    assert!(!get(service, "/console/console.js").await.text.contains("innerHTML"));
}

#[tokio::test]
async fn the_page_shows_shards_nodes_and_figures_without_a_script() {
    let group = redis(2, 1);
    let service = Service::start(&redis_section(&group));
    let caller = service.caller().await;
    let keys: Vec<String> = (0..40).map(|number| format!("item:{number}")).collect();
    let facts = until(&service, "two shards are ready and rates are seen", |facts| facts["status"] == "READY").await;
    caller.fill(&keys).await;
    let facts = until(&service, "requests are counted", |now| {
        now["at_ms"].as_u64() > facts["at_ms"].as_u64() && now["rates"]["last_minute"]["requests_per_sec"] != 0.0
    })
    .await;
    assert_eq!(facts["version"], env!("CARGO_PKG_VERSION"));
    assert!((shares(&facts) - 1.0).abs() < 1e-9, "{facts}");
    let rate = &facts["rates"]["last_minute"];
    assert!(rate["commands_per_sec"].as_f64() > rate["requests_per_sec"].as_f64(), "batches count whole: {rate}");
    assert!(rate["p99_us"].as_f64() >= rate["p50_us"].as_f64() && rate["p50_us"].is_number(), "{rate}");
    assert!(facts["near_cache"]["bytes_max"].as_u64() > Some(0));
    assert!(rate["hits"].as_f64().is_some_and(|hits| hits > 0.0 && hits <= 1.0), "{rate}");
    let process = &facts["process"];
    assert!(process["memory_bytes"].as_u64() > Some(1 << 20) && process["connections"].as_u64() > Some(0), "{process}");
    assert!(process["certificate_until_secs"].as_i64().is_some_and(|secs| secs > 1_700_000_000), "{process}");
    assert!(facts["instance"].as_str().is_some_and(|name| !name.is_empty()) && facts["hour"].is_array(), "{facts}");
    let facts = until(&service, "the memory and the keys of each node are known", |facts| {
        let nodes =
            facts["shards"].as_array().into_iter().flatten().filter_map(|shard| shard["nodes"].as_array()).flatten();
        nodes.filter(|node| node["resources"]["keys"].is_u64()).count() == 4
    })
    .await;
    let page = get(&service, "/console").await.text;
    for node in (0..2).flat_map(|shard| [group.master(shard), &group.replicas(shard)[0]]) {
        assert!(page.contains(&node.address.to_string()), "the page lacks {}", node.address);
    }
    for part in ["<h1>Cachefront</h1>", ">Ready<", "role=\"img\"", "<caption", "scope=\"col\"", "started"] {
        assert!(page.contains(part), "the page lacks {part}");
    }
    // A phone shows the page from top to bottom.
    let place = |part: &str| page.find(part).unwrap_or_else(|| panic!("the page lacks {part}"));
    assert!(place("<h2>Events") < place("<h2>Errors") && place("<h2>Errors") < place("<h2>Ring and shards"));
    let roles = facts["shards"].as_array().into_iter().flatten().filter_map(|shard| shard["nodes"].as_array());
    let roles: Vec<&Value> = roles.flatten().map(|node| &node["role"]).collect();
    assert_eq!(roles, ["master", "replica", "master", "replica"]);
}

/// Replaces everything that stands between two texts by a mark, wherever they follow each other.
fn redact(text: &str, start: &str, end: &str, mark: &str) -> String {
    let mut parts = text.split(start);
    let mut redacted = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        redacted.push_str(start);
        match part.find(end) {
            Some(at) => redacted.extend([mark, &part[at..]]),
            None => redacted.push_str(part),
        }
    }
    redacted
}

#[tokio::test]
async fn the_page_of_an_idle_instance_matches_its_snapshot() {
    let group = redis(1, 1);
    let service = Service::start(&format!("[near_cache]\nbytes_max=1000000\n{}", redis_section(&group)));
    let page = eventually("the lag of the replica and the memory of both are known", async || {
        let page = get(&service, "/console").await.text;
        let is_known = page.contains("≤ ") && !page.contains("data-label=\"Memory\"><span>–");
        (page.contains(">Ready<") && is_known).then_some(page)
    })
    .await;
    let page = page.replace(env!("CARGO_PKG_VERSION"), "[version]");
    let page = page.replace(&group.master(0).address.to_string(), "[address of the master]");
    let mut page = page.replace(&group.replicas(0)[0].address.to_string(), "[address of the replica]");
    for (start, end) in [
        ("up for ", "<"),
        ("<time datetime=\"", "</time>"),
        ("<span class=\"age\">", "<"),
        ("≤ ", "<"),
        (" d=\"", "\""),
        ("data-at=\"", "\""),
        ("data-shown=\"", "\""),
        ("class=\"instance\"><code>", "<"),
        ("certificate ends in ", "<"),
        ("<td class=\"figure\" role=\"cell\" data-label=\"Memory\"><span>", "<"),
        ("<td class=\"figure\" role=\"cell\" data-label=\"Hits\"><span>", "<"),
        ("<h3>Process</h3><p class=\"big\"><strong>", "<"),
        ("memory ", "<"),
        (" of ", " connections"),
    ] {
        page = redact(&page, start, end, "[…]");
    }
    // One element a line, so that a difference can be read.
    insta::assert_snapshot!("idle", page.replace("><", ">\n<"));
}

#[tokio::test]
async fn a_lost_master_a_promotion_and_a_returned_node_are_events() {
    let group = redis(1, 1);
    let service = Service::start(&redis_section(&group));
    until(&service, "it is ready", |facts| facts["status"] == "READY").await;
    let (old, successor) = (group.master(0), &group.replicas(0)[0]);
    old.kill();
    let lost = eventually("the page says who is lost", async || {
        let page = get(&service, "/console").await.text;
        page.contains("master lost").then_some(page)
    })
    .await;
    let lost_master = format!("shard a: master {}", old.address);
    assert!(lost.contains(&lost_master), "the event names shard and role: {lost}");
    until(&service, "the master is down", |facts| facts["shards"][0]["nodes"][0]["state"] == "down").await;
    assert_eq!(
        service.caller().await.send(json!({"command": "WRITE", "key": "k", "value": "v"}).to_string()).await.status,
        503
    );
    let page = get(&service, "/console").await.text;
    assert!(page.contains(&format!("nobody: {} is down", old.address)), "{page}");
    assert!(!page.contains(&format!(
        "<code>{}</code></td><td class=\"figure\" role=\"cell\" data-label=\"Readable\"",
        old.address
    )));
    assert!(page.contains("WRITE and DELETE of 100.0 % of all keys fail"), "{page}");
    let effect = "READs that need the master: strict ones, and those of a key that the same batch changes. 1 node answers the other";
    assert!(page.contains(effect), "{page}");
    let caller = service.caller().await;
    let read = json!({"command": "READ", "key": "k"});
    let strict = json!({"command": "READ", "key": "k", "consistency": "master"});
    caller.send(strict.to_string()).await.expect_error(503, "shard_unavailable");
    let replies = caller.run(json!([{"command": "WRITE", "key": "k", "value": "v"}, read])).await;
    assert_eq!((&replies[1]["status"], &caller.run(read).await["status"]), (&json!("ERROR"), &json!("NOT_FOUND")));
    assert!(page.contains("console/runbook#cachefrontshardwithoutmaster"), "{page}");
    assert!(page.contains(">master down<") && page.contains("shard_unavailable"), "{page}");
    assert!(!page.contains("≤ "), "no lag is shown behind a dead master: {page}");
    let facts = until(&service, "the loss is an event", |facts| texts(facts, "events", "kind").contains(&"lost")).await;
    assert!(texts(&facts, "events", "text").iter().any(|text| text.contains(&old.address.to_string())));
    assert_eq!(successor.ask("REPLICAOF NO ONE").expect("an answer"), "+OK");
    let facts =
        until(&service, "the promotion is an event", |facts| texts(facts, "events", "kind").contains(&"promotion"))
            .await;
    let expected = format!("shard a: writes go to {} now, no longer to {}", successor.address, old.address);
    assert!(texts(&facts, "events", "text").contains(&expected.as_str()), "{facts}");
    until(&service, "the new master is shown", |facts| {
        let shard = &facts["shards"][0];
        shard["promotions"] == 1
            && shard["nodes"][0]["address"] == successor.address.to_string()
            && shard["nodes"][0]["role"] == "master"
            && shard["nodes"][1]["state"] == "down"
            && facts["status"] == "DEGRADED"
    })
    .await;
    assert!(get(&service, "/console").await.text.contains("failover"));
    old.start_again().expect("it starts");
    until(&service, "its return is an event", |facts| texts(facts, "events", "kind").contains(&"back")).await;
}

#[tokio::test]
async fn a_reload_is_an_event_that_names_options_and_no_values() {
    let group = redis(1, 0);
    let service = Service::start_with("RELOAD_EVERY_SECS=0\nREQUESTS_MAX=100", &redis_section(&group));
    service.edit(|text| text.replace("REQUESTS_MAX=100", "REQUESTS_MAX=77"));
    service.reload();
    let facts =
        until(&service, "the reload is an event", |facts| texts(facts, "events", "kind").contains(&"reload_applied"))
            .await;
    assert!(texts(&facts, "events", "text").contains(&"settings took effect: [service] REQUESTS_MAX"), "{facts}");
    assert_eq!(facts["in_progress_max"], 77);
    service.edit(|text| text.replace(JWT_SECRET, "short-secret"));
    service.reload();
    let facts =
        until(&service, "the refusal is an event", |facts| texts(facts, "events", "kind").contains(&"reload_refused"))
            .await;
    assert!(!facts.to_string().contains("short-secret"));
}

#[tokio::test]
async fn the_console_shows_no_secret_no_value_and_no_key() {
    let group = redis(1, 0);
    let service = Service::start(&redis_section(&group));
    let caller = service.caller().await;
    let hostile = |number: usize| format!("<script>alert('{number}')</script>\"&classified");
    let facts = eventually("some keys are sampled", async || {
        let read = |number| json!({"command": "READ", "key": hostile(number)});
        caller.run((0..500).map(read).collect()).await;
        caller.write(&hostile(0), &json!("a-private-value")).await;
        let facts = facts(&service).await;
        (!facts["patterns"]["top"].as_array()?.is_empty()).then_some(facts)
    })
    .await;
    assert_eq!(facts["patterns"]["hashed"], true);
    for path in PATHS {
        let text = get(&service, path).await.text;
        for secret in [JWT_SECRET, API_KEY, "a-private-value", "classified", "alert(", &caller.token] {
            assert!(!text.contains(secret), "{path} shows {secret}");
        }
    }
}

#[tokio::test]
async fn a_key_that_looks_like_markup_is_shown_as_text() {
    let group = redis(1, 0);
    let service = Service::start_with("CONSOLE_KEY_PATTERNS=shown", &redis_section(&group));
    let caller = service.caller().await;
    let key = "</td><script>alert(1)</script><img src=x onerror=\"alert(2)\">";
    eventually("the pattern is shown", async || {
        caller.run((0..500).map(|_| json!({"command": "READ", "key": key})).collect()).await;
        let patterns = &facts(&service).await["patterns"];
        (patterns["top"][0]["pattern"].as_str()? == key.replace(['1', '2'], "<n>")).then_some(())
    })
    .await;
    let page = get(&service, "/console").await.text;
    assert!(page.contains("&lt;/td&gt;&lt;script&gt;alert(&lt;n&gt;)"), "{page}");
    assert_eq!(page.matches("<script").count(), 1, "only its own");
    assert!(!page.contains("<img"), "{page}");
    // For the script it is a text as well.
    assert!(get(&service, "/console/view").await.json().to_string().contains("</td><script>alert(<n>)"));
}

#[tokio::test]
async fn the_console_shows_a_few_key_patterns_or_none_where_they_are_off() {
    let group = redis(1, 0);
    let service = Service::start_with("CONSOLE_KEY_PATTERNS=shown", &redis_section(&group));
    let caller = service.caller().await;
    let word =
        |number: usize| number.to_string().bytes().map(|digit| char::from(b'a' + digit - b'0')).collect::<String>();
    let mut round = 0;
    let seen = eventually("many patterns are sampled", async || {
        let read = |number| json!({"command": "READ", "key": word(number)});
        caller.run((round * 1000..(round + 1) * 1000).map(read).collect()).await;
        round += 1;
        let seen = facts(&service).await;
        (round > 20 && seen["patterns"]["top"].as_array()?.len() > 5).then_some(seen)
    })
    .await;
    let patterns: BTreeSet<_> =
        seen["patterns"]["top"].as_array().expect("a list").iter().map(Value::to_string).collect();
    assert!(patterns.len() <= 12, "{patterns:?}");
    let off = Service::start_with("CONSOLE_KEY_PATTERNS=off", &redis_section(&group));
    off.caller().await.run((0..1000).map(|_| json!({"command": "READ", "key": "k"})).collect()).await;
    assert_eq!(facts(&off).await["patterns"], Value::Null);
    assert!(!get(&off, "/console").await.text.contains("Key patterns"));
}

#[tokio::test]
async fn the_console_shows_the_slots_of_a_redis_cluster() {
    let cluster = Cluster::start(3, 0);
    let service = Service::start(&cluster.section());
    let facts =
        until(&service, "the slots are known", |facts| facts["shards"].as_array().is_some_and(|all| all.len() == 3))
            .await;
    assert_eq!(facts["cluster"], true);
    assert!((shares(&facts) - 1.0).abs() < 1e-9, "{facts}");
    let slots: u64 =
        facts["shards"].as_array().expect("a list").iter().filter_map(|shard| shard["slots"].as_u64()).sum();
    assert_eq!(slots, 16_384);
    assert!(get(&service, "/console").await.text.contains("Slots and shards"));
}
