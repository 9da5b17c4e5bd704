//! A DNS name that moves to a new address.

use super::super::{promote, until_ready_at};
use crate::harness::{Instance, Load, Traffic, eventually, skip, start};
use crate::local_redis::{Layout, RedisGroup, RedisProcess};
use std::{fs::OpenOptions, io::Write, process::Command};

const NAME: &str = "redis.cachefront.test";
const OLD: &str = "127.0.0.2";
const NEW: &str = "127.0.0.3";

/// Script that executes a program with `$0` as its /etc/hosts.
const WITH_HOSTS: &str = "mount --bind \"$0\" /etc/hosts && exec \"$@\"";

/// Returns whether a process may have its own name resolution and 127/8 belongs to this machine.
fn is_possible(hosts: &str) -> bool {
    let trial = Command::new("unshare").args(["-rm", "sh", "-c", WITH_HOSTS, hosts, "true"]).output();
    trial.is_ok_and(|output| output.status.success()) && std::net::TcpListener::bind((NEW, 0)).is_ok()
}

fn node(group: &RedisGroup, host: &str, port: Option<u16>, further: &[&str]) -> RedisProcess {
    let arguments = |port: u16| {
        let mut arguments = group.usual_arguments(port);
        let rdb = format!("{host}.rdb");
        let own = ["--bind", host, "--dbfilename", &rdb];
        arguments.extend(own.iter().chain(further).copied().map(str::to_owned));
        Ok(arguments)
    };
    group.start_node((host, port), &arguments).unwrap_or_else(|problem| panic!("{problem}"))
}

/// A master, its replica on another address and the same port, and an instance that knows the master by a name.
struct Named {
    group: RedisGroup,
    old: RedisProcess,
    new: RedisProcess,
    instance: Instance,
}

impl Named {
    /// Starts the processes. Returns `None` if the machine does not allow it; the test is skipped then.
    async fn start() -> Option<Self> {
        let group = start(&Layout { shards: 0, ..Layout::default() });
        point_to(&group, OLD);
        let hosts = group.folder().join("hosts");
        let path = hosts.to_str().expect("a text");
        if !is_possible(path) {
            skip("this machine does not let a process have an /etc/hosts of its own, with unshare and mount");
            return None;
        }
        let old = node(&group, OLD, None, &[]);
        let port = old.address.port;
        let new = node(&group, NEW, Some(port), &["--replicaof", OLD, &port.to_string()]);
        old.wait_for_replicas(1).expect("it is online");
        assert_eq!(old.ask("SET replicated yes").expect("an answer"), "+OK");
        eventually("a write is replicated", async || (new.ask("GET replicated").ok()? == "yes").then_some(())).await;
        let starter = ["unshare", "-rm", "sh", "-c", WITH_HOSTS, path];
        let instance = Instance::start_by(&group, &format!("[redis]\nhost={NAME}\nport={port}\n"), &starter).await;
        until_ready_at(instance.admin_port, "READY").await;
        Some(Self { group, old, new, instance })
    }
}

/// Points the name to another address. Both have the same length, so the file is never empty: without the name, a connection
/// would fail that the test expects to succeed.
fn point_to(group: &RedisGroup, host: &str) {
    let text = format!("127.0.0.1 localhost\n{host} {NAME}\n");
    let hosts = OpenOptions::new().write(true).create(true).truncate(false).open(group.folder().join("hosts"));
    hosts.and_then(|mut hosts| hosts.write_all(text.as_bytes())).expect("it is written");
}

#[tokio::test]
async fn a_dns_name_that_moves_to_a_new_address_is_followed() {
    let Some(Named { group, old, new, instance }) = Named::start().await else { return };
    let traffic = Traffic::start(Load::on_all([instance.url()])).await;
    old.kill();
    promote(&new, &[]);
    point_to(&group, NEW);
    traffic.until_written().await;
    traffic.until_read().await;
    let summary = traffic.finish().await;
    summary.report("a DNS name", "moves to a new address, where its replica was promoted");
    summary.expect_stalls_within(super::LONG, super::LONG);
    summary.expect_reads_failed_only_with(&["shard_unavailable", "deadline_passed"]);
    summary.expect_writes_failed_only_with(&super::WITHOUT_MASTER);
}

#[tokio::test]
async fn a_dns_name_that_moves_is_followed_though_the_old_node_lives_on() {
    let Some(Named { group, old, new, instance }) = Named::start().await else { return };
    let traffic = Traffic::start(Load::on_all([instance.url()])).await;
    promote(&new, &[&old]);
    point_to(&group, NEW);
    traffic.until_written().await;
    let summary = traffic.finish().await;
    summary.report("a DNS name", "moves to a new address; the old node follows the new one");
    summary.expect_no_failed_read().expect_no_failed_write().expect_stalls_within(super::BRIEF, super::BRIEF);
}
