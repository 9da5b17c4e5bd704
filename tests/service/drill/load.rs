//! Faults that callers cause or notice: overload, slow answers, wrong keys.

use super::{Drill, instances};
use crate::harness::{API_KEY, Caller, Instance, Mode, NO_REDIS, Proxy, redis, redis_section};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::task::JoinHandle;

pub use instances::connections;

/// Logs in at an instance.
pub async fn caller(instance: &Instance) -> Caller {
    Caller::log_in_at(&instance.url(), API_KEY, None).await
}

/// Callers that send one request after another until this is dropped, whatever the answers are.
pub struct BackgroundCallers(Vec<JoinHandle<()>>);

impl BackgroundCallers {
    /// Starts callers that send the commands of a function.
    pub fn with(caller: &Caller, count: usize, command: fn(usize) -> Value) -> Self {
        let one = |number: usize| {
            let caller = caller.clone();
            tokio::spawn(async move {
                for round in 0.. {
                    let _whatever = caller.send(command(number + count * round).to_string()).await;
                    // The pace of the load.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            })
        };
        Self((0..count).map(one).collect())
    }
}

impl Drop for BackgroundCallers {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

fn read(number: usize) -> Value {
    json!({"command": "READ", "key": format!("k-{number}")})
}

/// Starts an instance whose only node is behind a proxy.
async fn behind_proxy(drill: &Drill, options: &str) -> (Instance, Proxy, crate::local_redis::RedisGroup) {
    let group = redis(1, 0);
    let proxy = Proxy::in_front_of(&group.master(0).address);
    let sections = format!("{options}\n[near_cache]\nenabled=false\n[shard:a]\nmaster={}\n", proxy.address);
    let instance = Instance::start(&drill.group, &sections).await;
    drill.watch(&instance).await;
    (instance, proxy, group)
}

/// Delays the replies of a node.
pub async fn slow(drill: &Drill) {
    let (instance, proxy, _group) = behind_proxy(drill, "REQUEST_DEADLINE_MS=5000\n").await;
    let busy = BackgroundCallers::with(&caller(&instance).await, 8, read);
    proxy.set(Mode::Delay(Duration::from_millis(400)));
    let alerts = ["CachefrontLatency"];
    drill.fires(&instance, "answers of a node come 400 ms later", &alerts).await;
    proxy.set(Mode::Pass);
    drill.resolves(&instance, &alerts).await;
    drop(busy);
}

/// Sends more requests than an instance accepts.
pub async fn shed(drill: &Drill) {
    let (instance, proxy, _group) = behind_proxy(drill, "REQUESTS_MAX=2\nREQUEST_DEADLINE_MS=5000\n").await;
    let busy = BackgroundCallers::with(&caller(&instance).await, 16, read);
    proxy.set(Mode::Delay(Duration::from_millis(200)));
    let alerts = ["CachefrontShedding"];
    drill.fires(&instance, "16 callers, where 2 requests may be worked on, and a slow node", &alerts).await;
    drop(busy);
    drill.resolves(&instance, &alerts).await;
}

/// Replaces the key of sealed values.
pub async fn values_do_not_open(drill: &Drill) {
    let group = redis(1, 0);
    let [first, second] = ["11", "22"].map(|digits| format!("0{digits}").repeat(22)[..64].to_owned());
    let sections = format!("RELOAD_EVERY_SECS=1\nENCRYPTION_KEY={first}\n{}", redis_section(&group));
    let instance = Instance::start(&drill.group, &sections).await;
    drill.watch(&instance).await;
    let caller = caller(&instance).await;
    caller.run(json!({"command": "WRITE", "key": "k", "value": "v", "encrypt": true})).await;
    let busy = BackgroundCallers::with(&caller, 1, |_| json!({"command": "READ", "key": "k"}));
    instance.edit(|text| text.replace(&first, &second));
    let alerts = ["CachefrontDecryptionFails"];
    drill.fires(&instance, "a sealing key is exchanged instead of put before the old one", &alerts).await;
    instance.edit(|text| text.replace(&second, &format!("{second},{first}")));
    drill.resolves(&instance, &alerts).await;
    drop(busy);
}

/// Sends logins with wrong API keys.
pub async fn logins_refused(drill: &Drill) {
    let instance = Instance::start(&drill.group, NO_REDIS).await;
    drill.watch(&instance).await;
    let (http, url) = (Caller::http().build().expect("a client"), format!("{}/login", instance.url()));
    let guesses = tokio::spawn(async move {
        loop {
            let _refused = http.post(&url).json(&json!({"api_key": "a-guess"})).send().await;
            // The pace of the guesses.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let alerts = ["CachefrontLoginsRefused"];
    drill.fires(&instance, "somebody tries keys, ten a second", &alerts).await;
    guesses.abort();
    drill.resolves(&instance, &alerts).await;
}
