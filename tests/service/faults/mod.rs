//! Failures of Redis and of the service, with real processes that really end.

mod candidates;
mod contests;
mod cuts;
mod drain;
mod master;
mod memory;
mod named_masters;
mod overload;
mod promotion;
mod replicas;
mod repointed;
mod standing;
mod start;
mod switches;
mod under_load;

use crate::harness::{Answer, Caller, Service, eventually, signal};
use crate::local_redis::RedisProcess;
use cachefront::types::Address;

/// Pauses a process.
pub fn pause(node: &RedisProcess) {
    signal("-STOP", node.process_id());
}

/// Resumes a paused process.
pub fn resume(node: &RedisProcess) {
    signal("-CONT", node.process_id());
}

/// Sends a command to a node, which has to answer OK.
fn expect_ok(node: &RedisProcess, command: &str) {
    assert_eq!(node.ask(command).expect("an answer"), "+OK", "{command}");
}

/// Makes a node a replica of another one.
fn follow(node: &RedisProcess, master: &RedisProcess) {
    follow_address(node, &master.address);
}

/// Makes a node a replica of the node at an address.
fn follow_address(node: &RedisProcess, master: &Address) {
    expect_ok(node, &format!("REPLICAOF {} {}", master.host, master.port));
}

/// Makes `successor` the master of the others.
pub fn promote(successor: &RedisProcess, others: &[&RedisProcess]) {
    expect_ok(successor, "REPLICAOF NO ONE");
    for other in others {
        follow(other, successor);
    }
}

/// Waits until `/readyz` reports this status.
pub async fn until_ready(service: &Service, status: &str) {
    until_ready_at(service.admin.port(), status).await;
}

async fn until_ready_at(admin_port: u16, status: &str) {
    let http = Caller::plain_http();
    let url = format!("http://127.0.0.1:{admin_port}/readyz");
    eventually(&format!("/readyz says {status}"), async || {
        let answer = Answer::of(http.get(&url)).await;
        (answer.json()["status"] == status).then_some(())
    })
    .await;
}
