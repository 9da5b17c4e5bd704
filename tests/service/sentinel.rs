//! Sentinels know the nodes, decide over failovers, and may be lost without loss.

use crate::{
    faults::until_ready,
    harness::{Answer, Caller, Sentinels, Service, Unusual, authority, eventually, redis, start},
    routing::calls,
};
use cachefront::cli::dev::local_redis::{Group, Layout, Node};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Far more than the second that following a promotion should take, on a busy machine.
const FOLLOWED_WITHIN: Duration = Duration::from_secs(10);
const WRITE: &str = r#"{"command":"WRITE","key":"again","value":"v"}"#;

async fn whole_service(sentinels: &Sentinels) -> (Service, Caller) {
    let service = Service::start(&sentinels.section());
    until_ready(&service, "READY").await;
    let caller = service.caller().await;
    (service, caller)
}

/// Writes a key and waits until every replica has it, so that it has to be read whatever happens next.
async fn write_everywhere(caller: &Caller, group: &Group, key: &str) {
    caller.write(key, &json!("v")).await;
    for replica in group.replicas(0) {
        let get = format!("GET {key}");
        eventually("the value is replicated", async || (replica.ask(&get).ok()? == "v").then_some(())).await;
    }
}

/// Waits until a sentinel names another master than this one, and returns that one's port.
async fn until_switched(sentinels: &Sentinels, number: usize, master: &str, old: &Node) -> u16 {
    eventually("a failover is made", async || {
        let answer = sentinels.ask(number, &format!("SENTINEL GET-MASTER-ADDR-BY-NAME {master}")).ok()?;
        let port = answer.lines().nth(1)?.parse().ok()?;
        (port != old.address.port).then_some(port)
    })
    .await
}

/// Writes until it works again; meanwhile what was there is read at every moment.
async fn until_written(caller: &Caller, kept: &str) {
    eventually("writes work again", async || {
        assert_eq!(caller.read(kept).await, Some(json!("v")), "an error was reported as a miss");
        let answer = caller.send(WRITE).await;
        let status = answer.status.as_u16();
        assert!([200, 503, 504].contains(&status), "{answer:?}");
        (status == 200).then_some(())
    })
    .await;
}

async fn problems(service: &Service) -> Value {
    Answer::of(reqwest::Client::new().get(format!("http://{}/readyz", service.admin))).await.json()["problems"].take()
}

fn node(group: &Group, port: u16) -> &Node {
    group.replicas(0).iter().find(|node| node.address.port == port).expect("a replica was promoted")
}

