//! TOUCH, TTL, EXISTS, INCREMENT and RATE_LIMIT, and the conditions of a WRITE.

mod lifetimes;
mod limits;
mod numbers;

use crate::{
    harness::{Answer, Caller, Cluster, Service},
    local_redis::RedisGroup,
};
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

fn ask(key: &str, cost: u32) -> Value {
    json!({"command": "RATE_LIMIT", "key": key, "limit": 20, "per": 3600, "cost": cost})
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

/// Malformed commands, with the codes of their errors and a part of the messages.
const WRONG: [(&str, &str, &str); 20] = [
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
    (r#"{"command":"WRITE","key":"k","value":1,"if_absent":1}"#, "invalid_field", "`if_absent` must be true or false"),
];

#[tokio::test]
async fn wrong_fields_are_refused_with_their_names() {
    let scene = Scene::start().await;
    for (command, code, part) in WRONG {
        let answer: Answer = scene.caller.send(command).await;
        answer.expect_error(400, code);
        assert!(
            answer.json()["message"].as_str().is_some_and(|message| message.contains(part)),
            "{command}: {answer:?}"
        );
    }
    assert_eq!(scene.redis("DBSIZE"), ":0");
}
