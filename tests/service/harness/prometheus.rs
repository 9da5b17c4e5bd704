//! A real Prometheus that scrapes services and ends with this process.

use super::{Caller, eventually, skip};
use crate::local_redis::{RedisGroup, free_port};
use serde_json::{Value, json};
use std::{
    fs::File,
    io::Write,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;

/// Name of the file with the targets to scrape.
const TARGETS: &str = "targets.json";

/// A running Prometheus, which ends on drop.
pub struct Prometheus {
    url: String,
    process: Child,
    folder: TempDir,
}

impl Prometheus {
    /// Starts Prometheus with these rules; it ends with `group` at the latest. Returns `None` if it is not installed.
    pub async fn start(group: &RedisGroup, target: SocketAddr, rules: &Path) -> Option<Self> {
        let started = Self::start_empty(group, rules, Duration::from_millis(250))?;
        started.watch(&[target.to_string()]);
        eventually("Prometheus has scraped the service", async || {
            let up = started.try_query("up == 1").await.unwrap_or_default();
            (!up.is_empty()).then_some(())
        })
        .await;
        Some(started)
    }

    /// Starts Prometheus without targets, with this period between two scrapes.
    pub fn start_empty(group: &RedisGroup, rules: &Path, every: Duration) -> Option<Self> {
        if !is_installed("prometheus") {
            return None;
        }
        let folder = tempfile::tempdir_in(group.folder()).expect("a temporary folder");
        let port = free_port("127.0.0.1").expect("a free port");
        let config = format!(
            "global:\n  scrape_interval: {0}ms\n  scrape_timeout: {0}ms\n  evaluation_interval: 250ms\n\
             rule_files: ['{1}']\nscrape_configs:\n  - job_name: cachefront\n    file_sd_configs:\n      - files: ['{2}']\n        refresh_interval: 1s\n",
            every.as_millis(),
            rules.display(),
            folder.path().join(TARGETS).display(),
        );
        let path = folder.path().join("prometheus.yaml");
        std::fs::write(&path, config).expect("the configuration is written");
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", path.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.path().join("log")).expect("a file"));
        let process = group.spawn(&mut command).expect("it starts");
        Some(Self { url: format!("http://127.0.0.1:{port}/api/v1/"), process, folder })
    }

    /// Replaces the targets to scrape.
    pub fn watch(&self, targets: &[String]) {
        let [path, next] = [TARGETS, "next"].map(|name| self.folder.path().join(name));
        std::fs::write(&next, json!([{"targets": targets}]).to_string()).expect("the targets are written");
        std::fs::rename(next, path).expect("the targets are exchanged");
    }

    /// Returns the labels and the value of each series of a query.
    pub async fn query(&self, query: &str) -> Vec<Value> {
        self.try_query(query).await.unwrap_or_else(|problem| panic!("{query}: {problem}"))
    }

    /// Returns the alerts that Prometheus evaluates.
    pub async fn rules(&self) -> Vec<Value> {
        let http = Caller::plain_http();
        let sent = http.get(format!("{}rules", self.url)).send().await.expect("an answer");
        let answer: Value = sent.json().await.expect("JSON");
        let groups = answer["data"]["groups"].as_array().cloned().unwrap_or_default();
        groups.iter().flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default()).collect()
    }

    /// Returns the labels and the value of each series of a query, or the reason why there are none.
    pub async fn try_query(&self, query: &str) -> Result<Vec<Value>, String> {
        let http = Caller::plain_http();
        let sent = http.post(format!("{}query", self.url)).form(&[("query", query)]).send().await;
        let text = sent.map_err(|error| error.to_string())?.text().await.map_err(|error| error.to_string())?;
        let mut answer: Value = serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?;
        let result = answer["data"]["result"].take();
        let log = || std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        result.as_array().cloned().ok_or_else(|| format!("{text}\n{}", log()))
    }

    /// Returns the single number of a query.
    pub async fn number(&self, query: &str) -> Option<f64> {
        let result = self.query(query).await;
        result.first()?["value"][1].as_str()?.parse().ok()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // The process may have ended already.
        let _killed = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// Returns whether a program is installed; if it is not, the test is skipped.
fn is_installed(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let installed = found.is_ok_and(|status| status.success());
    if !installed {
        skip(&format!("{program} is missing, which `make test` installs where there is apt-get or brew"));
    }
    installed
}

/// Runs `promtool` on an input and returns whether it succeeded, and its output; `None` if it is not installed.
pub fn promtool(arguments: &[&str], input: &str) -> Option<(bool, String)> {
    if !is_installed("promtool") {
        return None;
    }
    let mut command = Command::new("promtool");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().expect("promtool starts");
    process.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
    let output = process.wait_with_output().expect("it ends");
    let text = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
}
