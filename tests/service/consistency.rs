//! Freshness of READs and safety of WRITEs: through one instance, through several, and with stronger requirements.

use crate::harness::{
    Answer, Caller, Lagging, Mode, Service, calls, eventually, redis, redis_section, until_replicated,
};
use crate::local_redis::RedisProcess;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};
use std::time::Duration;

const TOKEN: &str = "cache-sync-token";

impl Lagging {
    /// Repeats a check until the replica was asked many times for its progress, so that a wrong conclusion from its
    /// answers would be seen.
    async fn while_asked(&self, mut check: impl AsyncFnMut()) {
        const QUESTIONS: u64 = 10;
        let before = calls(&self.replica, "info");
        let mut own = 0;
        eventually("the replica was asked how far it has come", async || {
            check().await;
            own += 1;
            // Each look at this count is such a question, too.
            (calls(&self.replica, "info") >= before + own + QUESTIONS).then_some(())
        })
        .await;
    }

    /// Waits until the service reads the written value from the replica.
    async fn until_passed(&self, caller: &Caller, key: &str, value: &Value) {
        let before = calls(&self.replica, "get");
        eventually("the replica answers for the key", async || {
            (caller.read(key).await.as_ref() == Some(value) && calls(&self.replica, "get") > before).then_some(())
        })
        .await;
    }
}

/// Starts two instances in front of a replica that has the old value of `k` and lags from now on, with a caller of
/// each.
async fn two_instances() -> (Lagging, [Service; 2], [Caller; 2]) {
    let lagging = Lagging::start();
    let services = [Service::start(&lagging.section()), Service::start(&lagging.section())];
    let callers = [services[0].caller().await, services[1].caller().await];
    callers[0].write("k", &json!("old")).await;
    lagging.until_passed(&callers[1], "k", &json!("old")).await;
    lagging.stream.set(Mode::BlackHole);
    (lagging, services, callers)
}

/// Sends a command with a sync token, and returns the response and its sync token.
async fn with_token(caller: &Caller, command: Value, token: &str) -> (Answer, String) {
    let request = caller.http.post(&caller.url).header(AUTHORIZATION, format!("Bearer {}", caller.token));
    let request = request.header(CONTENT_TYPE, "application/json").header(TOKEN, token);
    let answer = Answer::of(request.body(command.to_string())).await;
    let token = answer.header(TOKEN).to_owned();
    (answer, token)
}

fn write(key: &str, value: &Value) -> Value {
    json!({"command": "WRITE", "key": key, "value": value})
}

fn read(key: &str) -> Value {
    json!({"command": "READ", "key": key})
}

#[tokio::test]
async fn an_instance_never_reads_older_values_than_it_wrote() {
    let lagging = Lagging::start();
    let service = Service::start(&lagging.section());
    let caller = service.caller().await;
    caller.write("k", &json!("old")).await;
    caller.write("gone", &json!("old")).await;
    lagging.until_passed(&caller, "k", &json!("old")).await;
    lagging.until_passed(&caller, "gone", &json!("old")).await;
    lagging.stream.set(Mode::BlackHole);
    caller.write("k", &json!("new")).await;
    caller.run(json!([{"command": "DELETE", "key": "gone"}, write("other", &json!(1))])).await;
    lagging
        .while_asked(async || {
            assert_eq!(caller.read("k").await, Some(json!("new")));
            assert_eq!(caller.read("gone").await, None);
            let batch = caller.run(json!([read("k"), read("gone"), read("other")])).await;
            assert_eq!((&batch[0]["value"], &batch[1]["status"]), (&json!("new"), &json!("NOT_FOUND")), "{batch}");
            assert_eq!(batch[2]["value"], json!(1));
        })
        .await;
    assert_eq!(lagging.replica.ask("GET k").expect("an answer"), "old", "it does not lag");
    lagging.stream.set(Mode::Pass);
    lagging.until_passed(&caller, "k", &json!("new")).await;
}

