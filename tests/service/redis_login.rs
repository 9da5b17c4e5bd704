//! Logins and certificates of Redis that change while the service runs.

use crate::{
    faults::until_ready,
    harness::{
        Authority, Load, MetricsPage, Sentinels, Service, TlsRedis, Traffic, authority, calls, eventually, redis,
        redis_section, until_replicated,
    },
    local_redis::{RedisGroup, RedisProcess},
};

/// Permissions of a user at Redis.
const PERMISSIONS: &str = "on ~* &* +@all";

fn nodes(group: &RedisGroup) -> Vec<&RedisProcess> {
    std::iter::once(group.master(0)).chain(group.replicas(0)).collect()
}

/// Sends a command, which has to be answered with `OK` or a number, to all nodes.
fn ask_all(group: &RedisGroup, command: &str) {
    for node in nodes(group) {
        let answer = node.ask(command).expect("an answer");
        assert!(answer.starts_with(['+', ':']), "{command}: {answer}");
    }
}

/// Starts a service that logs in to the nodes as the user `one` with the password `first`, and load on it.
async fn logged_in_under_load(group: &RedisGroup) -> (Service, Traffic) {
    until_replicated(group).await;
    ask_all(group, &format!("ACL SETUSER one >first {PERMISSIONS}"));
    let login = "[redis]\nusername=one\npassword=first\n";
    let service = Service::plain_with("RELOAD_EVERY_SECS=0", &format!("{login}{}", redis_section(group)));
    until_ready(&service, "READY").await;
    let traffic = Traffic::start(Load { replicas: Some(1), ..Load::on(&service) }).await;
    (service, traffic)
}

/// Returns the number of connections that are logged in as this user.
fn connections_of(clients: &str, user: &str) -> usize {
    clients.lines().filter(|line| line.contains(&format!(" user={user} "))).count()
}

#[tokio::test]
async fn a_rotated_login_costs_no_request() {
    let group = redis(1, 1);
    let (service, traffic) = logged_in_under_load(&group).await;

    // Another password of the same user.
    ask_all(&group, "ACL SETUSER one >second");
    service.edit(|text| text.replace("password=first", "password=second"));
    service.reload();
    for node in nodes(&group) {
        eventually("the open connections log in again", async || (calls(node, "auth") > 0).then_some(())).await;
    }
    ask_all(&group, "ACL SETUSER one <first");
    traffic.until_written().await;
    traffic.until_read().await;

    // Another user. Redis closes the connections of a user that is deleted.
    ask_all(&group, &format!("ACL SETUSER two >third {PERMISSIONS}"));
    service.edit(|text| text.replace("username=one\npassword=second", "username=two\npassword=third"));
    service.reload();
    for node in nodes(&group) {
        eventually("no connection is logged in as the former user", async || {
            let clients = node.ask("CLIENT LIST").expect("an answer");
            (connections_of(&clients, "one") == 0 && connections_of(&clients, "two") > 0).then_some(())
        })
        .await;
    }
    ask_all(&group, "ACL DELUSER one");
    traffic.until_written().await;
    traffic.until_read().await;
    traffic.finish().await.expect_no_failed_read().expect_no_failed_write().expect_nothing_lost();
}

#[tokio::test]
async fn a_login_that_redis_does_not_know_yet_costs_no_request() {
    let group = redis(1, 1);
    let (service, traffic) = logged_in_under_load(&group).await;
    service.edit(|text| text.replace("password=first", "password=second"));
    service.reload();
    for node in nodes(&group) {
        eventually("the node refuses the login", async || {
            node.ask("ACL LOG").expect("an answer").contains("auth").then_some(())
        })
        .await;
    }
    // New connections, which the writes with replicas need, get the earlier login.
    traffic.until_written().await;
    traffic.until_read().await;
    ask_all(&group, "ACL SETUSER one >second");
    for node in nodes(&group) {
        eventually("the open connections log in at last", async || succeeded(node, "auth").then_some(())).await;
    }
    ask_all(&group, "ACL SETUSER one <first");
    traffic.until_written().await;
    traffic.until_read().await;
    traffic.finish().await.expect_no_failed_read().expect_no_failed_write().expect_nothing_lost();
}

