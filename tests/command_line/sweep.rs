//! `cachefront keys sweep`, with real keys in real Redis.

use crate::keys::{document, keys, send};
use crate::local_redis::{Layout, RedisGroup};
use crate::{Setup, cachefront, eventually, result, serving::serve, signal};
use cachefront::ring::{Ring, Weight, key_hash};
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    process::{Child, Stdio},
};

/// Two shards without replicas, and a setup for them with these weights.
fn two_shards(weights: [u32; 2], sections: &str) -> (RedisGroup, Setup) {
    let redis = RedisGroup::start(&Layout { shards: 2, replicas: 0, ..Layout::default() }).expect("Redis starts");
    let setup = Setup::new(&format!("RELOAD_EVERY_SECS=0\n{sections}{}", shards(&redis, weights)));
    (redis, setup)
}

fn shards(redis: &RedisGroup, weights: [u32; 2]) -> String {
    let shards = redis.shards().zip(weights);
    let sections: Vec<String> = shards
        .map(|((name, master, _), weight)| format!("[shard:{name}]\nmaster={master}\nweight={weight}\n"))
        .collect();
    sections.concat()
}

/// Stores keys on a shard, whether or not they belong to it. Returns their names.
fn fill(redis: &RedisGroup, shard: usize, prefix: &str, count: usize) -> Vec<String> {
    let names: Vec<String> = (0..count).map(|number| format!("{prefix}{number}")).collect();
    for some in names.chunks(500) {
        let values = some.join(" old ");
        assert_eq!(redis.master(shard).ask(&format!("MSET {values} old")).expect("an answer"), "+OK");
    }
    names
}

/// Returns the number of the shard that a key belongs to.
fn owner(weights: [u32; 2], key: &str) -> usize {
    Ring::new([("a", Weight::whole(weights[0])), ("b", Weight::whole(weights[1]))]).owner(key_hash(key.as_bytes()))
}

/// Returns the names of all keys on a shard, sorted.
fn names(redis: &RedisGroup, shard: usize) -> Vec<String> {
    let answer = redis.master(shard).ask("KEYS *").expect("an answer");
    let mut names: Vec<String> = answer.lines().map(str::to_owned).collect();
    names.sort_unstable();
    names
}

/// Returns one figure of each shard.
fn figures(document: &Value, name: &str) -> Vec<u64> {
    let shards = document["shards"].as_array().expect("shards").iter();
    shards.map(|shard| shard[name].as_u64().unwrap_or_else(|| panic!("{document:#}"))).collect()
}

#[test]
fn a_dry_run_counts_misplaced_keys_and_changes_nothing() {
    let (redis, setup) = two_shards([1, 2], "");
    let misplaced = [0, 1].map(|shard| {
        let names = fill(&redis, shard, &format!("user:{shard}:"), 1200);
        names.iter().filter(|name| owner([1, 2], name) != shard).count() as u64
    });
    let found = document(&setup, &["sweep"]);
    assert_eq!(figures(&found, "scanned"), [1200, 1200], "{found:#}");
    assert_eq!(figures(&found, "misplaced"), misplaced);
    assert_eq!((figures(&found, "deleted"), &found["delete"], &found["keys"]), (vec![0, 0], &json!(false), &json!([])));
    assert_eq!([0, 1].map(|shard| names(&redis, shard).len()), [1200, 1200]);

    let (status, out, err) = keys(&setup, &["sweep", "--show-keys", "2"]);
    assert_eq!(status, 0, "{err}");
    assert!(out.contains("This was a dry run") && out.contains("Keys of other programs"), "{out}");
    // A header and two keys of each shard.
    assert_eq!(
        out.lines()
            .skip_while(|line| !line.starts_with("SHARD  BELONGS TO"))
            .take_while(|line| !line.is_empty())
            .count(),
        5,
        "{out}"
    );
    let plan = "shards a (weight 1), b (weight 2); database 0; all keys; dry run, nothing is deleted.";
    assert!(err.contains(setup.path()) && err.contains(plan), "{err}");
}

