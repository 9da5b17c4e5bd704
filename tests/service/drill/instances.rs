//! Faults of an instance: it is down, restarts, has wrong settings, or uses too many resources.

use super::Drill;
use crate::local_redis::free_port;
use crate::{
    harness::{API_KEY, Caller, Endpoint, Instance, authority, redis, redis_section},
    rolling::own_endpoint,
};
use reqwest::Client;
#[cfg(target_os = "linux")]
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde_json::json;
use std::time::{Duration, SystemTime};

/// Settings of an instance whose fault needs no Redis.
const ALONE: &str = "RELOAD_EVERY_SECS=1\n[redis]\nport=1\n";
/// Setting that keeps idle connections open.
const PATIENT: &str = "IDLE_TIMEOUT_SECS=900\n";
/// Bytes of a mebibyte.
const MIB: usize = 1024 * 1024;

/// Lets Prometheus know no instance, and then the first one.
pub async fn absent(drill: &Drill) {
    let instance = Instance::start(&drill.group, ALONE).await;
    drill.fires_until_watched(&instance).await;
}

/// Kills an instance.
pub async fn down(drill: &Drill) {
    let place = own_endpoint();
    let mut instance = Instance::start_at(&drill.group, &place, ALONE).await;
    drill.watch(&instance).await;
    instance.kill();
    let alerts = ["CachefrontInstanceDown"];
    drill.fires(&instance, "its process is killed", &alerts).await;
    let again = Instance::start_at(&drill.group, &place, ALONE).await;
    drill.resolves(&again, &alerts).await;
}

/// Restarts an instance several times.
pub async fn restarts(drill: &Drill) {
    let place = own_endpoint();
    let mut instance = Instance::start_at(&drill.group, &place, ALONE).await;
    drill.watch(&instance).await;
    let start_secs = format!("process_start_time_seconds{{instance=\"{}\"}}", instance.admin());
    for _ in 0..4 {
        let before = drill.number(&start_secs).await;
        instance.kill();
        instance = Instance::start_at(&drill.group, &place, ALONE).await;
        drill
            .until("the start is seen", async || drill.number(&start_secs).await.is_some_and(|now| Some(now) != before))
            .await;
    }
    let alerts = ["CachefrontRestarts"];
    drill.fires(&instance, "its process is killed four times", &alerts).await;
    drill.resolves(&instance, &alerts).await;
}

/// Breaks the settings of an instance.
pub async fn reload_refused(drill: &Drill) {
    let instance = Instance::start(&drill.group, ALONE).await;
    drill.watch(&instance).await;
    instance.edit(|text| format!("{text}\n[sevrice]\nPORT=1\n"));
    let alerts = ["CachefrontReloadFailed"];
    drill.fires(&instance, "its settings have a section that there is not", &alerts).await;
    instance.edit(|text| text.replace("[sevrice]\nPORT=1\n", ""));
    drill.resolves(&instance, &alerts).await;
}

/// Returns the time this number of days from now.
fn in_days(days: u64) -> SystemTime {
    SystemTime::now() + Duration::from_secs(days * 86_400)
}

/// Lets the certificate of an instance expire.
pub async fn certificates(drill: &Drill) {
    let instance = Instance::start(&drill.group, ALONE).await;
    drill.watch(&instance).await;
    authority().issue_until(instance.folder(), "service", in_days(10));
    let soon = ["CachefrontCertificateExpiresSoon"];
    drill.fires(&instance, "its certificate ends in ten days", &soon).await;
    authority().issue_until(instance.folder(), "service", in_days(1));
    let expired = ["CachefrontCertificateExpired"];
    drill.fires(&instance, "its certificate ends tonight", &expired).await;
    authority().issue(instance.folder(), "service");
    drill.resolves(&instance, &[soon[0], expired[0]]).await;
}

/// Lets the near cache of an instance grow.
pub async fn memory(drill: &Drill) {
    // Values of 8 MB that together are more than the alert allows. The near cache has room for twice as many: it divides its room
    // among shards, and the values are not even in them.
    const VALUES: usize = 112;
    let [port, admin_port] = [(); 2].map(|()| free_port("127.0.0.1").expect("a free port"));
    let (place, group) = (Endpoint { port, admin_port, ..Endpoint::default() }, redis(1, 0));
    let master = group.master(0);
    let value = |key: &str| format!("EVAL \"return redis.call('SET', '{key}', string.rep('x', 8000000))\" 0");
    for number in 0..VALUES {
        assert_eq!(master.ask(&value(&format!("large-{number}"))).expect("an answer"), "+OK");
    }
    let sections = |near: &str| format!("REQUEST_DEADLINE_MS=20000\n{}\n[near_cache]\n{near}\n", redis_section(&group));
    let mut instance =
        Instance::start_at(&drill.group, &place, &sections(&format!("bytes_max={}\nage_max_ms=600000", 2048 * MIB)))
            .await;
    drill.watch(&instance).await;
    let caller = Caller::log_in_at(&instance.url(), API_KEY, None).await;
    for _ in 0..2 {
        for number in 0..VALUES {
            assert!(caller.read(&format!("large-{number}")).await.is_some());
        }
    }
    let alerts = ["CachefrontMemory"];
    drill.fires(&instance, "its near cache may take more than there is", &alerts).await;
    instance.kill();
    let again = Instance::start_at(&drill.group, &place, &sections("")).await;
    drill.resolves(&again, &alerts).await;
}

/// Opens idle connections of callers that have logged in.
async fn connect(instance: &Instance, count: usize) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..count {
        let client = Caller::http().http1_only().pool_idle_timeout(None).build().expect("a client");
        let login = client.post(format!("{}/login", instance.url())).json(&json!({"api_key": API_KEY}));
        // Read to its end, so that the connection stays open.
        drop(login.send().await.expect("an answer").text().await);
        clients.push(client);
    }
    clients
}

/// Lets an instance have hardly more files than it has open.
#[cfg(target_os = "linux")]
pub async fn files(drill: &Drill) {
    let instance = Instance::start(&drill.group, &format!("{PATIENT}{ALONE}")).await;
    drill.watch(&instance).await;
    let process = i32::try_from(instance.process_id()).ok().and_then(Pid::from_raw);
    let limit = getrlimit(Resource::Nofile);
    let open = std::fs::read_dir(format!("/proc/{}/fd", instance.process_id())).expect("its files").count() as u64;
    // The next scrape may need another file.
    let few = Rlimit { current: Some(open + 2), maximum: limit.maximum };
    prlimit(process, Resource::Nofile, few).expect("the limit is set");
    let alerts = ["CachefrontFilesNearLimit"];
    drill.fires(&instance, "it may open two more files than it has", &alerts).await;
    prlimit(process, Resource::Nofile, limit).expect("the limit is set");
    drill.resolves(&instance, &alerts).await;
}

/// Uses up the connections of an instance.
pub async fn connections(drill: &Drill) {
    let instance =
        Instance::start(&drill.group, &format!("CONNECTIONS_MAX=20\nCONNECTIONS_PER_ADDRESS_MAX=20\n{PATIENT}{ALONE}"))
            .await;
    drill.watch(&instance).await;
    let clients = connect(&instance, 19).await;
    let alerts = ["CachefrontConnectionsNearLimit"];
    drill.fires(&instance, "19 of 20 connections are open", &alerts).await;
    drop(clients);
    drill.resolves(&instance, &alerts).await;
}
