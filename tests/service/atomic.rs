//! TOUCH, TTL, EXISTS, INCREMENT and RATE_LIMIT, and the conditions of a WRITE.

use crate::{
    harness::{Answer, Caller, Cluster, Service, calls, eventually, redis, redis_section},
    local_redis::RedisGroup,
};
use futures_util::future::join_all;
use serde_json::{Value, json};

/// A service with a Redis node that nobody else uses, and a caller.
struct Scene {
    group: RedisGroup,
    _service: Service,
    caller: Caller,
}

impl Scene {
    async fn start() -> Self {
        let (group, service) = Service::with_own_redis();
        let caller = service.caller().await;
        Self { group, _service: service, caller }
    }

    /// Sends a command of Redis to the master.
    fn redis(&self, command: &str) -> String {
        self.group.master(0).ask(command).expect("an answer")
    }

    async fn run(&self, command: Value) -> Value {
        self.caller.run(command).await
    }
}

fn increment(key: &str) -> Value {
    json!({"command": "INCREMENT", "key": key})
}

/// Returns `command` with more fields.
fn with(mut command: Value, fields: Value) -> Value {
    let Value::Object(fields) = fields else { panic!("an object") };
    command.as_object_mut().expect("an object").extend(fields);
    command
}

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

fn ask(key: &str, cost: u32) -> Value {
    json!({"command": "RATE_LIMIT", "key": key, "limit": 20, "per": 3600, "cost": cost})
}

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

#[tokio::test]
async fn lifetimes_are_asked_for_prolonged_and_ended() {
    let scene = Scene::start().await;
    scene.run(json!({"command": "WRITE", "key": "k", "value": {"a": 1}, "expire": 100})).await;
    let ttl = || json!({"command": "TTL", "key": "k"});
    assert_eq!(scene.run(ttl()).await, json!({"command": "TTL", "status": "SUCCESS", "ttl": 100}));
    assert_eq!(
        scene.run(json!({"command": "EXISTS", "key": "k"})).await,
        json!({"command": "EXISTS", "status": "SUCCESS"})
    );
    let touched = scene.run(json!({"command": "TOUCH", "key": "k", "expire": 900})).await;
    assert_eq!(touched, json!({"command": "TOUCH", "status": "SUCCESS", "ttl": 900}));
    assert_eq!(scene.run(ttl()).await["ttl"], 900);
    assert_eq!(scene.run(json!({"command": "TOUCH", "key": "k"})).await["ttl"], 600, "the default");
    let read = scene.run(json!({"command": "READ", "key": "k", "touch": 50})).await;
    assert_eq!(read, json!({"command": "READ", "status": "SUCCESS", "value": {"a": 1}}));
    assert_eq!(scene.run(ttl()).await["ttl"], 50);
    scene.run(json!({"command": "READ", "key": "k", "touch": 0})).await;
    assert_eq!(scene.run(ttl()).await["ttl"], Value::Null);
    scene.run(json!({"command": "TOUCH", "key": "k", "expire": 70})).await;
    assert_eq!(scene.run(json!({"command": "TOUCH", "key": "k", "expire": -1})).await["ttl"], Value::Null);
    assert_eq!(scene.redis("PTTL k"), ":-1");
    for command in ["TTL", "EXISTS", "TOUCH"] {
        let missed = scene.run(json!({"command": command, "key": "nothing"})).await;
        assert_eq!(missed, json!({"command": command, "status": "NOT_FOUND", "message": "nothing Key not found"}));
    }
    let missed = scene.run(json!({"command": "READ", "key": "nothing", "touch": 9})).await;
    assert_eq!(missed["status"], "NOT_FOUND");
}