#[test]
fn a_sweep_deletes_exactly_the_misplaced_keys() {
    let (redis, setup) = two_shards([3, 1], "");
    let expected = [0, 1].map(|shard| {
        let mut kept = fill(&redis, shard, &format!("user:{shard}:"), 1500);
        kept.retain(|name| owner([3, 1], name) == shard);
        kept.sort_unstable();
        kept
    });
    // Keys that no text can name, and values that are no strings.
    redis.master(0).ask(r#"SET "\xff\xfe" x"#).expect("an answer");
    redis.master(0).ask("RPUSH {user:1:0}list x").expect("an answer");
    let stays = owner_of_bytes([3, 1], b"\xff\xfe") == 0;
    let found = document(&setup, &["sweep", "--delete"]);
    let mut left = names(&redis, 0);
    left.retain(|name| name.is_ascii() && !name.starts_with('{'));
    assert_eq!([left, names(&redis, 1)], expected);
    assert_eq!(redis.master(0).ask(r#"EXISTS "\xff\xfe""#).expect("an answer"), format!(":{}", u8::from(stays)));
    let list_stays = owner([3, 1], "{user:1:0}list") == 0;
    assert_eq!(redis.master(0).ask("EXISTS {user:1:0}list").expect("an answer"), format!(":{}", u8::from(list_stays)));
    assert_eq!(figures(&found, "deleted"), figures(&found, "misplaced"));
    let again = document(&setup, &["sweep", "--delete"]);
    assert_eq!(figures(&again, "misplaced"), [0, 0]);
}

fn owner_of_bytes(weights: [u32; 2], key: &[u8]) -> usize {
    Ring::new([("a", Weight::whole(weights[0])), ("b", Weight::whole(weights[1]))]).owner(key_hash(key))
}

#[test]
fn match_and_client_limit_a_sweep() {
    let client = "[client:c]\nnamespace=ns\nscopes=read\n\
        api_key_hash=sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n";
    let (redis, setup) = two_shards([1, 1], client);
    for prefix in ["ns:x:", "ns:y:", "other:"] {
        fill(&redis, 0, prefix, 200);
    }
    let misplaced = |prefix: &str| (0..200).filter(|number| owner([1, 1], &format!("{prefix}{number}")) == 1).count();
    let all = [
        &["sweep"],
        &["sweep", "--client", "c"][..],
        &["sweep", "--client", "c", "--match", "x:*"],
        &["sweep", "--match", "other:?"],
    ];
    let scanned = all.map(|arguments| figures(&document(&setup, arguments), "scanned")[0]);
    assert_eq!(scanned, [600, 400, 200, 10]);
    let found = document(&setup, &["sweep", "--client", "c", "--match", "x:*", "--delete"]);
    assert_eq!(figures(&found, "deleted"), [misplaced("ns:x:") as u64, 0]);
    assert_eq!(names(&redis, 0).len(), 600 - misplaced("ns:x:"));
}

/// The values of keys in the answers of the service; `None` for a missing one.
fn read(setup: &Setup, address: &str, keys: &[String]) -> Vec<Option<String>> {
    let commands: Vec<Value> = keys.iter().map(|key| json!({"command": "READ", "key": key})).collect();
    let replies = send(setup, address, &json!(commands));
    assert!(replies.iter().all(|reply| reply["status"] != "ERROR"), "{replies:?}");
    replies.iter().map(|reply| reply["value"].as_str().map(str::to_owned)).collect()
}

#[test]
fn values_that_an_earlier_ring_left_are_not_seen_after_going_back() {
    let (redis, setup) = two_shards([1, 1], "");
    let both = fs::read_to_string(&setup.config).expect("settings");
    let one = both.split("[shard:b]").next().expect("a part").to_owned();
    fs::write(&setup.config, &one).expect("it is written");
    let serving = serve(&setup);
    let reloads = || fs::read_to_string(&serving.log).expect("a log").matches("settings reloaded").count();
    let reload = |settings: &str| {
        let before = reloads();
        fs::write(&setup.config, settings).expect("it is written");
        signal("-HUP", serving.child.id());
        eventually("it is reloaded", || (reloads() > before).then_some(()));
    };
    let all: Vec<String> = (0..40).map(|number| format!("k{number}")).collect();
    let moved: Vec<String> = all.iter().filter(|key| owner([1, 1], key) == 1).cloned().collect();
    let write = |value: &str| {
        let commands: Vec<Value> =
            all.iter().map(|key| json!({"command": "WRITE", "key": key, "value": value, "expire": 0})).collect();
        send(&setup, &serving.address, &json!(commands));
    };
    write("old");
    reload(&both);
    write("new");
    // The trap: without a sweep the old values would be seen again.
    let old_copies = |key: &String| redis.master(0).ask(&format!("GET {key}")).expect("an answer");
    assert!(!moved.is_empty() && moved.iter().all(|key| old_copies(key) == "old"), "{moved:?}");

    let found = document(&setup, &["sweep", "--delete"]);
    assert_eq!(figures(&found, "deleted"), [moved.len() as u64, 0]);
    assert_eq!(read(&setup, &serving.address, &all), vec![Some("new".to_owned()); 40]);
    reload(&one);
    let values = read(&setup, &serving.address, &all);
    for (key, value) in all.iter().zip(values) {
        let expected = (!moved.contains(key)).then(|| "new".to_owned());
        assert_eq!(value, expected, "{key}");
    }
}

/// Starts a slow sweep that deletes, and waits until it has deleted some keys.
fn interrupted(setup: &Setup, redis: &RedisGroup, state: Option<&Path>) -> (i32, String, String) {
    let before = names(redis, 0).len();
    let mut command = cachefront(&["keys", "sweep", "--config", setup.path(), "--delete", "--keys-per-second", "200"]);
    if let Some(state) = state {
        command.arg("--state").arg(state);
    }
    let child: Child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    eventually("keys are deleted", || (names(redis, 0).len() + 20 < before).then_some(()));
    signal("-INT", child.id());
    result(&child.wait_with_output().expect("it ends"))
}

#[test]
fn an_interrupted_sweep_goes_on_where_it_ended() {
    let (redis, setup) = two_shards([1, 1], "");
    let filled = fill(&redis, 0, "k", 3000);
    fill(&redis, 1, "k", 300);
    let state = setup.file("sweep.json");
    let (status, out, err) = interrupted(&setup, &redis, Some(&state));
    assert_eq!(status, 1, "{out}");
    assert!(err.ends_with("cachefront: the sweep was interrupted; the same command goes on where it ended\n"), "{err}");
    let shard: Value =
        serde_json::from_slice::<Value>(&fs::read(&state).expect("a state")).expect("JSON")["shards"][0].clone();
    let [scanned, deleted] = ["scanned", "deleted"].map(|name| shard[name].as_u64().expect("a number"));
    assert!(scanned < 3000 && deleted > 0, "{shard}");

    let scans = || {
        let stats = redis.master(0).ask("INFO commandstats").expect("an answer");
        let line = stats.lines().find(|line| line.starts_with("cmdstat_scan:")).expect("scans").to_owned();
        line.split(['=', ',']).nth(1).and_then(|calls| calls.parse::<u64>().ok()).expect("a number")
    };
    // A sweep with another plan does not use the state.
    let named = state.display().to_string();
    let (status, _, err) = keys(&setup, &["sweep", "--state", &named]);
    assert_eq!((status, err.contains("is the state of another sweep")), (64, true), "{err}");
    let before = scans();
    let found = document(&setup, &["sweep", "--delete", "--state", &named]);
    assert_eq!((&found["resumed"], &found["interrupted"]), (&json!(true), &json!(false)));
    assert_eq!(figures(&found, "scanned"), [3000, 300], "{found:#}");
    let misplaced = filled.iter().filter(|name| owner([1, 1], name) == 1).count() as u64;
    assert_eq!(figures(&found, "deleted")[0], misplaced);
    assert!(names(&redis, 0).iter().all(|name| owner([1, 1], name) == 0));
    // With 1,000 keys a step, a scan from the beginning would take at least this many steps more.
    assert!(scans() - before <= (3000 - scanned).div_ceil(1000) + 1, "{} scans", scans() - before);
    assert!(!state.exists(), "the state of a complete sweep is left");
}

#[test]
fn a_sweep_begins_anew_on_a_master_that_was_restarted() {
    let (redis, setup) = two_shards([1, 1], "");
    fill(&redis, 0, "k", 3000);
    let state = setup.file("sweep.json");
    interrupted(&setup, &redis, Some(&state));
    redis.master(0).kill();
    redis.master(0).start_again().expect("it starts");
    fill(&redis, 0, "k", 3000);
    let found = document(&setup, &["sweep", "--delete", "--state", &state.display().to_string()]);
    assert_eq!(figures(&found, "scanned"), [3000, 0], "{found:#}");
    assert!(names(&redis, 0).iter().all(|name| owner([1, 1], name) == 0));
}

#[test]
fn a_sweep_says_how_to_make_it_resumable() {
    let (redis, setup) = two_shards([1, 1], "");
    fill(&redis, 0, "k", 3000);
    let (status, out, err) = interrupted(&setup, &redis, None);
    assert_eq!(status, 1);
    assert!(out.lines().nth(1).is_some_and(|line| line.ends_with(" no")), "{out}");
    assert!(err.contains("the next one begins anew, unless both have the same --state FILE"), "{err}");
}

#[test]
fn a_sweep_that_cannot_run_says_why_in_one_sentence() {
    let (redis, setup) = two_shards([1, 1], "");
    fill(&redis, 0, "k", 300);
    let failed = |setup: &Setup, arguments: &[&str]| {
        let (status, _, err) = keys(setup, &[&["sweep", "--json"], arguments].concat());
        assert_eq!(err.lines().count(), 1, "{err}");
        (status, err)
    };
    let cluster = Setup::new("[redis]\ncluster=127.0.0.1:1\n");
    let (status, err) = failed(&cluster, &["--delete"]);
    assert_eq!((status, err.contains("a Redis Cluster, which moves its own keys")), (64, true), "{err}");

    let rule = "ACL SETUSER operator on >operators-password ~* -@all +info +ping +dbsize +scan";
    for number in 0..2 {
        assert_eq!(redis.master(number).ask(rule).expect("an answer"), "+OK");
    }
    let as_operator = |arguments: &[&str]| {
        let mut command = cachefront(&[&["keys", "sweep", "--json", "--config", setup.path()], arguments].concat());
        command.env("CACHEFRONT__REDIS__USERNAME", "operator");
        result(&command.env("CACHEFRONT__REDIS__PASSWORD", "operators-password").output().expect("it runs"))
    };
    // The permissions that the help names suffice.
    assert_eq!(as_operator(&[]).0, 0);
    let (status, _, err) = as_operator(&["--delete"]);
    assert_eq!(status, 1);
    assert!(err.contains("refuses a command") && err.contains("unlink") && err.contains("needs +info"), "{err}");
    assert_eq!(names(&redis, 0).len(), 300);

    let state = setup.file("nowhere").join("state").display().to_string();
    let (status, err) = failed(&setup, &["--delete", "--state", &state]);
    assert_eq!((status, err.contains("cannot be written")), (1, true), "{err}");
    assert_eq!(names(&redis, 0).len(), 300);

    // What is called a master is a replica, and another one cannot be reached. The others are swept all the same.
    let (replica, gone) = (redis.master(1), redis.master(0));
    replica.ask(&format!("REPLICAOF 127.0.0.1 {}", gone.address.port)).expect("an answer");
    let (status, err) = failed(&setup, &["--delete"]);
    assert_eq!((status, err.contains("calls itself a replica")), (1, true), "{err}");
    assert!(names(&redis, 0).len() < 300);
    gone.kill();
    let (status, err) = failed(&setup, &["--delete"]);
    assert_eq!((status, err.contains("shard \"a\" is unavailable: not connected")), (1, true), "{err}");
}

#[test]
fn a_sweep_refuses_to_delete_by_another_ring_than_the_running_instance() {
    let (redis, setup) = two_shards([1, 1], "");
    fill(&redis, 0, "k", 100);
    let serving = serve(&setup);
    let admin_port = serving.admin.rsplit(':').next().expect("a port");
    let text = fs::read_to_string(&setup.config).expect("settings");
    let sweep = |weight: &str| {
        fs::write(&setup.config, text.replacen("weight=1", weight, 1)).expect("it is written");
        let mut command = cachefront(&["keys", "sweep", "--delete", "--config", setup.path()]);
        result(&command.env("CACHEFRONT__SERVICE__ADMIN_PORT", admin_port).output().expect("it runs"))
    };
    let (status, _, err) = sweep("weight=2");
    assert_eq!((status, err.contains("uses other shards or weights than these settings")), (1, true), "{err}");
    assert_eq!(names(&redis, 0).len(), 100);
    assert_eq!(sweep("weight=1").0, 0);
    assert!(names(&redis, 0).len() < 100);
}

#[test]
fn a_sweep_of_one_process_under_two_names_deletes_nothing() {
    let (redis, _) = two_shards([1, 1], "");
    fill(&redis, 0, "k", 300);
    let port = redis.master(0).address.port;
    let setup = Setup::new(&format!(
        "RELOAD_EVERY_SECS=0\n[shard:a]\nmaster=127.0.0.1:{port}\n[shard:b]\nmaster=localhost:{port}\n"
    ));
    let (status, _, err) = keys(&setup, &["sweep", "--json", "--delete"]);
    assert_eq!((status, err.contains("are one Redis process: nothing was deleted")), (1, true), "{err}");
    assert_eq!(names(&redis, 0).len(), 300);
}
