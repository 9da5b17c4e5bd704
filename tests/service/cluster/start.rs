//! The start in front of a cluster, and the location of keys.

use super::{calls, keys_in, read, readiness, serve, until_ready, write};
use crate::harness::{Cluster, Service, UNDISTURBED, authority, eventually, redis_speaks_tls};
use crate::local_redis::free_port;
use serde_json::{Value, json};
use std::process::Command;

#[tokio::test]
async fn keys_spread_over_all_masters_and_replicas_answer_reads() {
    let cluster = Cluster::start(3, 1);
    let service = Service::plain(&cluster.section().replacen("[redis]\n", UNDISTURBED, 1));
    let caller = service.caller().await;
    let keys: Vec<String> = (0..300).map(|number| format!("user:{number}")).collect();
    let replies = caller.run(keys.iter().map(|key| write(key, &json!(key))).collect()).await;
    assert!(replies.as_array().expect("replies").iter().all(|reply| reply["status"] == "SUCCESS"), "{replies}");
    for master in 0..3 {
        let held = keys.iter().filter(|key| cluster.owner(key) == master).count();
        assert_eq!(keys_in(&cluster, master), held);
        assert!(held > 60, "{held}");
    }
    until_ready(&service, "READY").await;
    // Once the replicas have passed the writes.
    eventually("replicas answer", async || {
        let before: u64 = (0..3).map(|master| calls(&cluster, master, "get")).sum();
        let replies = caller.run(keys.iter().map(|key| read(key)).collect()).await;
        for (key, reply) in keys.iter().zip(replies.as_array().expect("replies")) {
            assert_eq!(reply["value"], json!(key), "{reply}");
        }
        let after: u64 = (0..3).map(|master| calls(&cluster, master, "get")).sum();
        (before == after).then_some(())
    })
    .await;
    assert_eq!(caller.read("user:7").await, Some(json!("user:7")));
    let by_replicas: u64 =
        (0..3).flat_map(|master| cluster.replicas(master)).map(|node| calls(&cluster, node, "get")).sum();
    assert!(by_replicas >= 301, "{by_replicas}");

    let before: Vec<usize> = (0..3).map(|master| keys_in(&cluster, master)).collect();
    let tagged = (0..50).map(|number| write(&format!("{{tag}}:{number}"), &json!("v"))).collect::<Vec<Value>>();
    caller.run(Value::Array(tagged)).await;
    let owner = cluster.owner("tag");
    assert_eq!(keys_in(&cluster, owner), before[owner] + 50);
    let reply = caller.run(json!({"command": "DELETE", "key": "{tag}:1"})).await;
    assert_eq!(reply["status"], "SUCCESS");
    assert_eq!(caller.read("{tag}:1").await, None);
}