#[tokio::test]
async fn a_write_may_ask_that_nothing_is_there_or_that_the_lifetime_stays() {
    let scene = Scene::start().await;
    let write = |value: u32, fields: Value| with(json!({"command": "WRITE", "key": "k", "value": value}), fields);
    let first = scene.run(write(1, json!({"if_absent": true, "expire": 100}))).await;
    assert_eq!(first, json!({"command": "WRITE", "status": "SUCCESS", "value": 1}));
    let second = scene.run(write(2, json!({"if_absent": true, "expire": 999}))).await;
    assert_eq!(second, json!({"command": "WRITE", "status": "CONFLICT", "message": "k Key exists"}));
    assert_eq!(scene.caller.read("k").await, Some(json!(1)));
    scene.run(write(3, json!({"keep_expire": true}))).await;
    assert_eq!(scene.caller.read("k").await, Some(json!(3)));
    assert_eq!(scene.run(json!({"command": "TTL", "key": "k"})).await["ttl"], 100);
    let claims = join_all(
        (0..64).map(|value| scene.run(json!({"command": "WRITE", "key": "claim", "value": value, "if_absent": true}))),
    )
    .await;
    assert_eq!(claims.iter().filter(|claim| claim["status"] == "SUCCESS").count(), 1);
}

#[tokio::test]
async fn a_batch_runs_all_commands_in_order() {
    let scene = Scene::start().await;
    let batch = json!([
        {"command": "INCREMENT", "key": "n", "by": 5},
        {"command": "READ", "key": "n"},
        {"command": "INCREMENT", "key": "n", "by": 1, "max": 5},
        {"command": "TTL", "key": "n"},
        {"command": "TOUCH", "key": "n", "expire": 30},
        {"command": "TTL", "key": "n"},
        {"command": "READ", "key": "n", "touch": 40},
        {"command": "WRITE", "key": "n", "value": "x", "if_absent": true},
        {"command": "EXISTS", "key": "other"},
        {"command": "RATE_LIMIT", "key": "r", "limit": 2, "per": 60},
        {"command": "WRITE", "key": "n", "value": "x"},
        {"command": "INCREMENT", "key": "n"},
    ]);
    let replies = scene.run(batch).await;
    let facts: Vec<Value> = replies.as_array().expect("replies").iter().map(brief).collect();
    let expected = json!([
        ["SUCCESS", 5, 600],
        ["SUCCESS", "5", null],
        ["LIMITED", 5, 600],
        ["SUCCESS", null, 600],
        ["SUCCESS", null, 30],
        ["SUCCESS", null, 30],
        ["SUCCESS", "5", null],
        ["CONFLICT", null, null],
        ["NOT_FOUND", null, null],
        ["SUCCESS", null, null],
        ["SUCCESS", "x", null],
        ["ERROR", null, null],
    ]);
    assert_eq!(json!(facts), expected);
    assert_eq!(replies[9]["remaining"], 1);
    assert_eq!(replies[11]["code"], "not_a_number");
}

/// Returns the status, the value and the lifetime of a reply.
fn brief(reply: &Value) -> Value {
    json!([reply["status"], reply["value"], reply["ttl"]])
}

#[tokio::test]
async fn questions_about_keys_go_to_replicas_and_to_the_master_where_that_is_asked_for() {
    let group = redis(1, 1);
    let service = Service::start(&redis_section(&group));
    let caller = service.caller().await;
    let [master, replica] = [group.master(0), &group.replicas(0)[0]];
    eventually("a replica answers", async || {
        caller.run(json!({"command": "TTL", "key": "k"})).await;
        (calls(replica, "pttl") > 0).then_some(())
    })
    .await;
    let before = calls(master, "pttl");
    caller.run(json!({"command": "EXISTS", "key": "k", "consistency": "master"})).await;
    assert_eq!(calls(master, "pttl"), before + 1);
    // Own changes are seen, wherever the question goes.
    for round in 0..50 {
        let key = format!("own:{round}");
        caller.run(json!({"command": "WRITE", "key": key, "value": 1, "expire": 77})).await;
        assert_eq!(caller.run(json!({"command": "TTL", "key": key})).await["ttl"], 77);
    }
}

#[tokio::test]
async fn a_cluster_runs_the_commands_where_the_keys_are() {
    let cluster = Cluster::start(3, 0);
    let service = Service::start(&cluster.section());
    let caller = service.caller().await;
    for number in 0..20 {
        let key = format!("n:{number}");
        assert_eq!(caller.run(with(increment(&key), json!({"by": number}))).await["value"], number);
        assert_eq!(cluster.ask(cluster.owner(&key), &format!("GET {key}")), number.to_string());
        assert_eq!(caller.run(ask(&format!("r:{number}"), 1)).await["remaining"], 19);
        assert_eq!(caller.run(json!({"command": "TTL", "key": key})).await["ttl"], 600);
        assert_eq!(caller.run(json!({"command": "TOUCH", "key": key, "expire": 0})).await["ttl"], Value::Null);
    }
    // A slot that moves takes its counters along.
    let (key, slot) = ("n:1", cluster.slot("n:1"));
    let (from, to) = (cluster.owner(key), (cluster.owner(key) + 1) % 3);
    cluster.move_slot(slot, from, to);
    assert_eq!(caller.run(increment(key)).await["value"], 2);
    assert_eq!(cluster.ask(to, "GET n:1"), "2");
}

