//! The drill of all alerts, each fired by a real fault and resolved by its repair: `make drill`.
//!
//! The rules are those of deploy/monitoring/alerts.yaml, with every duration (`for:` and windows) divided by sixty:
//! minutes become seconds. Thresholds are unchanged; that of memory counts from the limit of the manifests.

mod instances;
mod load;
mod nodes;
mod rules;

use crate::harness::{Instance, Prometheus, redis};
use crate::local_redis::RedisGroup;
use futures_util::future::join_all;
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Time for an alert to fire or to resolve: twice the longest window and the longest `for:`.
const ALERT_TIMEOUT: Duration = Duration::from_secs(180);
/// Pause between two looks at the alerts.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// A Prometheus with the shortened rules, and the alerts that have fired.
pub struct Drill {
    prometheus: Prometheus,
    targets: Mutex<Vec<String>>,
    rows: Mutex<BTreeMap<String, Row>>,
    /// Its end ends the remaining processes.
    group: RedisGroup,
}

/// An alert that has fired.
struct Row {
    fault: String,
    fired: Duration,
    resolved: Option<Duration>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes; make drill runs it"]
async fn every_alert_fires_on_a_real_fault_and_resolves_after_its_repair() {
    let group = redis(0, 0);
    let path = group.folder().join("alerts.yaml");
    let (text, names) = rules::shortened();
    std::fs::write(&path, text).expect("the rules are written");
    let Some(prometheus) = Prometheus::start_empty(&group, &path, Duration::from_millis(500)) else { return };
    let drill = Drill { prometheus, targets: Mutex::default(), rows: Mutex::default(), group };
    let start = Instant::now();
    instances::absent(&drill).await;
    // The long faults run concurrently with three sequences of short ones, which do not disturb each other.
    tokio::join!(
        instances::certificates(&drill),
        nodes::masters_change(&drill),
        instances::restarts(&drill),
        async {
            instances::down(&drill).await;
            instances::reload_refused(&drill).await;
            instances::memory(&drill).await;
            #[cfg(target_os = "linux")]
            instances::files(&drill).await;
        },
        async {
            nodes::lost(&drill).await;
            nodes::split_brain(&drill).await;
            nodes::master_without_data(&drill).await;
            nodes::replica_lost(&drill).await;
            nodes::replica_behind(&drill).await;
            nodes::out_of_memory(&drill).await;
            nodes::old_answer(&drill).await;
        },
        async {
            load::values_do_not_open(&drill).await;
            load::logins_refused(&drill).await;
            load::connections(&drill).await;
            load::shed(&drill).await;
            load::slow(&drill).await;
        },
    );
    drill.print_table(&names, start.elapsed());
}

impl Drill {
    /// Adds an instance to the targets and waits until it is scraped.
    async fn watch(&self, instance: &Instance) {
        let targets = {
            let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
            targets.push(instance.admin());
            targets.clone()
        };
        self.prometheus.watch(&targets);
        let query = format!("up{{instance=\"{}\"}} == 1", instance.admin());
        self.until("it is scraped", async || !self.ask(&query).await.is_empty()).await;
    }

    /// Waits until the alert about the absence of instances fires, and until it is resolved by the first one.
    async fn fires_until_watched(&self, instance: &Instance) {
        const ALERT: &str = "CachefrontAbsent";
        let firing = format!("ALERTS{{alertname=\"{ALERT}\", alertstate=\"firing\"}}");
        let start = Instant::now();
        self.until("it fires", async || !self.ask(&firing).await.is_empty()).await;
        let fired = start.elapsed();
        self.watch(instance).await;
        let start = Instant::now();
        self.until("it resolves", async || self.ask(&firing).await.is_empty()).await;
        let row = Row { fault: "Prometheus has no target".to_owned(), fired, resolved: Some(start.elapsed()) };
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).insert(ALERT.to_owned(), row);
    }

    /// Waits until these alerts fire for an instance; `fault` is what was done to it.
    async fn fires(&self, instance: &Instance, fault: &str, alerts: &[&str]) {
        let start = Instant::now();
        let wait = alerts.iter().map(async |alert| {
            self.until(&format!("{alert} fires: {fault}"), async || self.is_firing(instance, alert).await).await;
            let row = Row { fault: fault.to_owned(), fired: start.elapsed(), resolved: None };
            self.rows.lock().unwrap_or_else(PoisonError::into_inner).insert((*alert).to_owned(), row);
        });
        join_all(wait).await;
    }

    /// Waits until these alerts of an instance are resolved.
    async fn resolves(&self, instance: &Instance, alerts: &[&str]) {
        let start = Instant::now();
        let wait = alerts.iter().map(async |alert| {
            self.until(&format!("{alert} resolves"), async || !self.is_firing(instance, alert).await).await;
            let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
            rows.get_mut(*alert).expect("it has fired").resolved = Some(start.elapsed());
        });
        join_all(wait).await;
    }

    /// Returns whether an alert fires. Asserts that the instance is scraped, because otherwise nothing would fire.
    async fn is_firing(&self, instance: &Instance, alert: &str) -> bool {
        let query =
            format!("ALERTS{{alertname=\"{alert}\", alertstate=\"firing\", instance=\"{}\"}}", instance.admin());
        let known = format!("up{{instance=\"{}\"}}", instance.admin());
        assert!(!self.ask(&known).await.is_empty(), "{} is not scraped any more", instance.admin());
        !self.ask(&query).await.is_empty()
    }

    async fn ask(&self, query: &str) -> Vec<serde_json::Value> {
        // At first it does not answer yet.
        self.prometheus.try_query(query).await.unwrap_or_default()
    }

    /// Returns the single number of a query.
    async fn number(&self, query: &str) -> Option<f64> {
        self.ask(query).await.first()?["value"][1].as_str()?.parse().ok()
    }

    async fn until(&self, what: &str, mut holds: impl AsyncFnMut() -> bool) {
        let start = Instant::now();
        while !holds().await {
            assert!(start.elapsed() < ALERT_TIMEOUT, "timed out: {what}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Prints the table of the alerts; asserts that every alert is in it.
    #[expect(clippy::print_stdout, reason = "it is what make drill is for")]
    fn print_table(&self, names: &[String], took: Duration) {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        println!("\n| alert | fault | fires after | resolves after |\n| --- | --- | --- | --- |");
        for name in names {
            let Some(Row { fault, fired, resolved: Some(resolved) }) = rows.get(name) else {
                panic!("no fault was made for {name}: add one to tests/service/drill");
            };
            println!("| {name} | {fault} | {:.1} s | {:.1} s |", fired.as_secs_f64(), resolved.as_secs_f64());
        }
        println!("\n{} alerts fired and resolved in {:.0} s.", names.len(), took.as_secs_f64());
    }
}
