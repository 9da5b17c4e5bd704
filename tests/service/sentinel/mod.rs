//! A topology that Sentinels announce: discovery, failovers, and the loss of Sentinels.

mod failover;

use crate::local_redis::{Layout, RedisGroup, RedisProcess, free_port};
use crate::{
    faults::until_ready,
    harness::{
        API_KEY, Answer, Caller, JWT_SECRET, SentinelOptions, Sentinels, Service, UNDISTURBED, authority, calls,
        eventually, redis, redis_speaks_tls, start,
    },
};
use serde_json::{Value, json};
use std::process::Command;

const WRITE: &str = r#"{"command":"WRITE","key":"again","value":"v"}"#;

async fn ready_service(sentinels: &Sentinels) -> (Service, Caller) {
    let service = Service::start(&sentinels.section());
    until_ready(&service, "READY").await;
    let caller = service.caller().await;
    (service, caller)
}

/// Writes a key and waits until every replica has it.
async fn write_everywhere(caller: &Caller, group: &RedisGroup, key: &str) {
    caller.write(key, &json!("v")).await;
    for replica in group.replicas(0) {
        let get = format!("GET {key}");
        eventually("the value is replicated", async || (replica.ask(&get).ok()? == "v").then_some(())).await;
    }
}

/// Waits until a sentinel announces another master than `old`, and returns its port.
async fn until_failover(sentinels: &Sentinels, number: usize, master: &str, old: &RedisProcess) -> u16 {
    eventually("a failover is made", async || {
        let answer = sentinels.ask(number, &format!("SENTINEL GET-MASTER-ADDR-BY-NAME {master}")).ok()?;
        let port = answer.lines().nth(1)?.parse().ok()?;
        (port != old.address.port).then_some(port)
    })
    .await
}

/// Writes until writes succeed again; meanwhile the key `kept` has to be readable.
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

fn node(group: &RedisGroup, port: u16) -> &RedisProcess {
    group.replicas(0).iter().find(|node| node.address.port == port).expect("a replica was promoted")
}

