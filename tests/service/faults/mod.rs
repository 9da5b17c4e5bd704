//! What callers see when Redis fails. All processes are real, and so are their ends.

mod master;
mod memory;
mod promotion;
mod replicas;
mod start;

use crate::harness::{Answer, Service, eventually};
use cachefront::cli::dev::local_redis::Node;
use std::process::Command;

/// Stops a process from running, without ending it.
fn pause(node: &Node) {
    signal("-STOP", node);
}

fn resume(node: &Node) {
    signal("-CONT", node);
}

fn signal(name: &str, node: &Node) {
    let status = Command::new("kill").args([name, &node.process_id().to_string()]).status();
    assert!(status.is_ok_and(|status| status.success()), "kill {name} failed");
}

/// Waits until `/readyz` says this.
pub async fn until_ready(service: &Service, status: &str) {
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let url = format!("http://{}/readyz", service.admin);
    eventually(&format!("/readyz says {status}"), async || {
        let answer = Answer::of(http.get(&url)).await;
        (answer.json()["status"] == status).then_some(())
    })
    .await;
}
