//! Shards that come and go while the service runs: keys that get another shard keep their values.

use crate::{
    faults::{pause, resume},
    harness::{Answer, Caller, Service, eventually, redis},
};
use cachefront::cli::dev::local_redis::{Group, Node};
use serde_json::{Value, json};

/// Three shards, of which the settings name as many as they are told.
struct Growing {
    group: Group,
    service: Service,
    caller: Caller,
}

const ONE: usize = 1;
const ALL: usize = 3;

impl Growing {
    async fn start(shards: usize, options: &str) -> Self {
        let group = redis(ALL, 0);
        let sections = format!("[redis]\nkey_expire_secs=1000\n{options}\n{}", sections(&group, shards));
        let service = Service::start_with("RELOAD_EVERY_SECS=0", &sections);
        let caller = service.caller().await;
        Self { group, service, caller }
    }

    /// With keys that were written to one shard, and have all three since a moment ago.
    async fn grown() -> Self {
        let growing = Self::start(ONE, "").await;
        growing.caller.fill(&keys()).await;
        growing.change(ONE, ALL).await;
        growing
    }

    /// Changes the settings to other shards, and waits until the service has them.
    async fn change(&self, before: usize, now: usize) {
        self.service.edit(|text| text.replace(&sections(&self.group, before), &sections(&self.group, now)));
        self.service.reload();
        let names: Vec<String> = (before.min(now)..before.max(now)).map(name).collect();
        let verb = if now > before { "added" } else { "removed" };
        eventually("the change is shown", async || {
            let changes = self.ready().await["changes"].to_string();
            names.iter().all(|name| changes.contains(&format!("shard \\\"{name}\\\" was {verb}"))).then_some(())
        })
        .await;
    }

    async fn ready(&self) -> Value {
        Answer::of(self.caller.http.get(self.service.url("/readyz"))).await.json()
    }

    fn node(&self, shard: usize) -> &Node {
        self.group.master(shard)
    }

    fn held(&self, shard: usize) -> usize {
        self.node(shard).ask("DBSIZE").expect("an answer")[1..].parse().expect("a number")
    }
}

fn name(shard: usize) -> String {
    ["a", "b", "c"][shard].to_owned()
}

fn sections(group: &Group, shards: usize) -> String {
    (0..shards).fold(String::new(), |text, shard| {
        format!("{text}\n[shard:{}]\nmaster={}\n", name(shard), group.master(shard).address)
    })
}

fn keys() -> Vec<String> {
    (0..60).map(|number| format!("k{number}")).collect()
}

#[tokio::test]
async fn values_are_taken_over_by_added_shards_with_the_time_they_have_left() {
    let growing = Growing::start(ONE, "").await;
    let caller = &growing.caller;
    caller.fill(&keys()).await;
    caller.run(json!({"command": "WRITE", "key": "k0", "value": "k0", "expire": 0})).await;
    growing.change(ONE, ALL).await;
    for key in keys() {
        assert_eq!(caller.read(&key).await, Some(json!(key)), "it started cold");
    }
    let taken = growing.held(1) + growing.held(2);
    assert!(taken > 20, "{taken} values of 60 were taken over");
    for shard in [1, 2] {
        let node = growing.node(shard);
        for key in keys().iter().filter(|key| node.ask(&format!("EXISTS {key}")).expect("an answer") == ":1") {
            let ttl: i64 = node.ask(&format!("TTL {key}")).expect("an answer")[1..].parse().expect("a number");
            assert!(if key == "k0" { ttl == -1 } else { (900..=1000).contains(&ttl) }, "{key}: {ttl}");
        }
    }
    // And they are there: the old shard is asked no more for them.
    growing.node(0).ask("FLUSHALL").expect("an answer");
    let found: Vec<String> = futures_util::future::join_all(
        keys().into_iter().map(|key| async { (caller.read(&key).await == Some(json!(key))).then_some(key) }),
    )
    .await
    .into_iter()
    .flatten()
    .collect();
    assert_eq!(found.len(), taken);
}

#[tokio::test]
async fn what_was_changed_or_deleted_while_keys_move_does_not_come_back() {
    let growing = Growing::grown().await;
    let caller = &growing.caller;
    let write = |key: &String| json!({"command": "WRITE", "key": key, "value": "new"});
    let delete = |key: &String| json!({"command": "DELETE", "key": key});
    let all = keys();
    let (changed, deleted) = all.split_at(30);
    // Half of them alone, half in batches.
    for key in &changed[..15] {
        assert_eq!(caller.run(write(key)).await["status"], "SUCCESS");
    }
    caller.run(changed[15..].iter().map(write).collect()).await;
    for key in &deleted[..15] {
        assert_eq!(caller.run(delete(key)).await["status"], "SUCCESS", "{key} was there");
    }
    let replies = caller.run(deleted[15..].iter().map(delete).collect()).await;
    assert!(replies.as_array().expect("replies").iter().all(|reply| reply["status"] == "SUCCESS"), "{replies}");
    for key in changed {
        assert_eq!(caller.read(key).await, Some(json!("new")));
    }
    for key in deleted {
        assert_eq!(caller.read(key).await, None);
    }
    // What expires on the new shard is not replaced by an older value from the old one.
    let in_old = |key: &String| growing.node(0).ask(&format!("GET {key}")).ok().as_ref() == Some(key);
    assert!(!all.iter().any(in_old), "an old value is left");
}