#[tokio::test]
async fn a_cluster_with_a_password_is_served_and_a_key_is_located() {
    let cluster = Cluster::start_with(3, 0, "pass-word", &[]);
    let service = serve(&cluster);
    let caller = service.caller().await;
    for number in 0..20 {
        caller.write(&format!("k{number}"), &json!(number)).await;
        assert_eq!(caller.read(&format!("k{number}")).await, Some(json!(number)));
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = authority().issue(folder.path(), "service");
    let locate = |section: &str| {
        let config = folder.path().join("setup.config");
        let text = format!(
            "[service]\nTLS_CERT={}\nTLS_KEY={}\nJWT_SECRET_KEY=0123456789abcdef0123456789abcdef\n\
             SRVC_SHARED_SECRET=hunter2-hunter2-hunter2\n{section}",
            files.certificate.display(),
            files.key.display()
        );
        std::fs::write(&config, text).expect("it is written");
        let mut program = Command::new(env!("CARGO_BIN_EXE_cachefront"));
        let output =
            program.args(["keys", "locate", "foo", "--json", "--config"]).arg(&config).output().expect("it runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("a text");
        let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        (output.status.code(), found[0].clone(), text(output.stderr))
    };
    let (status, found, err) = locate(&cluster.section());
    let owner = cluster.node(cluster.owner("foo")).address.to_string();
    assert_eq!(status, Some(0), "{found}{err}");
    assert_eq!(json!([found["slot"], found["shard"], found["master"]]), json!([12182, "10922-16383", owner]));
    let (status, found, err) = locate("[redis]\ncluster=127.0.0.1:1\n");
    assert_eq!(status, Some(1), "{err}");
    let nodes = json!([found["slot"], found["shard"], found["master"], found["replica"]]);
    assert_eq!(nodes, json!([12182, null, null, null]));
    assert!(err.contains("the nodes of the cluster cannot be asked"), "{err}");
}

#[tokio::test]
async fn nodes_are_addressed_as_the_cluster_announces_them() {
    let named = ["--cluster-announce-hostname", "localhost", "--cluster-preferred-endpoint-type", "hostname"];
    let unnamed = ["--cluster-preferred-endpoint-type", "unknown-endpoint"];
    let nameless = ["--cluster-preferred-endpoint-type", "hostname"];
    for arguments in [&named[..], &unnamed[..], &nameless[..]] {
        let cluster = Cluster::start_with(2, 0, "", arguments);
        let service = serve(&cluster);
        until_ready(&service, "READY").await;
        let caller = service.caller().await;
        let slot = cluster.slot("foo");
        let (from, to) = (cluster.owner("foo"), 1 - cluster.owner("foo"));
        caller.write("foo", &json!("v")).await;
        cluster.open_slot(slot, from, to);
        cluster.move_key("foo", from, to);
        cluster.close_slot(slot, from, to);
        assert_eq!(caller.read("foo").await, Some(json!("v")), "{arguments:?}");
        for number in 0..20 {
            caller.write(&format!("k{number}"), &json!(number)).await;
            assert_eq!(caller.read(&format!("k{number}")).await, Some(json!(number)), "{arguments:?}");
        }
    }
}

/// Nodes that speak TLS on a port of their own, which is what the cluster announces to those who speak it.
#[tokio::test]
async fn a_cluster_that_speaks_tls_is_served_by_its_tls_ports() {
    if !redis_speaks_tls() {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = authority().issue(folder.path(), "redis");
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, authority().pem()).expect("the authority is written");
    let [certificate, key, ca] = [&files.certificate, &files.key, &ca].map(|path| path.display().to_string());
    let shown = ["--tls-cert-file", &certificate, "--tls-key-file", &key, "--tls-ca-cert-file", &ca];
    let arguments = [&shown[..], &["--tls-auth-clients", "no", "--tls-cluster", "yes", "--tls-replication", "yes"]];
    let cluster = Cluster::start_with(2, 1, "", &arguments.concat());
    let seed = cluster.setting(0, "tls-port");
    let section = format!("[redis]\ncluster=localhost:{seed}\ntls=true\nca_cert={ca}\nattempt_timeout_ms=2000\n");
    let service = Service::plain_with("REQUEST_DEADLINE_MS=10000", &section);
    until_ready(&service, "READY").await;
    let caller = service.caller().await;
    for number in 0..20 {
        caller.write(&format!("k{number}"), &json!(number)).await;
        assert_eq!(caller.read(&format!("k{number}")).await, Some(json!(number)));
    }
}

#[tokio::test]
async fn an_acl_user_of_a_cluster_needs_only_the_documented_permissions() {
    let cluster = Cluster::start(2, 1);
    let rule =
        "ACL SETUSER cachefront on >users-password ~* -@all +get +set +unlink +info +ping +wait +pttl +exists +eval";
    for node in 0..4 {
        cluster.ok(node, &format!("{rule} +readonly +readwrite +asking +cluster|slots +cluster|nodes"));
    }
    let section = cluster.section().replace("password=", "username=cachefront\npassword=users-password");
    let service = Service::plain_with("REQUEST_DEADLINE_MS=10000", &format!("{section}attempt_timeout_ms=2000\n"));
    until_ready(&service, "READY").await;
    let caller = service.caller().await;
    caller.write("foo", &json!("v")).await;
    let (slot, from) = (cluster.slot("foo"), cluster.owner("foo"));
    cluster.open_slot(slot, from, 1 - from);
    cluster.move_key("foo", from, 1 - from);
    assert_eq!(caller.read("foo").await, Some(json!("v")));
    cluster.close_slot(slot, from, 1 - from);
    assert_eq!(caller.read("foo").await, Some(json!("v")));
}

#[tokio::test]
async fn an_unreachable_cluster_is_not_ready_and_answers_no_miss() {
    let port = free_port("127.0.0.1").expect("a free port");
    let service = Service::plain(&format!("[redis]\ncluster=127.0.0.1:{port}\n"));
    let readiness = readiness(&service).await;
    assert_eq!((readiness.status.as_u16(), &readiness.json()["status"]), (503, &json!("NOT_READY")));
    assert!(readiness.text.contains("no node of the Redis Cluster has answered"), "{readiness:?}");
    let caller = service.caller().await;
    for command in [read("k"), write("k", &json!("v"))] {
        let answer = caller.send(command.to_string()).await;
        answer.expect_error(503, "shard_unavailable");
        assert_eq!(answer.header("retry-after"), "1");
    }
    let replies = caller.run(json!([read("k"), write("k", &json!("v"))])).await;
    assert!(replies.as_array().expect("replies").iter().all(|reply| reply["code"] == "shard_unavailable"), "{replies}");
}

#[tokio::test]
async fn keys_of_unassigned_slots_are_unavailable_and_others_are_served() {
    let cluster = Cluster::start_with(2, 0, "", &["--cluster-require-full-coverage", "no"]);
    let service = serve(&cluster);
    until_ready(&service, "READY").await;
    let caller = service.caller().await;
    let slot = cluster.slot("foo");
    for node in 0..2 {
        cluster.ok(node, &format!("CLUSTER DELSLOTS {slot}"));
    }
    eventually("the slot is known to be uncovered", async || {
        let readiness = readiness(&service).await;
        let named = format!("shard \\\"{slot}\\\": no node of the Redis Cluster has these slots");
        (readiness.json()["status"] == "DEGRADED" && readiness.text.contains(&named)).then_some(())
    })
    .await;
    let replies =
        caller.run(json!([write("foo", &json!("v")), write("bar", &json!("v")), read("foo"), read("bar")])).await;
    assert_eq!((&replies[0]["code"], &replies[2]["code"]), (&json!("shard_unavailable"), &json!("shard_unavailable")));
    assert_eq!((&replies[1]["status"], &replies[3]["value"]), (&json!("SUCCESS"), &json!("v")), "{replies}");
    caller.send(read("foo").to_string()).await.expect_error(503, "shard_unavailable");
    cluster.ok(0, &format!("CLUSTER ADDSLOTS {slot}"));
    eventually("the slot is served again", async || {
        let answer = caller.send(write("foo", &json!("v")).to_string()).await;
        (answer.status == 200).then_some(())
    })
    .await;
    until_ready(&service, "READY").await;
}
