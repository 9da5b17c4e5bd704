//! The limit of open files.
#![cfg(target_os = "linux")]

use crate::harness::{Caller, Instance, eventually, redis, redis_section};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use tokio::net::TcpStream;

/// Runs the service with few open files: 100 at first, and 200 if it raises the limit.
const FEW_FILES: [&str; 4] = ["sh", "-c", "ulimit -Sn 100 && ulimit -Hn 200 && exec \"$@\"", "sh"];

async fn metrics(http: &reqwest::Client, instance: &Instance) -> Option<String> {
    let answer = http.get(format!("http://{}/metrics", instance.admin())).send().await.ok()?;
    answer.text().await.ok()
}

fn has_value(page: &str, name: &str, value: impl Fn(f64) -> bool) -> bool {
    page.lines().any(|line| line.strip_prefix(name).is_some_and(|text| text.trim().parse().is_ok_and(&value)))
}

#[tokio::test]
async fn more_connections_than_files_leave_the_admin_port_and_the_limit_is_raised() {
    let group = redis(1, 0);
    let sections = format!("CONNECTIONS_PER_ADDRESS_MAX=1000\n{}", redis_section(&group));
    let instance = Instance::start_by(&group, &sections, &FEW_FILES).await;
    let warnings = instance.log().lines().filter(|line| line.contains("at most 100 connections are accepted")).count();
    assert_eq!(warnings, 1, "{}", instance.log());
    let mut connections = Vec::new();
    for _ in 0..250 {
        connections.push(TcpStream::connect(instance.address()).await.expect("it connects"));
    }
    let http = Caller::plain_http();
    let page = metrics(&http, &instance).await.expect("the admin port answers");
    assert!(has_value(&page, "process_max_fds ", |files| (files - 200.0).abs() < 0.5), "{page}");
    drop(connections);
    let caller = eventually("callers are served again", async || {
        let http = Caller::http().build().expect("a client");
        http.get(format!("{}/version", instance.url())).send().await.ok()
    });
    assert_eq!(caller.await.status().as_u16(), 200);
}

#[tokio::test]
async fn a_process_without_free_files_says_so() {
    let group = redis(1, 0);
    let instance = Instance::start(&group, &redis_section(&group)).await;
    let http = Caller::plain_http();
    // This connection to the admin port stays open.
    metrics(&http, &instance).await.expect("the metrics");
    let process = i32::try_from(instance.process_id()).ok().and_then(Pid::from_raw);
    let open = std::fs::read_dir(format!("/proc/{}/fd", instance.process_id())).expect("its files").count();
    let before = getrlimit(Resource::Nofile);
    let few = Rlimit { current: Some(open as u64), maximum: before.maximum };
    let before = prlimit(process, Resource::Nofile, few).expect("the limit is set");
    let mut connections = Vec::new();
    eventually("the failure is counted and logged", async || {
        // The system accepts it; the first ones may get the numbers of files that were closed meanwhile.
        connections.push(TcpStream::connect(instance.address()).await.ok()?);
        let page = metrics(&http, &instance).await?;
        let name = "cachefront_accept_failures_total{listener=\"service\"} ";
        let counted = has_value(&page, name, |count| count >= 1.0);
        (counted && instance.log().contains("Too many open files")).then_some(())
    })
    .await;
    prlimit(process, Resource::Nofile, before).expect("the limit is set");
    drop(connections);
    let http = Caller::http().build().expect("a client");
    assert!(http.get(format!("{}/version", instance.url())).send().await.is_ok());
}