/// Waits until a node answers reads.
async fn until_read_from(caller: &Caller, node: &RedisProcess) {
    let mut round = 0;
    eventually("the replica is read", async || {
        round += 1;
        caller.read(&format!("nothing:{round}")).await;
        (calls(node, "get") > 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_master_and_its_replicas_are_found_by_the_sentinels() {
    let group = redis(1, 2);
    let sentinels = Sentinels::start(&group, 2);
    let service = Service::plain(&sentinels.section().replacen("[redis]\n", UNDISTURBED, 1));
    until_ready(&service, "READY").await;
    let caller = service.caller().await;
    for round in 0..50 {
        caller.write(&format!("k{round}"), &json!("v")).await;
        caller.read(&format!("other:{round}")).await;
    }
    assert_eq!((calls(group.master(0), "set"), calls(group.master(0), "get")), (50, 0));
    assert!(group.replicas(0).iter().all(|replica| calls(replica, "get") > 0));
}

#[tokio::test]
async fn reads_and_writes_go_on_without_sentinels() {
    let group = redis(1, 1);
    let sentinels = Sentinels::start(&group, 2);
    let (service, caller) = ready_service(&sentinels).await;
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

    // Without sentinels the roles decide.
    sentinels.kill(1);
    write_everywhere(&caller, &group, "before").await;
    group.master(0).kill();
    assert_eq!(group.replicas(0)[0].ask("REPLICAOF NO ONE").expect("an answer"), "+OK");
    until_written(&caller, "before").await;
}

#[tokio::test]
async fn replicas_that_are_added_and_removed_are_followed() {
    let group = redis(1, 1);
    let sentinels = Sentinels::start(&group, 2);
    let (service, caller) = ready_service(&sentinels).await;
    let other = redis(1, 0);
    let (newcomer, master) = (other.master(0), &group.master(0).address);
    let follow = format!("REPLICAOF {} {}", master.host, master.port);
    assert_eq!(newcomer.ask(&follow).expect("an answer"), "+OK");
    until_read_from(&caller, newcomer).await;
    until_ready(&service, "READY").await;
    // The sentinels that discovered it keep it on their lists as down.
    sentinels.until_replicas(0, 2);
    newcomer.kill();
    until_ready(&service, "DEGRADED").await;
    assert_eq!(problems(&service).await, json!(["shard \"a\": 1 of 2 replicas are not reachable"]));
    eventually("the sentinel sees it", async || {
        sentinels.ask(0, "SENTINEL REPLICAS main-a").ok()?.contains("s_down").then_some(())
    })
    .await;
    until_ready(&service, "READY").await;
    newcomer.start_again().expect("it starts");
    assert_eq!(newcomer.ask(&follow).expect("an answer"), "+OK");
    until_read_from(&caller, newcomer).await;
}

#[tokio::test]
async fn reconfigured_sentinels_are_followed() {
    let (group, other) = (redis(1, 1), redis(1, 0));
    let sentinels = Sentinels::start(&group, 2);
    let (service, caller) = ready_service(&sentinels).await;
    eventually("the sentinel agrees", async || {
        (sentinels.ask(0, "SENTINEL FAILOVER main-a").ok()?.trim() == "+OK").then_some(())
    })
    .await;
    // On all of them, so that each has the epoch of that failover.
    for number in 0..3 {
        until_failover(&sentinels, number, "main-a", group.master(0)).await;
    }
    caller.write("k", &json!("v")).await;
    let monitor = format!("SENTINEL MONITOR main-a 127.0.0.1 {} 2", other.master(0).address.port);
    let ask_all =
        |command: &str| (0..3).all(|number| sentinels.ask(number, command).expect("an answer").trim() == "+OK");
    // First on all of them, because one that remembers the master would announce it to the others.
    assert!(ask_all("SENTINEL REMOVE main-a"));
    let expected = json!("shard \"a\": the sentinels know no master \"main-a\"");
    eventually("the unknown name is reported", async || (problems(&service).await[0] == expected).then_some(())).await;
    caller.write("k", &json!("v")).await;
    // Their epoch starts lower than the one before.
    assert!(ask_all(&monitor));
    eventually("writes go where the sentinels say now", async || {
        caller.write("k", &json!("v")).await;
        (other.master(0).ask("GET k").ok()? == "v").then_some(())
    })
    .await;
    until_ready(&service, "READY").await;
}

#[tokio::test]
async fn sentinels_have_a_password_of_their_own() {
    let nodes_password = "of-the-nodes".to_owned();
    let group = start(&Layout { replicas: 1, password: nodes_password.clone(), ..Layout::default() });
    let password = "of-the-sentinels".to_owned();
    let sentinels =
        Sentinels::start_with(&group, 2, SentinelOptions { password, nodes_password, ..SentinelOptions::default() });
    let (_service, caller) = ready_service(&sentinels).await;
    caller.write("k", &json!("v")).await;
    caller.until_read("k", Some(&json!("v"))).await;

    // A user with exactly the documented permissions.
    let rule = "ACL SETUSER cachefront on >users allchannels -@all +subscribe +sentinel|master \
                +sentinel|get-master-addr-by-name +sentinel|replicas";
    assert!((0..3).all(|number| sentinels.ask(number, rule).expect("an answer").trim() == "+OK"));
    let user = "sentinel_username=cachefront\nsentinel_password=users\n";
    let service = Service::start(&sentinels.section().replace("sentinel_password=of-the-sentinels\n", user));
    until_ready(&service, "READY").await;

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
    let (_service, caller) = ready_service(&sentinels).await;
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
async fn an_unknown_master_name_is_reported() {
    let group = start(&Layout { shards: 2, replicas: 0, ..Layout::default() });
    let sentinels = Sentinels::start(&group, 2);
    let service = Service::start(&sentinels.section().replace("main-b", "main-x"));
    let expected =
        json!(["shard \"b\": the sentinels know no master \"main-x\"", "shard \"b\": its nodes are not known yet"]);
    eventually("the problem is reported", async || (problems(&service).await == expected).then_some(())).await;
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

/// Runs `cachefront keys locate` with these settings; returns its status, its row for the key and its errors.
fn locate(sections: &str, key: &str) -> (Option<i32>, Vec<String>, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = authority().issue(folder.path(), "service");
    let text = format!(
        "[service]\nTLS_CERT={}\nTLS_KEY={}\nJWT_SECRET_KEY={JWT_SECRET}\nSRVC_SHARED_SECRET={API_KEY}\n{sections}",
        files.certificate.display(),
        files.key.display(),
    );
    let path = folder.path().join("setup.config");
    std::fs::write(&path, text).expect("the settings are written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_cachefront"));
    let output = command.args(["keys", "locate"]).arg("--config").arg(&path).arg(key).output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("a text");
    let out = text(output.stdout);
    let row = out.lines().nth(1).unwrap_or_default().split_whitespace().map(str::to_owned).collect();
    (output.status.code(), row, text(output.stderr))
}

#[tokio::test]
async fn locate_asks_the_sentinels() {
    let group = redis(1, 1);
    let sentinels = Sentinels::start(&group, 2);
    let (master, replica) = (&group.master(0).address, &group.replicas(0)[0].address);
    let expected = ["k", "a", &master.to_string(), &replica.to_string()].map(str::to_owned).to_vec();
    assert_eq!(locate(&sentinels.section(), "k"), (Some(0), expected, String::new()));
    let (status, row, err) = locate("[redis]\nsentinels=127.0.0.1:1\n[shard:a]\nsentinel_master=m\n", "k");
    assert_eq!(status, Some(1));
    assert_eq!(row, ["k", "a", "unknown", "unknown"]);
    assert!(err.contains("no sentinel has answered yet"), "{err}");
}

#[tokio::test]
async fn sentinels_speak_tls_though_the_nodes_do_not() {
    if !redis_speaks_tls() {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (files, client) = (authority().issue(folder.path(), "sentinel"), authority().issue(folder.path(), "client"));
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, authority().pem()).expect("the authority is written");
    let port = free_port("127.0.0.1").expect("a free port");
    let lines = format!(
        "tls-port {port}\ntls-cert-file {}\ntls-key-file {}\ntls-ca-cert-file {}\ntls-auth-clients yes\n",
        files.certificate.display(),
        files.key.display(),
        ca.display()
    );
    let group = redis(1, 1);
    let sentinels = Sentinels::start_with(&group, 2, SentinelOptions { lines, ..SentinelOptions::default() });
    let section = sentinels.section().replace(&sentinels.addresses(), &format!("localhost:{port}"));
    let certificates = format!(
        "sentinel_tls=true\nca_cert={}\nclient_cert={}\nclient_key={}\n[shard:",
        ca.display(),
        client.certificate.display(),
        client.key.display()
    );
    let service = Service::start(&section.replacen("[shard:", &certificates, 1));
    until_ready(&service, "READY").await;
    let plain = Service::start(&section);
    until_ready(&plain, "NOT_READY").await;
    assert_eq!(problems(&plain).await[0], "no sentinel has answered yet");
}
