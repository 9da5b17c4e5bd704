//! `cachefront keys`, with real keys in real Redis.

use crate::local_redis::{Layout, RedisGroup};
use crate::{Setup, cachefront, result, run, serving::serve};
use serde_json::{Value, json};
use std::process::Command;

const CLIENT: &str = "[client:c]\nnamespace=ns\nscopes=read\n\
    api_key_hash=sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n";

/// Two shards with a replica each, and a setup for them.
fn redis() -> (RedisGroup, Setup) {
    let redis = RedisGroup::start(&Layout { shards: 2, replicas: 1, ..Layout::default() }).expect("Redis starts");
    let mut sections = format!("ENCRYPTION_KEY={}\n{CLIENT}", "0123456789abcdef".repeat(4));
    for (name, master, replicas) in redis.shards() {
        sections = format!("{sections}[shard:{name}]\nmaster={master}\nreplicas={}\n", replicas[0]);
    }
    (redis, Setup::new(&sections))
}

/// Runs `cachefront keys` with the settings.
pub fn keys(setup: &Setup, arguments: &[&str]) -> (i32, String, String) {
    let (command, rest) = arguments.split_first().expect("a command");
    run(&[&["keys", command, "--config", setup.path()], rest].concat())
}

/// Runs `cachefront keys` successfully and returns its JSON.
pub fn document(setup: &Setup, arguments: &[&str]) -> Value {
    let (status, out, err) = keys(setup, &[arguments, &["--json"]].concat());
    assert_eq!((status, err.as_str()), (0, ""), "{out}");
    serde_json::from_str(&out).expect("JSON")
}

