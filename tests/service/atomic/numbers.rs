//! INCREMENT.

use super::{Scene, increment, with};
use crate::harness::{Service, redis, redis_section};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};
use tokio::time::sleep;

#[tokio::test]
async fn an_increment_counts_and_only_a_new_key_gets_a_lifetime() {
    let scene = Scene::start().await;
    let counted = scene.run(with(increment("n"), json!({"expire": 1000}))).await;
    assert_eq!(counted, json!({"command": "INCREMENT", "status": "SUCCESS", "value": 1, "ttl": 1000}));
    let counted = scene.run(with(increment("n"), json!({"by": 41, "expire": 5}))).await;
    assert_eq!((&counted["value"], counted["ttl"].as_u64() > Some(5)), (&json!(42), true), "{counted}");
    assert_eq!(scene.redis("GET n"), "42", "a plain number");
    assert_eq!(scene.redis("INCRBY n 8"), ":50");
    assert_eq!(scene.caller.read("n").await, Some(json!("50")));
    let default = scene.run(increment("default")).await;
    assert_eq!(default["ttl"], 600);
    let eternal = scene.run(with(increment("eternal"), json!({"expire": 0, "by": -3}))).await;
    assert_eq!((&eternal["value"], &eternal["ttl"]), (&json!(-3), &Value::Null));
    assert_eq!(scene.redis("PTTL eternal"), ":-1");
}

#[tokio::test]
async fn a_number_that_was_written_in_any_way_can_be_incremented_and_other_values_are_refused_unchanged() {
    let scene = Scene::start().await;
    for (number, value) in [json!(41), json!("41")].iter().enumerate() {
        let key = format!("written:{number}");
        scene.run(json!({"command": "WRITE", "key": key, "value": value, "expire": 500})).await;
        let counted = scene.run(increment(&key)).await;
        assert_eq!((&counted["value"], &counted["ttl"]), (&json!(42), &json!(500)), "{value}");
        assert_eq!(scene.redis(&format!("GET {key}")), "42");
    }
    for (number, value) in
        [json!(1.5), json!("x"), json!(""), json!(" 1"), json!({"a": 1}), json!(u64::MAX), json!("0x10"), json!(null)]
            .iter()
            .enumerate()
    {
        let key = format!("other:{number}");
        scene.run(json!({"command": "WRITE", "key": key, "value": value, "expire": 500})).await;
        scene.caller.send(increment(&key).to_string()).await.expect_error(409, "not_a_number");
        assert_eq!(scene.caller.read(&key).await.as_ref(), Some(value));
        assert_eq!(scene.run(json!({"command": "TTL", "key": key})).await["ttl"], 500);
    }
    scene.redis("LPUSH list a");
    scene.caller.send(increment("list").to_string()).await.expect_error(409, "wrong_type");
}

#[tokio::test]
async fn numbers_of_64_bits_are_exact_and_never_overflow() {
    let scene = Scene::start().await;
    let beyond_doubles = 9_007_199_254_740_993_i64;
    for by in [beyond_doubles, i64::MAX, i64::MIN, -beyond_doubles] {
        let counted = scene.run(with(increment(&format!("n{by}")), json!({"by": by}))).await;
        assert_eq!(counted["value"].as_i64(), Some(by));
    }
    for (start, by) in [(i64::MAX, 1), (i64::MIN, -1)] {
        let more = with(increment(&format!("n{start}")), json!({"by": by}));
        scene.caller.send(more.to_string()).await.expect_error(409, "number_overflow");
        assert_eq!(scene.redis(&format!("GET n{start}")), start.to_string());
    }
}

#[tokio::test]
async fn an_increment_stops_at_its_limits_and_changes_nothing_then() {
    let scene = Scene::start().await;
    let up = |by: i64| with(increment("n"), json!({"by": by, "max": 10, "expire": 300}));
    assert_eq!(scene.run(up(11)).await, json!({"command": "INCREMENT", "status": "LIMITED", "value": 0, "ttl": null}));
    assert_eq!(scene.redis("EXISTS n"), ":0", "nothing was created");
    assert_eq!(scene.run(up(10)).await["status"], "SUCCESS");
    let limited = scene.run(up(1)).await;
    assert_eq!(limited, json!({"command": "INCREMENT", "status": "LIMITED", "value": 10, "ttl": 300}));
    let down = |by: i64, min: i64| with(increment("n"), json!({"by": by, "min": min, "max": 5000}));
    assert_eq!(scene.run(down(-11, 0)).await["status"], "LIMITED");
    assert_eq!(scene.run(down(-10, 0)).await["value"], 0);
    assert_eq!(scene.run(down(-5, -100)).await["value"], -5);
    // Back into the limits, from beyond them.
    assert_eq!(scene.run(with(increment("n"), json!({"by": 2, "min": 0}))).await["value"], -3);
    let extremes = json!({"by": 1, "max": i64::MAX, "min": i64::MIN});
    assert_eq!(scene.run(with(increment("n"), extremes)).await["value"], -2);
}

#[tokio::test]
async fn no_increment_of_several_instances_is_lost() {
    let group = redis(2, 1);
    let section = format!("{}[near_cache]\nenabled=true\n", redis_section(&group));
    let services = [Service::start(&section), Service::start(&section)];
    let callers = [services[0].caller().await, services[1].caller().await];
    let send = |number: usize| callers[number % 2].run(with(increment("shared"), json!({"by": 3})));
    let mut values: Vec<i64> =
        join_all((0..200).map(send)).await.iter().map(|reply| reply["value"].as_i64().expect("a number")).collect();
    values.sort_unstable();
    assert_eq!(values, (1..=200).map(|count| 3 * count).collect::<Vec<_>>(), "each sum occurs once");
    for caller in &callers {
        caller.until_read("shared", Some(&json!("600"))).await;
    }
    // An own change is seen at once, whatever the near cache had.
    for round in 1..50 {
        callers[0].run(increment("shared")).await;
        assert_eq!(callers[0].read("shared").await, Some(json!((600 + round).to_string())));
    }
}

#[tokio::test]
async fn an_increment_is_made_at_most_once_while_connections_are_cut() {
    const CALLERS: usize = 8;
    let scene = Scene::start().await;
    let ended = AtomicUsize::new(0);
    let count = async || {
        let (mut made, mut open) = (0_i64, 0_i64);
        for _ in 0..50 {
            let answer = scene.caller.send(increment("n").to_string()).await;
            match answer.json()["code"].as_str() {
                None => made += 1,
                Some("write_unconfirmed" | "deadline_passed") => open += 1,
                Some("shard_unavailable") => {}
                Some(_) => panic!("{answer:?}"),
            }
        }
        ended.fetch_add(1, Relaxed);
        (made, open)
    };
    let mut cuts = 0;
    let cut = async {
        while ended.load(Relaxed) < CALLERS {
            scene.redis("CLIENT KILL TYPE normal SKIPME yes");
            cuts += 1;
            sleep(Duration::from_millis(15)).await;
        }
    };
    let (counted, ()) = tokio::join!(join_all((0..CALLERS).map(|_| count())), cut);
    let (made, open) = counted.iter().fold((0, 0), |(made, open), one| (made + one.0, open + one.1));
    let value: i64 = scene.redis("GET n").parse().expect("a number");
    assert!((made..=made + open).contains(&value), "{value} after {made} and perhaps {open} more");
    assert!(made > 0 && cuts > 1, "{made} made, {cuts} cuts");
}
