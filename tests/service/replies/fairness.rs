//! The cost of one client's reads for others.

use super::{MIB, clients, log_in, redis_with_values};
use crate::harness::{Answer, Caller, Service, redis_section, start};
use crate::local_redis::Layout;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Sends a batch again and again, and hangs up before its reply.
async fn hang_up(caller: Caller, batch: String, until: Instant) {
    while Instant::now() < until {
        // Another connection each time: the client closes the one that it gave up.
        let http = Caller::http().http1_only().build().expect("a client");
        let caller = Caller { http, ..caller.clone() };
        let _gave_up = tokio::time::timeout(Duration::from_millis(30), caller.send(batch.clone())).await;
    }
}

/// Runs small commands. Returns the answers to those that failed, and the number of all.
async fn small_commands(caller: &Caller, until: Instant) -> (Vec<Answer>, usize) {
    let (mut failed, mut sent) = (Vec::new(), 0);
    while Instant::now() < until {
        for command in ["WRITE", "READ"] {
            let command = json!({"command": command, "key": format!("small:{}", sent % 50), "value": "s"});
            let answer = caller.send(command.to_string()).await;
            if answer.status != 200 {
                failed.push(answer);
            }
            sent += 1;
        }
    }
    (failed, sent)
}

#[tokio::test]
async fn large_reads_that_are_given_up_fail_no_command_of_others() {
    let keys: Vec<String> = (0..8).map(|number| format!("large:{number}")).collect();
    let group = redis_with_values(&keys.iter().map(String::as_str).collect::<Vec<_>>(), 8 * MIB);
    // A busy machine is slow, but no connection may be ended because of that.
    let service = Service::plain_with("REQUEST_DEADLINE_MS=5000", &[redis_section(&group), clients()].concat());
    let batch: Value = keys.iter().map(|key| json!({"command": "READ", "key": key})).collect();
    let (greedy, modest) = (log_in(&service, "greedy").await, log_in(&service, "modest").await);
    let until = Instant::now() + Duration::from_secs(4);
    let attacks: Vec<_> = (0..4).map(|_| tokio::spawn(hang_up(greedy.clone(), batch.to_string(), until))).collect();
    let (failed, sent) = small_commands(&modest, until).await;
    for attack in attacks {
        attack.await.expect("it runs to its end");
    }
    assert!(failed.is_empty(), "{} of {sent}: {:?}", failed.len(), failed[0]);
    assert!(sent > 0, "a busy machine answers few commands, but some");
}

#[tokio::test]
async fn an_error_that_is_not_utf8_ends_no_connection() {
    // The error for an unknown command repeats the key, cut within a character.
    let arguments = ["--rename-command", "GET", "\"\""].map(str::to_owned).to_vec();
    let group = start(&Layout { shards: 1, replicas: 0, arguments, ..Layout::default() });
    let service = Service::plain(&redis_section(&group));
    let caller = service.caller().await;
    let connections = || {
        let list = group.master(0).ask("CLIENT LIST").expect("an answer");
        let ours = list.lines().filter(|line| line.contains("lib-name=cachefront"));
        ours.filter_map(|line| line.split(' ').next().map(str::to_owned)).collect::<Vec<_>>()
    };
    caller.write("small", &json!("s")).await;
    let before = connections();
    for number in 0..12 {
        // Of two keys whose lengths differ by one byte, one is cut within a character.
        let key = format!("{}{}", "x".repeat(number), "€".repeat(100));
        caller.send(json!({"command": "READ", "key": key}).to_string()).await.expect_error(503, "shard_unavailable");
        caller.write("small", &json!("s")).await;
    }
    assert_eq!(connections(), before, "a connection of the service has ended");
}