/// Sends one command or several to the service and returns the replies.
pub fn send(setup: &Setup, address: &str, commands: &Value) -> Vec<Value> {
    let port = address.rsplit(':').next().expect("a port");
    let curl = |path: &str, token: &str, body: &str| {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--max-time", "20", "--cacert"]).arg(setup.file("cert.pem"));
        curl.args(["-H", "Content-Type: application/json", "-H", &format!("Authorization: Bearer {token}")]);
        let output = curl.args(["-d", body, &format!("https://localhost:{port}{path}")]).output().expect("curl runs");
        let (status, out, err) = result(&output);
        assert_eq!(status, 0, "{err}");
        serde_json::from_str::<Value>(&out).expect("JSON")
    };
    let login = curl("/login", "", r#"{"api_key":"hunter2-hunter2-hunter2"}"#);
    let answer = curl("/cache", login["access_token"].as_str().expect("a token"), &commands.to_string());
    if let Value::Array(replies) = answer { replies } else { vec![answer] }
}

/// The shard of a key, by its number among those of [`redis`].
fn shard(setup: &Setup, key: &str) -> usize {
    match document(setup, &["locate", key])[0]["shard"].as_str() {
        Some("a") => 0,
        Some("b") => 1,
        other => panic!("{other:?}"),
    }
}

#[test]
fn ttl_shows_kind_size_and_remaining_time() {
    let (redis, setup) = redis();
    let serving = serve(&setup);
    let write = |key: &str, value: Value, expire: i64, encrypt: bool| json!({"command": "WRITE", "key": key, "value": value, "expire": expire, "encrypt": encrypt});
    let commands = json!([
        write("text", json!("hello"), 1000, false),
        write("json", json!({"a": 1}), 0, false),
        write("sealed", json!("x"), 1000, true),
    ]);
    let replies = send(&setup, &serving.address, &commands);
    assert!(replies.iter().all(|reply| reply["status"] == "SUCCESS"), "{replies:?}");
    let ask = |key: &str, command: &str| redis.master(shard(&setup, key)).ask(command).expect("an answer");
    assert_eq!(ask("foreign", r#"SET foreign "\x80\x02]""#), "+OK");
    assert_eq!(ask("list", "RPUSH list 1 2"), ":2");

    let found = document(&setup, &["ttl", "text", "json", "sealed", "foreign", "list", "nothing"]);
    let kinds: Vec<_> = found.as_array().expect("a list").iter().map(|key| (&key["kind"], &key["bytes"])).collect();
    let expected =
        [("text", Some(5)), ("envelope", Some(10)), ("sealed", Some(52)), ("bytes", Some(3)), ("list", None)];
    let expected: Vec<_> = expected.iter().map(|(kind, bytes)| (json!(kind), json!(bytes))).collect();
    assert_eq!(kinds[..5], expected.iter().map(|(kind, bytes)| (kind, bytes)).collect::<Vec<_>>(), "{found:#}");
    assert_eq!((&found[5]["found"], &found[5]["kind"]), (&json!(false), &Value::Null));
    assert!(found[0]["ttl_ms"].as_u64().is_some_and(|ms| (900_000..=1_000_000).contains(&ms)), "{found:#}");
    assert_eq!((&found[1]["expires"], &found[1]["ttl_ms"]), (&json!(false), &Value::Null));
    assert_eq!(found[0]["node"], json!(redis.master(shard(&setup, "text")).address.to_string()));

    let (status, out, _) = keys(&setup, &["ttl", "text", "json", "nothing"]);
    assert_eq!(status, 0);
    assert!(out.contains(" 16 min ") && out.contains("for ever") && out.contains("no such key"), "{out}");

    assert_eq!(found[0]["refused"], json!(false));
    let mut command = cachefront(&["keys", "ttl", "--config", setup.path(), "text", "sealed"]);
    let output = command.env("CACHEFRONT__SERVICE__ENCRYPT_VALUES", "required").output().expect("it runs");
    let (_, out, _) = result(&output);
    assert!(out.contains(" text (refused) ") && !out.contains("sealed (refused)"), "{out}");
}

#[test]
fn keys_are_looked_up_in_the_namespace_of_a_client() {
    let (redis, setup) = redis();
    assert_eq!(redis.master(shard(&setup, "ns:k")).ask("SET ns:k v").expect("an answer"), "+OK");
    assert_eq!(document(&setup, &["ttl", "k"])[0]["found"], json!(false));
    let found = document(&setup, &["ttl", "k", "--client", "c"]);
    assert_eq!((&found[0]["found"], &found[0]["full_key"]), (&json!(true), &json!("ns:k")));
    let (status, _, err) = keys(&setup, &["ttl", "k", "--client", "nobody"]);
    assert_eq!(status, 64, "{err}");
}

#[test]
fn a_replica_answers_for_a_lost_master_and_a_lost_shard_is_not_a_miss() {
    let (redis, setup) = redis();
    let number = shard(&setup, "k");
    assert_eq!(redis.master(number).ask("SET k v").expect("an answer"), "+OK");
    let replica = &redis.replicas(number)[0];
    crate::eventually("it is replicated", || replica.ask("EXISTS k").ok().filter(|answer| answer == ":1"));
    redis.master(number).kill();
    let found = document(&setup, &["ttl", "k"]);
    assert_eq!((&found[0]["found"], &found[0]["node"]), (&json!(true), &json!(replica.address.to_string())));
    replica.kill();
    let other = 1 - number;
    redis.master(other).kill();
    redis.replicas(other)[0].kill();
    // Concurrently, because each waits for its own deadline.
    let (ttl, sample) = std::thread::scope(|scope| {
        let ttl = scope.spawn(|| keys(&setup, &["ttl", "k"]));
        let sample = keys(&setup, &["sample"]);
        (ttl.join().expect("it ends"), sample)
    });
    let (status, out, err) = ttl;
    assert_eq!(status, 1, "{out}");
    assert!(out.contains("not known") && !out.contains("no such key"), "{out}");
    assert!(err.contains("shard \""), "{err}");
    let (status, out, err) = sample;
    assert_eq!(status, 1, "{err}");
    assert_eq!(out.matches("no answer").count(), 2, "{out}");
    assert!(!out.contains("No keys"), "{out}");
}

#[test]
fn locate_shows_shard_and_nodes_of_many_keys() {
    let (redis, setup) = redis();
    let located = document(&setup, &["locate", "k1", "k2", "k3", "--before", setup.path()]);
    for (number, key) in ["k1", "k2", "k3"].into_iter().enumerate() {
        let found = &located[number];
        let number = shard(&setup, key);
        assert_eq!(found["before"]["shard"], found["shard"]);
        assert_eq!(found["master"], json!(redis.master(number).address.to_string()));
        assert_eq!(found["replica"], json!(redis.replicas(number)[0].address.to_string()));
    }
    let (status, out, _) = keys(&setup, &["locate", "k1", "--client", "c"]);
    assert_eq!(status, 0);
    assert!(out.lines().nth(1).is_some_and(|line| line.starts_with("ns:k1  ")), "{out}");
    assert_eq!(keys(&setup, &["locate", "k", ""]).0, 64);
}

#[test]
fn locate_shows_the_master_after_a_failover_beside_the_configured_one() {
    let (redis, setup) = redis();
    let number = shard(&setup, "k");
    let (old, new) = (&redis.master(number), &redis.replicas(number)[0]);
    let (_, out, _) = keys(&setup, &["locate", "k"]);
    assert!(!out.contains("CONFIGURED MASTER"), "they are the same: {out}");
    assert_eq!(new.ask("REPLICAOF NO ONE").expect("an answer"), "+OK");
    assert_eq!(old.ask(&format!("REPLICAOF {} {}", new.address.host, new.address.port)).expect("an answer"), "+OK");
    let [old, new] = [old, new].map(|node| node.address.to_string());
    crate::eventually("the old master has the data of the new one", || {
        let found = document(&setup, &["locate", "k"]);
        (found[0]["master"] == json!(new) && found[0]["replica"] == json!(old)).then_some(())
    });
    let (status, out, err) = keys(&setup, &["locate", "k"]);
    assert_eq!((status, err.as_str()), (0, ""), "{out}");
    let words: Vec<Vec<&str>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0], ["KEY", "SHARD", "MASTER", "CONFIGURED", "MASTER", "PREFERRED", "REPLICA"]);
    assert_eq!(words[1][2..], [&*new, &*old, &*old]);

    // While no master answers, none is named as if it did.
    redis.replicas(number)[0].kill();
    let found = document(&setup, &["locate", "k"]);
    assert_eq!((&found[0]["master"], &found[0]["configured_master"]), (&Value::Null, &json!(old)));
    redis.master(number).kill();
    let (status, out, _) = keys(&setup, &["locate", "k"]);
    assert!(status == 0 && out.contains("none answers") && out.contains(&old), "{out}");
}

#[test]
fn a_sample_counts_keys_by_pattern_and_changes_nothing() {
    let (redis, setup) = redis();
    for number in 0..60 {
        let (key, nodes) = (format!("user:{number}:name"), redis.master(number % 2));
        nodes.ask(&format!("SET {key} name EX 1000")).expect("an answer");
    }
    redis.master(0).ask("SET ns:session:123e4567-e89b-12d3-a456-426614174000 0123456789").expect("an answer");
    redis.master(1).ask("HSET things a 1").expect("an answer");
    for number in 0..2 {
        let size = redis.master(number).ask("DBSIZE").expect("an answer");
        crate::eventually("it is replicated", || {
            redis.replicas(number)[0].ask("DBSIZE").ok().filter(|replica| *replica == size)
        });
    }
    let sample = document(&setup, &["sample", "--count", "2000"]);
    let shards = sample["shards"].as_array().expect("shards");
    assert_eq!(shards.iter().map(|shard| shard["keys"].as_u64()).collect::<Vec<_>>(), [Some(31), Some(31)]);
    let found = |pattern: &str| {
        let patterns = sample["patterns"].as_array().expect("patterns");
        patterns.iter().find(|found| found["pattern"] == pattern).unwrap_or_else(|| panic!("{pattern}: {sample:#}"))
    };
    let users = found("user:<n>:name");
    // 2,000 draws of 31 keys miss one with a chance of 1 to 10^27.
    assert_eq!((&users["keys"], &users["kinds"], &users["for_ever"]), (&json!(60), &json!({"text": 60}), &json!(0)));
    assert_eq!((&users["bytes_median"], &users["bytes_max"]), (&json!(4), &json!(4)));
    assert!(users["ttl_ms_max"].as_u64().is_some_and(|ms| (900_000..=1_000_000).contains(&ms)), "{users:#}");
    assert_eq!(found("ns:session:<uuid>")["for_ever"], json!(1));
    assert_eq!(found("things")["kinds"], json!({"hash": 1}));

    let (status, out, _) = keys(&setup, &["sample", "--top", "1"]);
    assert_eq!(status, 0);
    assert!(out.contains("user:<n>:name") && out.contains("and 2 patterns more, with 2 keys"), "{out}");
    let own = document(&setup, &["sample", "--client", "c"]);
    assert_eq!(own["patterns"].as_array().map(Vec::len), Some(1), "{own:#}");
    for number in 0..2 {
        assert_eq!(redis.master(number).ask("DBSIZE").expect("an answer"), ":31");
    }
}

#[test]
fn the_redis_permissions_that_the_help_names_suffice() {
    let (redis, setup) = redis();
    for number in 0..2 {
        for node in [redis.master(number), &redis.replicas(number)[0]] {
            let rule = "ACL SETUSER operator on >operators-password ~* -@all +info +ping +pttl +type +strlen +getrange +randomkey +dbsize";
            assert_eq!(node.ask(rule).expect("an answer"), "+OK");
        }
    }
    redis.master(shard(&setup, "k")).ask("SET k v").expect("an answer");
    let as_operator = |arguments: &[&str]| {
        let mut command = cachefront(&[&["keys"], arguments, &["--config", setup.path()]].concat());
        command.env("CACHEFRONT__REDIS__USERNAME", "operator");
        result(&command.env("CACHEFRONT__REDIS__PASSWORD", "operators-password").output().expect("it runs"))
    };
    let (status, out, err) = as_operator(&["ttl", "k"]);
    assert_eq!((status, err.as_str()), (0, ""), "{out}");
    let (status, out, err) = as_operator(&["sample"]);
    assert_eq!((status, err.as_str()), (0, ""), "{out}");
    redis.master(shard(&setup, "k")).ask("ACL SETUSER operator -type").expect("an answer");
    let (status, out, err) = as_operator(&["ttl", "k"]);
    assert_eq!(status, 1, "{out}");
    assert!(err.contains("NOPERM"), "{err}");
}
