//! The connection for large values.

use crate::harness::{Caller, Service, eventually, redis, redis_section};
use crate::local_redis::RedisProcess;
use serde_json::{Value, json};

/// Connections of the service to a node, each as Redis describes it.
fn connections(node: &RedisProcess) -> Vec<String> {
    let list = node.ask("CLIENT LIST").expect("an answer");
    // The connection of this question is on the list, too.
    list.lines().filter(|line| !line.contains(" cmd=client|list ")).map(str::to_owned).collect()
}

async fn write_and_read(caller: &Caller, key: &str, value: &Value) {
    caller.write(key, value).await;
    assert_eq!(caller.read(key).await.as_ref(), Some(value));
    let batch = json!([{"command": "WRITE", "key": key, "value": value}, {"command": "READ", "key": key}]);
    assert_eq!(caller.run(batch).await[1]["value"], *value);
    let reply = caller.run(json!([{"command": "READ", "key": key}, {"command": "READ", "key": "none"}])).await;
    assert_eq!((&reply[0]["value"], &reply[1]["status"]), (value, &json!("NOT_FOUND")));
}

#[tokio::test]
async fn large_values_are_sent_over_their_own_connection() {
    let group = redis(1, 0);
    let service = Service::plain(&format!("[redis]\nconnections_per_node=1\n{}", redis_section(&group)));
    let caller = service.caller().await;
    let small = json!("s".repeat(1000));
    write_and_read(&caller, "small", &small).await;
    assert_eq!(connections(group.master(0)).len(), 1);
    let large = json!("l".repeat(100_000));
    // The first ones use the default connection until the other one is open.
    eventually("there is a second connection", async || {
        write_and_read(&caller, "large", &large).await;
        (connections(group.master(0)).len() == 2).then_some(())
    })
    .await;
    // Redis keeps a buffer as large as what came last: only one of them has it, however often values of both sizes come.
    eventually("large values come over one of them alone", async || {
        write_and_read(&caller, "large", &large).await;
        write_and_read(&caller, "small", &small).await;
        let buffer = |line: &String| {
            let free = line.split(' ').find_map(|field| field.strip_prefix("qbuf-free="));
            free.and_then(|bytes| bytes.parse::<usize>().ok()).expect("a number")
        };
        let buffers: Vec<usize> = connections(group.master(0)).iter().map(buffer).collect();
        (buffers.iter().filter(|bytes| **bytes >= 100_000).count() == 1).then_some(())
    })
    .await;
    // A value that has become small uses the default connection again.
    write_and_read(&caller, "large", &small).await;
    // A lost connection is replaced.
    group.master(0).ask("CLIENT KILL TYPE normal SKIPME yes").expect("an answer");
    eventually("it works on", async || {
        let reply = caller.send(json!({"command": "WRITE", "key": "large", "value": large}).to_string()).await;
        (reply.status.as_u16() == 200).then_some(())
    })
    .await;
    write_and_read(&caller, "large", &large).await;
}
