//! RATE_LIMIT.

use super::{Scene, ask};
use crate::harness::{Service, eventually, redis, redis_section};
use futures_util::future::join_all;
use serde_json::{Value, json};

#[tokio::test]
async fn a_rate_limit_allows_exactly_its_uses_over_several_instances() {
    let group = redis(1, 1);
    let services = [Service::start(&redis_section(&group)), Service::start(&redis_section(&group))];
    let callers = [services[0].caller().await, services[1].caller().await];
    let replies = join_all((0..100).map(|number| callers[number % 2].run(ask("ada", 1)))).await;
    let (allowed, refused): (Vec<&Value>, Vec<&Value>) = replies.iter().partition(|reply| reply["allowed"] == true);
    assert_eq!((allowed.len(), refused.len()), (20, 80));
    let mut left: Vec<u64> = allowed.iter().map(|reply| reply["remaining"].as_u64().expect("a number")).collect();
    left.sort_unstable();
    assert_eq!(left, (0..20).collect::<Vec<_>>());
    for reply in refused {
        let wait = reply["retry_after_ms"].as_u64().expect("a number");
        assert!((1..=180_000).contains(&wait) && reply["remaining"] == 0, "one use each three minutes: {reply}");
        assert!((3_500_000..=3_600_000).contains(&reply["reset_ms"].as_u64().expect("a number")), "{reply}");
    }
    let looked = callers[0].run(ask("ada", 0)).await;
    assert_eq!((&looked["allowed"], &looked["remaining"]), (&json!(true), &json!(0)), "looking costs nothing");
    assert_eq!(callers[0].run(ask("bob", 15)).await["remaining"], 5);
    assert_eq!(callers[0].run(ask("bob", 6)).await["allowed"], false, "all or nothing");
    assert_eq!(callers[0].run(ask("bob", 5)).await["remaining"], 0);
    callers[0].run(json!({"command": "DELETE", "key": "ada"})).await;
    let fresh = callers[0].run(ask("ada", 1)).await;
    assert_eq!(fresh["remaining"], 19, "a DELETE fills the bucket: {fresh}");
}

#[tokio::test]
async fn uses_come_back_one_by_one() {
    let scene = Scene::start().await;
    let ask = || json!({"command": "RATE_LIMIT", "key": "quick", "limit": 5, "per": 1});
    for _ in 0..5 {
        assert_eq!(scene.run(ask()).await["allowed"], true);
    }
    eventually("a use is back", async || (scene.run(ask()).await["allowed"] == true).then_some(())).await;
    eventually("the key goes when the bucket is full", async || (scene.redis("EXISTS quick") == ":0").then_some(()))
        .await;
    scene.caller.write("foreign", &json!("42")).await;
    let foreign = json!({"command": "RATE_LIMIT", "key": "foreign", "limit": 5, "per": 1});
    scene.caller.send(foreign.to_string()).await.expect_error(409, "not_a_limiter");
    assert_eq!(scene.redis("GET foreign"), "42");
}