#[tokio::test]
async fn batches_keep_their_order_while_keys_move() {
    let growing = Growing::grown().await;
    let caller = &growing.caller;
    let steps = |key: &String| {
        [
            json!({"command": "READ", "key": key}),
            json!({"command": "DELETE", "key": key}),
            json!({"command": "READ", "key": key}),
            json!({"command": "WRITE", "key": key, "value": "new"}),
            json!({"command": "READ", "key": key}),
        ]
    };
    let replies = caller.run(keys().iter().flat_map(steps).collect()).await;
    for (key, replies) in keys().iter().zip(replies.as_array().expect("replies").chunks(5)) {
        assert_eq!((&replies[0]["value"], &replies[1]["status"]), (&json!(key), &json!("SUCCESS")), "{replies:?}");
        assert_eq!((&replies[2]["status"], &replies[4]["value"]), (&json!("NOT_FOUND"), &json!("new")), "{replies:?}");
    }
}

#[tokio::test]
async fn a_removed_shard_gives_its_values_away_and_is_then_left_alone() {
    let growing = Growing::start(ALL, "warm_up_secs=2").await;
    let caller = &growing.caller;
    caller.fill(&keys()).await;
    let before = growing.held(0);
    growing.change(ALL, ONE).await;
    for key in keys() {
        assert_eq!(caller.read(&key).await, Some(json!(key)));
    }
    assert_eq!((growing.held(0), growing.held(0) > before), (60, true));
    let connected = |shard: usize| growing.node(shard).ask("CLIENT LIST").expect("an answer").lines().count() > 1;
    assert!(connected(1) && connected(2));
    eventually("the removed shards are left", async || (!connected(1) && !connected(2)).then_some(())).await;
    assert!(growing.ready().await.get("changes").is_none());
    assert_eq!(caller.read("k1").await, Some(json!("k1")));
}

#[tokio::test]
async fn a_shard_that_is_lost_may_be_removed() {
    let growing = Growing::start(ALL, "").await;
    let caller = &growing.caller;
    caller.fill(&keys()).await;
    growing.node(2).kill();
    growing.change(ALL, ALL - 1).await;
    let mut lost = 0;
    for key in keys() {
        // It had no replica: what it alone had is gone, and no error.
        lost += usize::from(caller.read(&key).await.is_none());
        caller.write(&key, &json!("new")).await;
        assert_eq!(caller.read(&key).await, Some(json!("new")));
    }
    assert!((1..60).contains(&lost), "{lost} values are gone");
}

#[tokio::test]
async fn an_overwritten_value_does_not_come_back_though_its_old_shard_was_out_of_reach() {
    let growing = Growing::grown().await;
    let caller = &growing.caller;
    pause(growing.node(0));
    let mut written = Vec::new();
    for key in keys() {
        let write = json!({"command": "WRITE", "key": key, "value": "new", "expire": 1}).to_string();
        if written.len() < 3 && caller.send(write).await.status == 200 {
            written.push(key);
        }
    }
    resume(growing.node(0));
    assert_eq!(written.len(), 3, "keys of new shards");
    for key in written {
        eventually("the new value expires", async || caller.read(&key).await.is_none().then_some(())).await;
    }
}

#[tokio::test]
async fn a_value_that_cannot_be_looked_for_is_an_error_not_a_miss() {
    let growing = Growing::grown().await;
    let caller = &growing.caller;
    growing.node(0).kill();
    for key in keys() {
        let answer = caller.send(json!({"command": "READ", "key": key}).to_string()).await;
        answer.expect_error(503, "shard_unavailable");
    }
}

#[tokio::test]
async fn without_warm_up_a_new_shard_starts_cold() {
    let growing = Growing::start(ONE, "warm_up_secs=0").await;
    let caller = &growing.caller;
    caller.fill(&keys()).await;
    growing.service.edit(|text| text.replace(&sections(&growing.group, ONE), &sections(&growing.group, ALL)));
    growing.service.reload();
    eventually("some keys have another shard", async || {
        let replies = caller.run(keys().iter().map(|key| json!({"command": "READ", "key": key})).collect()).await;
        replies.as_array()?.iter().any(|reply| reply["status"] == "NOT_FOUND").then_some(())
    })
    .await;
    assert_eq!(growing.held(1) + growing.held(2), 0);
}

#[tokio::test]
async fn replicas_that_are_added_are_read_and_those_that_are_removed_are_left() {
    let group = redis(1, 2);
    let [first, second] = group.replicas(0) else { panic!("two replicas") };
    let section =
        |replica: &Node| format!("[shard:a]\nmaster={}\nreplicas={}\n", group.master(0).address, replica.address);
    let service = Service::start_with("RELOAD_EVERY_SECS=0", &section(first));
    let caller = service.caller().await;
    caller.fill(&keys()).await;
    service.edit(|text| text.replace(&section(first), &section(second)));
    service.reload();
    let gets = |node: &Node| {
        let statistics = node.ask("INFO commandstats").expect("an answer");
        statistics.lines().find(|line| line.starts_with("cmdstat_get:")).map(str::to_owned)
    };
    eventually("the added replica is read", async || {
        assert_eq!(caller.read("k1").await, Some(json!("k1")));
        gets(second)
    })
    .await;
    let before = gets(first);
    for key in keys() {
        assert_eq!(caller.read(&key).await, Some(json!(key)));
    }
    assert_eq!(gets(first), before);
    eventually("the removed replica is left", async || {
        let clients = first.ask("CLIENT LIST").ok()?;
        // Whoever asks, and its master.
        (clients.lines().filter(|line| line.contains(" flags=N ")).count() == 1).then_some(())
    })
    .await;
}
