//! Failovers by Sentinels, and promotions that they do not know.

use super::{WRITE, node, problems, ready_service, until_failover, until_read_from, until_written, write_everywhere};
use crate::{
    faults::until_ready,
    harness::{Sentinels, eventually, redis},
};
use serde_json::json;
use std::time::{Duration, Instant};

/// Far more than the second that following a promotion takes, for a busy machine.
const FOLLOWED_WITHIN: Duration = Duration::from_secs(10);
#[tokio::test]
async fn a_failover_is_followed_and_the_old_master_comes_back_as_a_replica() {
    let group = redis(1, 2);
    let sentinels = Sentinels::start(&group, 2);
    let (service, caller) = ready_service(&sentinels).await;
    write_everywhere(&caller, &group, "before").await;
    group.master(0).kill();
    let promoted = async {
        eventually("a replica is promoted", async || {
            group.replicas(0).iter().find(|node| node.info("role").as_deref() == Some("master"))
        })
        .await;
        Instant::now()
    };
    let written = async {
        // The first write fails at once or when its connection ends.
        eventually("the loss is noticed", async || (caller.send(WRITE).await.status != 200).then_some(())).await;
        until_written(&caller, "before").await;
        Instant::now()
    };
    let (promoted, written) = tokio::join!(promoted, written);
    assert!(written.saturating_duration_since(promoted) < FOLLOWED_WITHIN);
    let successor = node(&group, until_failover(&sentinels, 0, "main-a", group.master(0)).await);
    assert_eq!(successor.ask("GET again").expect("an answer"), "v");

    // Empty, it reports to be a master until the sentinels make it a replica, here after two seconds.
    sentinels.announce_every(500);
    group.master(0).start_again().expect("it starts");
    eventually("the old master is a replica", async || {
        assert_eq!(caller.read("before").await, Some(json!("v")), "an error was reported as a miss");
        caller.write("later", &json!("v")).await;
        let size = group.master(0).ask("DBSIZE").ok()?;
        let role = group.master(0).info("role")?;
        assert!(role == "slave" || size == ":0", "it is written to: {size}");
        (group.master(0).info("master_link_status")? == "up").then_some(())
    })
    .await;
    until_ready(&service, "READY").await;
    until_read_from(&caller, group.master(0)).await;
}

#[tokio::test]
async fn a_planned_failover_is_followed() {
    let group = redis(1, 1);
    let sentinels = Sentinels::start(&group, 2);
    let (service, caller) = ready_service(&sentinels).await;
    write_everywhere(&caller, &group, "before").await;
    eventually("the sentinel agrees", async || {
        (sentinels.ask(0, "SENTINEL FAILOVER main-a").ok()?.trim() == "+OK").then_some(())
    })
    .await;
    let successor = node(&group, until_failover(&sentinels, 0, "main-a", group.master(0)).await);
    let switched = Instant::now();
    let mut round = 0;
    eventually("the new master is written to", async || {
        assert_eq!(caller.read("before").await, Some(json!("v")), "an error was reported as a miss");
        round += 1;
        caller.write(&format!("after:{round}"), &json!("v")).await;
        (successor.ask(&format!("GET after:{round}")).ok()? == "v").then_some(())
    })
    .await;
    assert!(switched.elapsed() < FOLLOWED_WITHIN);
    // From now on every write goes to the successor, although the old master still reports to be a master.
    for round in 0..50 {
        caller.write(&format!("kept:{round}"), &json!("v")).await;
        assert_eq!(successor.ask(&format!("GET kept:{round}")).expect("an answer"), "v");
    }
    sentinels.announce_every(200);
    until_ready(&service, "READY").await;
    until_read_from(&caller, group.master(0)).await;
}

