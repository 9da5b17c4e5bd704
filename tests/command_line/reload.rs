//! Settings that change while `cachefront serve` runs, and the log of their reloads.

use crate::{Setup, eventually, serving::Serving, serving::serve, signal};
use serde_json::Value;
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// Returns the lines of the log with this message.
fn lines(serving: &Serving, message: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(&serving.log).expect("a log");
    let entries = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    entries.filter(|entry| entry["message"].as_str().is_some_and(|said| said.contains(message))).collect()
}

fn first(serving: &Serving, message: &str) -> Value {
    eventually(message, || lines(serving, message).into_iter().next())
}

fn edit(setup: &Setup, old: &str, new: &str) {
    let text = std::fs::read_to_string(&setup.config).expect("the settings are read");
    assert!(text.contains(old), "{old} is not in {text}");
    std::fs::write(&setup.config, text.replace(old, new)).expect("the settings are written");
}

/// Returns the status of a login over TLS with an API key.
fn log_in(setup: &Setup, serving: &Serving, api_key: &str) -> u16 {
    log_in_at(serving.address.rsplit(':').next().expect("a port"), &setup.file("cert.pem"), api_key)
}

/// Returns the status of a login at a port of this machine, whose certificate is in a file.
pub fn log_in_at(port: &str, certificate: &Path, api_key: &str) -> u16 {
    let pem = std::fs::read(certificate).expect("a certificate");
    let certificate = reqwest::Certificate::from_pem(&pem).expect("a certificate");
    cachefront::server::install_crypto();
    let client = reqwest::Client::builder().tls_certs_only([certificate]).no_proxy().build().expect("a client");
    let request = client.post(format!("https://localhost:{port}/login")).body(format!("{{\"api_key\":\"{api_key}\"}}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(request.send()).expect("an answer").status().as_u16()
}

const OLD_KEY: &str = "hunter2-hunter2-hunter2";
const NEW_KEY: &str = "hunter3-hunter3-hunter3";

#[test]
fn invalid_settings_change_nothing_and_every_problem_is_logged() {
    let setup = Setup::new("RELOAD_EVERY_SECS=0\n[redis]\nport=1\n");
    let serving = serve(&setup);
    edit(&setup, OLD_KEY, &format!("{NEW_KEY}\nNONSENSE=x\nDRAIN_SECS=never"));
    signal("-HUP", serving.child.id());
    let warning = first(&serving, "are not used");
    assert_eq!(warning["level"], "WARN");
    let problem = warning["problem"].as_str().expect("a text");
    assert!(problem.contains("[service] NONSENSE is an unknown option"), "{problem}");
    assert!(problem.contains("[service] DRAIN_SECS: \"never\" is not a whole number"), "{problem}");
    assert_eq!((log_in(&setup, &serving, OLD_KEY), log_in(&setup, &serving, NEW_KEY)), (200, 401));

    edit(&setup, "\nNONSENSE=x\nDRAIN_SECS=never", "");
    signal("-HUP", serving.child.id());
    let line = first(&serving, "settings reloaded");
    assert_eq!((&line["level"], &line["changed"]), (&"INFO".into(), &"[service] SRVC_SHARED_SECRET".into()));
    assert_eq!((log_in(&setup, &serving, OLD_KEY), log_in(&setup, &serving, NEW_KEY)), (401, 200));
    let log = std::fs::read_to_string(&serving.log).expect("a log");
    assert!(!log.contains("hunter"), "a secret is logged: {log}");
}

#[test]
fn a_certificate_and_a_key_that_do_not_match_are_not_used() {
    let setup = Setup::new("RELOAD_EVERY_SECS=1\n[redis]\nport=1\n");
    let serving = serve(&setup);
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let good = std::fs::read(setup.file("key.pem")).expect("a key");
    std::fs::write(setup.file("key.pem"), other.signing_key.serialize_pem()).expect("it is written");
    let warning = first(&serving, "are not used");
    assert!(warning["problem"].as_str().is_some_and(|text| text.contains("is not the key of the certificate")));
    assert_eq!(log_in(&setup, &serving, OLD_KEY), 200);
    // After the old key is restored, further changes are applied: the failed reload left nothing behind.
    std::fs::write(setup.file("key.pem"), good).expect("it is written");
    edit(&setup, OLD_KEY, NEW_KEY);
    assert_eq!(first(&serving, "settings reloaded")["changed"], "[service] SRVC_SHARED_SECRET");
    assert_eq!(log_in(&setup, &serving, NEW_KEY), 200);
}

#[test]
fn a_settings_file_that_is_half_written_changes_nothing() {
    let hash = cachefront::settings::hash_api_key("the-key-of-the-client");
    let client = format!("[client:c]\napi_key_hash={hash}\nnamespace=c\nscopes=read\ncommands_per_second=1");
    let setup = Setup::new(&format!("RELOAD_EVERY_SECS=1\n[redis]\nport=1\n{client}\n"));
    let serving = serve(&setup);
    // Cut within the last line, the rate would be another one: 1 in place of 15.
    let whole = std::fs::read_to_string(&setup.config).expect("the settings are read").replace("second=1", "second=15");
    std::fs::write(&setup.config, &whole[..whole.len() - 2]).expect("the settings are written");
    let warning = first(&serving, "are not used");
    assert!(warning["problem"].as_str().is_some_and(|text| text.contains("does not end in a newline")), "{warning}");
    std::fs::write(&setup.config, &whole).expect("the settings are written");
    assert_eq!(first(&serving, "settings reloaded")["changed"], "[client:c] commands_per_second");
}

#[test]
fn a_certificate_and_its_key_may_be_written_one_after_the_other() {
    let setup = Setup::new("RELOAD_EVERY_SECS=1\n[redis]\nport=1\n");
    let serving = serve(&setup);
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    std::fs::write(setup.file("cert.pem"), other.cert.pem()).expect("it is written");
    signal("-HUP", serving.child.id());
    std::fs::write(setup.file("key.pem"), other.signing_key.serialize_pem()).expect("it is written");
    let reloaded = first(&serving, "settings reloaded");
    assert_eq!(reloaded["changed"], "[service] TLS_CERT, [service] TLS_KEY");
    assert_eq!(lines(&serving, "are not used"), Vec::<Value>::new());
    assert_eq!(log_in(&setup, &serving, OLD_KEY), 200);
}

#[test]
fn a_change_that_needs_a_restart_is_logged_as_a_warning() {
    let setup = Setup::new("RELOAD_EVERY_SECS=0\n[redis]\nport=1\n");
    let serving = serve(&setup);
    edit(&setup, "\nPORT=0", "\nPORT=9090\nJWT_EXPIRE_SECS=60");
    signal("-HUP", serving.child.id());
    let warning = first(&serving, "takes effect at the next start");
    assert_eq!((&warning["level"], &warning["changed"]), (&"WARN".into(), &"[service] PORT".into()));
    assert_eq!(first(&serving, "settings reloaded")["changed"], "[service] JWT_EXPIRE_SECS");
    assert_eq!(log_in(&setup, &serving, OLD_KEY), 200);
}

#[test]
fn a_reload_changes_the_log_level() {
    let setup = Setup::new("RELOAD_EVERY_SECS=0\nLOG_LEVEL=info\nJWT_EXPIRE_SECS=100\n[redis]\nport=1\n");
    let serving = serve(&setup);
    edit(&setup, "LOG_LEVEL=info", "LOG_LEVEL=warn");
    signal("-HUP", serving.child.id());
    assert_eq!(first(&serving, "settings reloaded")["changed"], "[service] LOG_LEVEL");
    // From here on nothing below a warning is logged, not even of the reload that ends this.
    edit(&setup, "LOG_LEVEL=warn", "LOG_LEVEL=info");
    signal("-HUP", serving.child.id());
    let (mut secs, mut edited) = (100, Instant::now());
    let seen = eventually("reloads are logged again", || {
        // A file that changes all the time is never applied.
        if edited.elapsed() > Duration::from_millis(600) {
            edit(&setup, &format!("JWT_EXPIRE_SECS={secs}"), &format!("JWT_EXPIRE_SECS={}", secs + 1));
            (secs, edited) = (secs + 1, Instant::now());
            signal("-HUP", serving.child.id());
        }
        lines(&serving, "settings reloaded").into_iter().nth(1)
    });
    assert_eq!(seen["changed"], "[service] JWT_EXPIRE_SECS");
}