#[tokio::test]
async fn wrong_fields_are_refused_with_their_names() {
    let scene = Scene::start().await;
    for (command, code, part) in [
        (r#"{"command":"INCREMENT"}"#, "invalid_field", "`key` is missing"),
        (
            r#"{"command":"INCREMENT","key":"k","by":1.5}"#,
            "invalid_field",
            "`by` must be a whole number of 64 bits, not 1.5",
        ),
        (
            r#"{"command":"INCREMENT","key":"k","by":9223372036854775808}"#,
            "invalid_field",
            "`by` must be a whole number of 64 bits",
        ),
        (
            r#"{"command":"INCREMENT","key":"k","by":"5"}"#,
            "invalid_field",
            "`by` must be a whole number of 64 bits, not a string",
        ),
        (r#"{"command":"INCREMENT","key":"k","min":5,"max":4}"#, "invalid_field", "`min` may be at most `max`"),
        (r#"{"command":"INCREMENT","key":"k","value":5}"#, "unknown_field", "`value` is not a field of INCREMENT"),
        (
            r#"{"command":"INCREMENT","key":"k","amount":5}"#,
            "unknown_field",
            "which has `key`, `by`, `expire`, `min`, `max`",
        ),
        (r#"{"command":"INCREMENT","key":"k","expire":"x"}"#, "invalid_field", "`expire` must be a whole number"),
        (r#"{"command":"RATE_LIMIT","key":"k","per":1}"#, "invalid_field", "`limit` is missing"),
        (r#"{"command":"RATE_LIMIT","key":"k","limit":1}"#, "invalid_field", "`per` is missing"),
        (
            r#"{"command":"RATE_LIMIT","key":"k","limit":0,"per":1}"#,
            "invalid_field",
            "`limit` must be a whole number from 1 to 1000000, not 0",
        ),
        (
            r#"{"command":"RATE_LIMIT","key":"k","limit":5,"per":31536001}"#,
            "invalid_field",
            "`per` must be a whole number from 1 to 31536000",
        ),
        (
            r#"{"command":"RATE_LIMIT","key":"k","limit":5,"per":1,"cost":6}"#,
            "invalid_field",
            "`cost` may be at most `limit`",
        ),
        (
            r#"{"command":"RATE_LIMIT","key":"k","limit":5,"per":1,"window":6}"#,
            "unknown_field",
            "`window` is not a field of RATE_LIMIT",
        ),
        (r#"{"command":"TOUCH","key":"k","touch":6}"#, "unknown_field", "`touch` is not a field of TOUCH"),
        (r#"{"command":"TTL","key":"k","consistency":"x"}"#, "invalid_field", "`consistency` can only be"),
        (
            r#"{"command":"READ","key":"k","touch":0.5}"#,
            "invalid_field",
            "`touch` must be a whole number of seconds, not 0.5",
        ),
        (
            r#"{"command":"WRITE","key":"k","value":1,"keep_expire":true,"expire":5}"#,
            "invalid_field",
            "`expire` and `keep_expire` exclude each other",
        ),
        (
            r#"{"command":"WRITE","key":"k","value":1,"keep_expire":true,"if_absent":true}"#,
            "invalid_field",
            "`if_absent` and `keep_expire` exclude each other",
        ),
        (
            r#"{"command":"WRITE","key":"k","value":1,"if_absent":1}"#,
            "invalid_field",
            "`if_absent` must be true or false",
        ),
    ] {
        let answer: Answer = scene.caller.send(command).await;
        answer.expect_error(400, code);
        assert!(
            answer.json()["message"].as_str().is_some_and(|message| message.contains(part)),
            "{command}: {answer:?}"
        );
    }
    assert_eq!(scene.redis("DBSIZE"), ":0");
}
