//! A client of the Python service, unchanged: it logs in with `client_id`, `api_key` and `grant_type`, raises on
//! every 4xx, and looks at `status` only then.

use crate::harness::{API_KEY, Service, authority};
use std::process::Command;

#[tokio::test]
async fn a_client_of_the_python_service_works_unchanged() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let certificate = folder.path().join("ca.pem");
    std::fs::write(&certificate, authority().pem()).expect("the certificate is written");
    let (_redis, service) = Service::with_own_redis();
    let url = service.url("");
    let output = tokio::task::spawn_blocking(move || {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/service/drop_in.py");
        Command::new("python3").arg(script).args([&url, API_KEY]).arg(&certificate).output().expect("python3 runs")
    })
    .await
    .expect("the client ends");
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{complained}");
    assert_eq!(said.trim(), "all as before");
}