#[tokio::test]
async fn a_sync_token_makes_other_instances_read_the_writes_of_its_bearer() {
    let (lagging, _services, [first, second]) = two_instances().await;
    let (answer, token) = with_token(&first, write("k", &json!("new")), "").await;
    answer.expect_error(400, "invalid_sync_token");
    assert!(!token.is_empty(), "every answer has a token");
    let token = first.send(write("k", &json!("new")).to_string()).await.header(TOKEN).to_owned();
    // Without the token, the second instance does not know the write.
    assert_eq!(second.read("k").await, Some(json!("old")));
    lagging
        .while_asked(async || {
            let (answer, same) = with_token(&second, read("k"), &token).await;
            assert_eq!((&answer.json()["value"], &same), (&json!("new"), &token));
            let (answer, _) = with_token(&second, json!([read("k"), read("other")]), &token).await;
            assert_eq!(answer.json()[0]["value"], json!("new"));
        })
        .await;
    // The token of a write through the second instance covers the write through the first one.
    let (_, later) = with_token(&second, write("k2", &json!(2)), &token).await;
    let (answer, _) = with_token(&first, json!([read("k"), read("k2")]), &later).await;
    assert_eq!((&answer.json()[0]["value"], &answer.json()[1]["value"]), (&json!("new"), &json!(2)));
    lagging.stream.set(Mode::Pass);
    // Once the replica has the write, it answers the bearer again.
    eventually("the replica is read with the token", async || {
        let before = calls(&lagging.replica, "get");
        let (answer, _) = with_token(&second, read("k"), &token).await;
        assert_eq!(answer.json()["value"], json!("new"));
        (calls(&lagging.replica, "get") > before).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_read_with_a_sync_token_is_fresh_or_refused() {
    let (lagging, _services, [first, second]) = two_instances().await;
    let token = first.send(write("k", &json!("new")).to_string()).await.header(TOKEN).to_owned();
    lagging.group.master(0).kill();
    eventually("the loss of the master is known", async || {
        let (answer, _) = with_token(&second, read("k"), &token).await;
        answer.expect_error(503, "shard_unavailable");
        Some(())
    })
    .await;
    // A read without a requirement is answered.
    assert_eq!(second.read("k").await, Some(json!("old")));
    let answer = second.send(json!({"command": "READ", "key": "k", "consistency": "master"}).to_string()).await;
    answer.expect_error(503, "shard_unavailable");
}

#[tokio::test]
async fn an_unknown_sync_token_reads_from_the_master() {
    let (_lagging, _services, [first, second]) = two_instances().await;
    first.write("k", &json!("new")).await;
    let (answer, _) = with_token(&second, read("k"), "1234.5678.9abc").await;
    assert_eq!(answer.json()["value"], json!("new"));
    for text in ["x", "1.2", "1.2.3.4", "-1.2.3"] {
        with_token(&second, read("k"), text).await.0.expect_error(400, "invalid_sync_token");
    }
}

#[tokio::test]
async fn a_read_with_master_consistency_is_sent_to_the_master() {
    let (_lagging, _services, [first, second]) = two_instances().await;
    first.write("k", &json!("new")).await;
    let from_master = json!({"command": "READ", "key": "k", "consistency": "master"});
    assert_eq!(second.run(from_master.clone()).await["value"], json!("new"));
    let replies = second.run(json!([from_master, read("k")])).await;
    assert_eq!((&replies[0]["value"], &replies[1]["value"]), (&json!("new"), &json!("old")));
    for wrong in [json!("replica"), json!(1), json!("")] {
        let answer = second.send(json!({"command": "READ", "key": "k", "consistency": wrong}).to_string()).await;
        answer.expect_error(400, "invalid_field");
        assert!(answer.text.contains("consistency"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_write_reports_how_many_replicas_confirmed_it() {
    let group = redis(1, 3);
    let service = Service::start(&redis_section(&group));
    until_replicated(&group).await;
    let caller = service.caller().await;
    for replicas in 1..=3 {
        let mut command = write("durable", &json!(replicas));
        command["replicas"] = json!(replicas);
        let reply = caller.run(command).await;
        assert_eq!((&reply["status"], &reply["value"]), (&json!("SUCCESS"), &json!(replicas)), "{reply}");
        assert!(reply["replicas"].as_u64().is_some_and(|had| had >= replicas), "{reply}");
    }
    let reply = caller.run(write("durable", &json!("v"))).await;
    assert_eq!(reply, json!({"command": "WRITE", "status": "SUCCESS", "value": "v"}));
    for wrong in [json!("2"), json!(-1), json!(1.5), json!(101), json!([])] {
        let mut command = write("durable", &json!("v"));
        command["replicas"] = wrong;
        let answer = caller.send(command.to_string()).await;
        answer.expect_error(400, "invalid_field");
        assert!(answer.text.contains("`replicas`"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_write_that_too_few_replicas_confirmed_is_unconfirmed() {
    let lagging = Lagging::start();
    let service = Service::start_with("REQUEST_DEADLINE_MS=400", &lagging.section());
    let caller = service.caller().await;
    let durable = |key: &str| json!({"command": "WRITE", "key": key, "value": "v", "replicas": 1});
    let reply = caller.run(durable("a")).await;
    assert_eq!((&reply["status"], &reply["replicas"]), (&json!("SUCCESS"), &json!(1)));
    lagging.stream.set(Mode::BlackHole);
    // Many writes at once, each on its own connection.
    let replies =
        futures_util::future::join_all((0..20).map(|number| caller.run(durable(&format!("k{number}"))))).await;
    for reply in replies {
        assert_eq!((&reply["status"], &reply["replicas"]), (&json!("UNCONFIRMED"), &json!(0)), "{reply}");
    }
    let replies = caller.run(json!([durable("b"), write("c", &json!("v")), read("b")])).await;
    assert_eq!((&replies[0]["status"], &replies[0]["replicas"]), (&json!("UNCONFIRMED"), &json!(0)), "{replies}");
    assert_eq!((&replies[1]["status"], &replies[2]["value"]), (&json!("SUCCESS"), &json!("v")), "{replies}");
    // The write is on the master nevertheless, and other commands were not delayed.
    assert_eq!(lagging.group.master(0).ask("GET k7").expect("an answer"), "v");
    lagging.stream.set(Mode::Pass);
    eventually("the replica is heard again", async || {
        (caller.run(durable("d")).await["status"] == "SUCCESS").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_write_that_requires_more_replicas_than_exist_is_unconfirmed_at_once() {
    let group = redis(1, 1);
    until_replicated(&group).await;
    let service = Service::start_with("REQUEST_DEADLINE_MS=20000", &redis_section(&group));
    let caller = service.caller().await;
    let start = std::time::Instant::now();
    let reply = caller.run(json!({"command": "WRITE", "key": "k", "value": "v", "replicas": 3})).await;
    assert_eq!((&reply["status"], &reply["replicas"]), (&json!("UNCONFIRMED"), &json!(1)), "{reply}");
    // Otherwise the whole deadline would have passed.
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_demoted_master_answers_no_read_with_master_consistency() {
    let group = redis(1, 0);
    let service = Service::start(&redis_section(&group));
    let caller = service.caller().await;
    caller.write("k", &json!("v")).await;
    assert_eq!(group.master(0).ask("REPLICAOF 127.0.0.1 1").expect("an answer"), "+OK");
    let from_master = json!({"command": "READ", "key": "k", "consistency": "master"}).to_string();
    eventually("the demotion is known", async || {
        let answer = caller.send(from_master.clone()).await;
        (answer.status != 200).then(|| answer.expect_error(503, "shard_unavailable").status)
    })
    .await;
}

#[tokio::test]
async fn a_waiting_write_goes_to_the_current_master() {
    let group = redis(1, 2);
    let service = Service::start(&redis_section(&group));
    let caller = service.caller().await;
    let durable = |value: u64| json!({"command": "WRITE", "key": "k", "value": value.to_string(), "replicas": 1});
    assert_eq!(caller.run(durable(1)).await["status"], "SUCCESS");
    let [successor, other] = group.replicas(0) else { panic!("two replicas") };
    let follow = |node: &RedisProcess, master: &RedisProcess| {
        let command = format!("REPLICAOF {} {}", master.address.host, master.address.port);
        assert_eq!(node.ask(&command).expect("an answer"), "+OK");
    };
    assert_eq!(successor.ask("REPLICAOF NO ONE").expect("an answer"), "+OK");
    follow(other, successor);
    follow(group.master(0), successor);
    // The demoted master refuses the write and the new one does it, possibly without a replica yet.
    eventually("the new master's replicas have the write", async || {
        (caller.run(durable(2)).await["status"] == "SUCCESS").then_some(())
    })
    .await;
    assert_eq!(successor.ask("GET k").expect("an answer"), "2");
}