#[tokio::test]
async fn a_failover_is_followed_while_a_sentinel_is_cut_off() {
    let group = redis(1, 2);
    let sentinels = Sentinels::start(&group, 2);
    let (_service, caller) = ready_service(&sentinels).await;
    write_everywhere(&caller, &group, "before").await;
    sentinels.pause(2);
    group.master(0).kill();
    let successor = node(&group, until_failover(&sentinels, 0, "main-a", group.master(0)).await);
    until_written(&caller, "before").await;
    // The sentinel resumes with its old state, while the old master reports to be a master again.
    group.master(0).start_again().expect("it starts");
    sentinels.resume(2);
    for round in 0..200 {
        caller.write(&format!("kept:{round}"), &json!("v")).await;
        assert_eq!(successor.ask(&format!("GET kept:{round}")).expect("an answer"), "v");
        assert_eq!(caller.read("before").await, Some(json!("v")), "an error was reported as a miss");
    }
}

#[tokio::test]
async fn a_stale_sentinel_does_not_bring_the_old_master_back() {
    let group = redis(1, 2);
    let sentinels = Sentinels::start(&group, 2);
    let (_service, caller) = ready_service(&sentinels).await;
    write_everywhere(&caller, &group, "before").await;
    // A single sentinel cannot decide, and still announces the old master.
    sentinels.kill(1);
    sentinels.kill(2);
    group.master(0).kill();
    let successor = &group.replicas(0)[0];
    assert_eq!(successor.ask("REPLICAOF NO ONE").expect("an answer"), "+OK");
    until_written(&caller, "before").await;
    group.master(0).start_again().expect("it starts");
    // Real time has to pass: longer than it takes to connect to the old master and to ask the sentinel again, shorter
    // than
    // the sentinel waits before it makes replicas of other nodes.
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(3) {
        caller.write("kept", &json!("v")).await;
        assert_eq!(caller.read("before").await, Some(json!("v")), "an error was reported as a miss");
    }
    assert_eq!(successor.ask("EXISTS kept").expect("an answer"), ":1");
    let named = sentinels.ask(0, "SENTINEL GET-MASTER-ADDR-BY-NAME main-a").expect("an answer");
    assert!(named.contains(&group.master(0).address.port.to_string()), "{named}");
    assert_eq!(group.master(0).ask("DBSIZE").expect("an answer"), ":0");
}

#[tokio::test]
async fn nothing_is_written_to_a_master_whose_announced_successor_does_not_answer() {
    let group = redis(1, 1);
    let sentinels = Sentinels::start(&group, 2);
    let (service, caller) = ready_service(&sentinels).await;
    write_everywhere(&caller, &group, "before").await;
    let successor = &group.replicas(0)[0];
    successor.kill();
    let port = successor.address.port;
    for sentinel in 0..3 {
        sentinels.ask(sentinel, "SENTINEL REMOVE main-a").expect("an answer");
        let monitor = format!("SENTINEL MONITOR main-a 127.0.0.1 {port} 2");
        assert_eq!(sentinels.ask(sentinel, &monitor).expect("an answer").trim(), "+OK");
    }
    let refused = eventually("the write is refused", async || {
        let response = caller.send(WRITE).await;
        (response.status == 503).then_some(response)
    })
    .await;
    assert_eq!(
        refused.json()["message"],
        "This key's shard has another master now, which does not answer; nothing was changed"
    );
    assert_eq!(group.master(0).info("role").as_deref(), Some("master"), "it lives");
    assert_eq!(caller.read("before").await, Some(json!("v")));
    let named = format!("127.0.0.1:{port} was announced as the master, and does not answer; writes are refused");
    let problems = problems(&service).await;
    assert!(problems.to_string().contains(&named), "{problems}");
    successor.start_again().expect("it starts");
    assert_eq!(successor.ask("REPLICAOF NO ONE").expect("an answer"), "+OK");
    eventually("the successor is written", async || {
        caller.send(WRITE).await;
        (successor.ask("GET again").ok()? == "v").then_some(())
    })
    .await;
}