/// Waits until a node answers reads.
async fn until_read_from(caller: &Caller, node: &Node) {
    let mut round = 0;
    eventually("the replica is read", async || {
        round += 1;
        caller.read(&format!("nothing:{round}")).await;
        (calls(node, "get") > 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn master_and_replicas_are_found() {
    let group = redis(1, 2);
    let sentinels = Sentinels::start(&group, 2);
    let (_service, caller) = whole_service(&sentinels).await;
    for round in 0..50 {
        caller.write(&format!("k{round}"), &json!("v")).await;
        caller.read(&format!("other:{round}")).await;
    }
    assert_eq!((calls(group.master(0), "set"), calls(group.master(0), "get")), (50, 0));
    assert!(group.replicas(0).iter().all(|replica| calls(replica, "get") > 0));
}

#[tokio::test]
async fn a_failover_is_followed_and_the_old_master_comes_back_as_a_replica() {
    let group = redis(1, 2);
    let sentinels = Sentinels::start(&group, 2);
    let (service, caller) = whole_service(&sentinels).await;
    write_everywhere(&caller, &group, "before").await;
    group.master(0).kill();
    let switched = async {
        let port = until_switched(&sentinels, 0, "main-a", group.master(0)).await;
        (node(&group, port), Instant::now())
    };
    let written = async {
        // The first one fails at once or when its connection ends.
        eventually("the loss is noticed", async || (caller.send(WRITE).await.status != 200).then_some(())).await;
        until_written(&caller, "before").await;
        Instant::now()
    };
    let ((heir, switched), written) = tokio::join!(switched, written);
    assert!(written.saturating_duration_since(switched) < FOLLOWED_WITHIN);
    assert_eq!(heir.ask("GET again").expect("an answer"), "v");

    // Empty, and a master by its own account, until the sentinels have told it.
    group.master(0).start_again().expect("it starts");
    eventually("the old master is a replica", async || {
        assert_eq!(caller.read("before").await, Some(json!("v")), "an error was reported as a miss");
        caller.write("later", &json!("v")).await;
        (group.master(0).info("master_link_status")? == "up").then_some(())
    })
    .await;
    until_ready(&service, "READY").await;
    until_read_from(&caller, group.master(0)).await;
    assert_eq!(calls(group.master(0), "set"), 0, "replication is not counted, and nothing else may come");
}

#[tokio::test]
async fn a_planned_failover_is_followed() {
    let group = redis(1, 1);
    let sentinels = Sentinels::start(&group, 2);
    let (service, caller) = whole_service(&sentinels).await;
    write_everywhere(&caller, &group, "before").await;
    eventually("the sentinel agrees", async || {
        (sentinels.ask(0, "SENTINEL FAILOVER main-a").ok()?.trim() == "+OK").then_some(())
    })
    .await;
    let heir = node(&group, until_switched(&sentinels, 0, "main-a", group.master(0)).await);
    let switched = Instant::now();
    let mut round = 0;
    eventually("the new master is written to", async || {
        assert_eq!(caller.read("before").await, Some(json!("v")), "an error was reported as a miss");
        round += 1;
        caller.write(&format!("after:{round}"), &json!("v")).await;
        (heir.ask(&format!("GET after:{round}")).ok()? == "v").then_some(())
    })
    .await;
    assert!(switched.elapsed() < FOLLOWED_WITHIN);
    // From now on all of them: the old master calls itself one for some seconds more, and is not believed.
    for round in 0..50 {
        caller.write(&format!("kept:{round}"), &json!("v")).await;
        assert_eq!(heir.ask(&format!("GET kept:{round}")).expect("an answer"), "v");
    }
    until_ready(&service, "READY").await;
    until_read_from(&caller, group.master(0)).await;
}

#[tokio::test]
async fn a_failover_is_followed_while_a_sentinel_is_cut_off() {
    let group = redis(1, 2);
    let sentinels = Sentinels::start(&group, 2);
    let (_service, caller) = whole_service(&sentinels).await;
    write_everywhere(&caller, &group, "before").await;
    sentinels.pause(2);
    group.master(0).kill();
    let heir = node(&group, until_switched(&sentinels, 0, "main-a", group.master(0)).await);
    until_written(&caller, "before").await;
    // It wakes up with what it knew before, while what was the master is one again by its own account.
    group.master(0).start_again().expect("it starts");
    sentinels.resume(2);
    for round in 0..200 {
        caller.write(&format!("kept:{round}"), &json!("v")).await;
        assert_eq!(heir.ask(&format!("GET kept:{round}")).expect("an answer"), "v");
        assert_eq!(caller.read("before").await, Some(json!("v")), "an error was reported as a miss");
    }
}

#[tokio::test]
async fn without_sentinels_reads_and_writes_go_on() {
    let group = redis(1, 1);
    let sentinels = Sentinels::start(&group, 2);
    let (service, caller) = whole_service(&sentinels).await;
    sentinels.kill(0);
    sentinels.kill(1);
    caller.write("k", &json!("two are lost")).await;
    caller.until_read("k", Some(&json!("two are lost"))).await;
    until_ready(&service, "READY").await;
    sentinels.kill(2);
    until_ready(&service, "DEGRADED").await;
    assert_eq!(problems(&service).await, json!(["no sentinel answers; the nodes that they named last are used"]));
    caller.write("k", &json!("all are lost")).await;
    caller.until_read("k", Some(&json!("all are lost"))).await;
    sentinels.start_again(1);
    until_ready(&service, "READY").await;

    // Without them it is roles that count.
    sentinels.kill(1);
    write_everywhere(&caller, &group, "before").await;
    group.master(0).kill();
    assert_eq!(group.replicas(0)[0].ask("REPLICAOF NO ONE").expect("an answer"), "+OK");
    until_written(&caller, "before").await;
}

#[tokio::test]
async fn replicas_come_and_go() {
    let group = redis(1, 1);
    let sentinels = Sentinels::start(&group, 2);
    let (service, caller) = whole_service(&sentinels).await;
    let other = redis(1, 0);
    let (newcomer, master) = (other.master(0), &group.master(0).address);
    let follow = format!("REPLICAOF {} {}", master.host, master.port);
    assert_eq!(newcomer.ask(&follow).expect("an answer"), "+OK");
    until_read_from(&caller, newcomer).await;
    until_ready(&service, "READY").await;
    // The sentinels remember it for ever, as one that is down.
    newcomer.kill();
    until_ready(&service, "DEGRADED").await;
    assert_eq!(problems(&service).await, json!(["shard \"a\": 1 of 2 replicas are not reachable"]));
    until_ready(&service, "READY").await;
    assert!(sentinels.ask(0, "SENTINEL REPLICAS main-a").expect("an answer").contains("s_down"));
    newcomer.start_again().expect("it starts");
    assert_eq!(newcomer.ask(&follow).expect("an answer"), "+OK");
    until_read_from(&caller, newcomer).await;
}

#[tokio::test]
async fn sentinels_have_a_password_of_their_own() {
    let nodes_password = "of-the-nodes".to_owned();
    let group = start(&Layout { replicas: 1, password: nodes_password.clone(), ..Layout::default() });
    let password = "of-the-sentinels".to_owned();
    let sentinels = Sentinels::start_with(&group, 2, Unusual { password, nodes_password, ..Unusual::default() });
    let (_service, caller) = whole_service(&sentinels).await;
    caller.write("k", &json!("v")).await;
    caller.until_read("k", Some(&json!("v"))).await;

    let wrong = sentinels.section().replace("of-the-sentinels", "wrong");
    let service = Service::start(&wrong);
    until_ready(&service, "NOT_READY").await;
    let problems = problems(&service).await;
    assert_eq!(problems, json!(["no sentinel has answered yet", "shard \"a\": its nodes are not known yet"]));
    let answer = service.caller().await.send(WRITE).await;
    answer.expect_error(503, "shard_unavailable");
}

#[tokio::test]
async fn shards_fail_over_each_on_its_own() {
    let group = start(&Layout { shards: 2, replicas: 1, ..Layout::default() });
    let sentinels = Sentinels::start(&group, 2);
    let (_service, caller) = whole_service(&sentinels).await;
    let keys: Vec<String> = (0..40).map(|number| format!("k{number}")).collect();
    caller.fill(&keys).await;
    let has =
        |shard: usize, key: &String| group.master(shard).ask(&format!("EXISTS {key}")).expect("an answer") == ":1";
    let (on_a, on_b): (Vec<&String>, Vec<&String>) = keys.iter().partition(|key| has(0, key));
    assert!(!on_a.is_empty() && on_b.iter().all(|key| has(1, key)));
    let write = |key: &str| caller.send(json!({"command": "WRITE", "key": key, "value": "new"}).to_string());
    group.master(0).kill();
    eventually("the shard writes again", async || {
        assert_eq!(write(on_b[0]).await.status, 200, "the other shard is disturbed");
        (write(on_a[0]).await.status == 200).then_some(())
    })
    .await;
    assert_eq!(group.replicas(0)[0].ask(&format!("GET {}", on_a[0])).expect("an answer"), "new");
    assert_eq!(group.replicas(1)[0].info("role").as_deref(), Some("slave"));
}

#[tokio::test]
async fn a_wrong_name_is_said() {
    let group = start(&Layout { shards: 2, replicas: 0, ..Layout::default() });
    let sentinels = Sentinels::start(&group, 2);
    let service = Service::start(&sentinels.section().replace("main-b", "main-x"));
    let expected =
        json!(["shard \"b\": the sentinels know no master \"main-x\"", "shard \"b\": its nodes are not known yet"]);
    eventually("the problem is said", async || (problems(&service).await == expected).then_some(())).await;
    until_ready(&service, "NOT_READY").await;
    let (caller, mut seen) = (service.caller().await, Vec::new());
    for number in 0..20 {
        let answer = caller.send(json!({"command": "READ", "key": number.to_string()}).to_string()).await;
        if answer.status != 200 {
            answer.expect_error(503, "shard_unavailable");
        }
        seen.push(answer.status.as_u16());
    }
    assert!(seen.contains(&200) && seen.contains(&503), "{seen:?}");
}