/// Returns true if a node has run the command at least once without an error.
fn succeeded(node: &RedisProcess, command: &str) -> bool {
    let stats = node.ask("INFO commandstats").expect("an answer");
    let line = stats.lines().find(|line| line.starts_with(&format!("cmdstat_{command}:")));
    let field = |name: &str| -> u64 {
        let value = line.and_then(|line| line.split([':', ',']).find_map(|part| part.strip_prefix(name)));
        value.map_or(0, |value| value.trim().parse().expect("a number"))
    };
    field("calls=") > field("failed_calls=")
}

#[tokio::test]
async fn the_login_of_sentinels_is_rotated_while_they_are_connected() {
    let group = redis(1, 0);
    let sentinels = Sentinels::start(&group, 2);
    let all = 0..3;
    for number in all.clone() {
        for (user, password) in [("one", "first"), ("two", "second")] {
            let rule = format!("ACL SETUSER {user} >{password} {PERMISSIONS}");
            assert_eq!(sentinels.ask(number, &rule).expect("an answer"), "+OK");
        }
    }
    let login = "sentinel_username=one\nsentinel_password=first\n";
    let section = sentinels.section().replace("sentinel_password=\n", login);
    let service = Service::start_with("RELOAD_EVERY_SECS=0", &section);
    until_ready(&service, "READY").await;
    service.edit(|text| text.replace(login, "sentinel_username=two\nsentinel_password=second\n"));
    service.reload();
    for number in all {
        eventually("the connection to the sentinel logs in again", async || {
            let clients = sentinels.ask(number, "CLIENT LIST").expect("an answer");
            (connections_of(&clients, "one") == 0 && connections_of(&clients, "two") == 1).then_some(())
        })
        .await;
    }
    until_ready(&service, "READY").await;
}

#[tokio::test]
async fn the_expected_name_takes_the_place_of_the_host() {
    let Some(redis) = TlsRedis::start() else { return };
    // The certificate is for localhost and 127.0.0.1.
    let section = [&redis.section(), "expected_name=redis.example\n", &redis.shard()].concat();
    let service = Service::start_with("RELOAD_EVERY_SECS=0", &section);
    let read = r#"{"command":"READ","key":"k"}"#;
    service.caller().await.send(read).await.expect_error(503, "shard_unavailable");
    // New connections follow a reload.
    service.edit(|text| text.replace("expected_name=redis.example", "expected_name=127.0.0.1"));
    service.reload();
    until_ready(&service, "READY").await;
    assert_eq!(service.caller().await.read("k").await, None);
}

#[tokio::test]
async fn the_authority_of_both_certificates_is_replaced_while_they_are_in_use() {
    let Some(redis) = TlsRedis::start() else { return };
    let service = Service::start_with("RELOAD_EVERY_SECS=0", &[redis.section(), redis.shard()].concat());
    until_ready(&service, "READY").await;
    let traffic = Traffic::start(Load::on(&service)).await;

    // First both sides trust the next authority as well, then they show its certificates, then they trust no other.
    let next = Authority::new("the next authority");
    let trust = async |authorities: String, reload: u32| {
        // Redis reads a file again only under another name.
        let of_redis = redis.file(&format!("ca-{reload}.pem"));
        for file in [&of_redis, &redis.file("ca.pem")] {
            std::fs::write(file, &authorities).expect("the authorities are written");
        }
        ask_all(&redis.group, &format!("CONFIG SET tls-ca-cert-file {}", of_redis.display()));
        service.reload();
        let outcome = "outcome=\"applied\"";
        MetricsPage::until(&service, "cachefront_settings_reloads_total", outcome, |count| count >= f64::from(reload))
            .await;
    };
    trust([authority().pem(), next.pem()].concat(), 1).await;
    next.issue(redis.folder(), "client");
    let shown = next.issue(redis.folder(), "next-redis");
    let (certificate, key) = (shown.certificate.display(), shown.key.display());
    ask_all(&redis.group, &format!("CONFIG SET tls-cert-file {certificate} tls-key-file {key}"));
    trust(next.pem(), 2).await;
    traffic.until_written().await;
    traffic.until_read().await;
    traffic.finish().await.expect_no_failed_read().expect_no_failed_write().expect_nothing_lost();

    // New connections follow the files.
    ask_all(&redis.group, "CLIENT KILL TYPE normal");
    let caller = service.caller().await;
    eventually("the service connects again", async || {
        let answer = caller.send(r#"{"command":"READ","key":"k"}"#).await;
        (answer.json()["status"] == "NOT_FOUND").then_some(())
    })
    .await;
}
