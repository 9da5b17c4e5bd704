//! `cachefront bench`, against the running service and real Redis.

use crate::local_redis::{Layout, RedisGroup};
use crate::{
    Setup, cachefront, eventually, result,
    running::{API_KEY, Running},
    serving::serve,
    signal,
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use serde_json::Value;
use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

impl Running {
    fn bench(&self, arguments: &[&str]) -> Command {
        let certificate = self.setup.file("cert.pem").display().to_string();
        let mut command =
            cachefront(&[&["bench", &self.url(), "--ca-cert", &certificate, "--json"], arguments].concat());
        command.env_remove("CACHEFRONT_TOKEN").env("CACHEFRONT_API_KEY", API_KEY);
        command
    }

    fn run(&self, arguments: &[&str]) -> Value {
        json(result(&self.bench(arguments).output().expect("it runs")))
    }

    fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = self.bench(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
    }

    /// Waits until the load has begun: before it there are only writes.
    fn until_read(&self) {
        let hits = || self.redis.master(0).info("keyspace_hits")?.parse::<u64>().ok();
        eventually("keys are read", || hits().filter(|hits| *hits > 0));
    }

    fn keys(&self) -> String {
        self.redis.master(0).ask("DBSIZE").expect("an answer")
    }
}

fn json((status, out, err): (i32, String, String)) -> Value {
    assert_eq!((status, err.as_str()), (0, ""), "{out}");
    serde_json::from_str(&out).expect("JSON")
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn bench_reads_and_writes_and_leaves_no_key_behind() {
    let running = Running::start("");
    let figures = running.run(&["--seconds", "1", "--connections", "3", "--keys", "250", "--writes", "50"]);
    assert!(number(&figures["commands"]["READ"]["requests"]) > 0, "{figures:#}");
    assert!(number(&figures["commands"]["WRITE"]["requests"]) > 0, "{figures:#}");
    assert!(number(&figures["commands"]["READ"]["p50_us"]) > 0, "{figures:#}");
    assert_eq!((&figures["failures"], number(&figures["misses"])), (&serde_json::json!({}), 0), "{figures:#}");
    assert_eq!(figures["notes"], serde_json::json!([]));
    assert_eq!(running.keys(), ":0");
}

#[test]
fn bench_without_a_terminal_prints_a_table_and_no_progress_bar() {
    let running = Running::start("");
    let mut command = cachefront(&["bench", &running.url(), "--accept-any-certificate", "--seconds", "1"]);
    let key = running.setup.file("key");
    std::fs::write(&key, format!("{API_KEY}\n")).expect("it is written");
    command.arg("--api-key-file").arg(&key).env_remove("CACHEFRONT_API_KEY");
    let (status, out, err) = result(&command.output().expect("it runs"));
    assert_eq!((status, err.as_str()), (0, ""));
    for word in ["8 connections", "REQUESTS", "PER SECOND", "P99.9", "READ", "WRITE", "both"] {
        assert!(out.contains(word), "{word} is missing: {out}");
    }
}

#[test]
fn bench_with_a_rate_counts_a_stall_for_every_delayed_request() {
    let running = Running::start("");
    let load = running.spawn(&["--seconds", "4", "--rate", "50", "--connections", "2", "--keys", "10"]);
    running.until_read();
    signal("-STOP", running.serving.child.id());
    let stopped = Instant::now();
    eventually("a second has passed", || (stopped.elapsed() > Duration::from_secs(1)).then_some(()));
    signal("-CONT", running.serving.child.id());
    let figures = json(result(&load.wait_with_output().expect("it ends")));
    // About 50 of 200 requests were due during the stall and waited for half of it in the mean; counted from when
    // they were sent, two would be slow.
    let p90 = number(&figures["commands"]["READ"]["p90_us"]);
    assert!(p90 > 200_000, "{figures:#}");
}

#[test]
fn an_interrupted_bench_prints_its_results_and_deletes_its_keys() {
    let running = Running::start("");
    let load = running.spawn(&["--seconds", "600", "--keys", "10", "--rate", "100"]);
    running.until_read();
    signal("-INT", load.id());
    let figures = json(result(&load.wait_with_output().expect("it ends")));
    assert!(number(&figures["answered"]) > 0, "{figures:#}");
    assert!(figures["took_secs"].as_f64().is_some_and(|secs| secs < 600.0), "{figures:#}");
    assert_eq!(running.keys(), ":0");
}

#[test]
fn bench_waits_for_retry_after() {
    let hash = cachefront::settings::hash_api_key("a-key-of-its-own-0123456789");
    let running = Running::start(&format!(
        "[client:slow]\napi_key_hash={hash}\nnamespace=*\nscopes=read,write,delete\ncommands_per_second=20\n"
    ));
    let mut command = running.bench(&["--seconds", "3", "--connections", "2", "--keys", "5"]);
    command.env("CACHEFRONT_API_KEY", "a-key-of-its-own-0123456789");
    let figures = json(result(&command.output().expect("it runs")));
    let refused = number(&figures["failures"]["429 rate_limited"]);
    // Retry-After is a second or more, so each connection is refused at most once a second.
    assert!((1..=8).contains(&refused), "{figures:#}");
    assert!(figures["rested_secs"].as_f64().is_some_and(|secs| secs > 0.5), "{figures:#}");
}

#[test]
fn bench_needs_no_write_scope_to_read_and_no_delete_scope_to_clean_up() {
    let client = |name: &str, scopes: &str| {
        let hash = cachefront::settings::hash_api_key(&format!("the-key-of-{name}-0123456789"));
        format!("[client:{name}]\napi_key_hash={hash}\nnamespace=*\nscopes={scopes}\n")
    };
    let running = Running::start(&[client("reader", "read"), client("writer", "read,write")].concat());
    let with = |name: &str, arguments: &[&str]| {
        let mut command = running.bench(arguments);
        command.env("CACHEFRONT_API_KEY", format!("the-key-of-{name}-0123456789"));
        result(&command.output().expect("it runs"))
    };
    let (status, _, err) = with("reader", &["--seconds", "1"]);
    assert_eq!((status, err.as_str()), (1, "cachefront: this token may not write; see --writes 0\n"));
    let figures = json(with("reader", &["--seconds", "1", "--writes", "0"]));
    assert_eq!(figures["misses"], figures["answered"], "{figures:#}");
    let figures = json(with("writer", &["--seconds", "1", "--keys", "7"]));
    assert!(figures["notes"][0].as_str().is_some_and(|note| note.contains("they expire within 121 s")), "{figures:#}");
    assert_eq!(running.keys(), ":7");
    let name = running.redis.master(0).ask("RANDOMKEY").expect("a key");
    let left = running.redis.master(0).ask(&format!("TTL {name}")).expect("an answer");
    assert!(left.trim_start_matches(':').parse::<i64>().is_ok_and(|secs| (1..=121).contains(&secs)), "{name} {left}");
}

#[test]
fn bench_trusts_the_given_certificate_even_if_it_is_an_authority() {
    let redis = RedisGroup::start(&Layout { replicas: 0, ..Layout::default() }).expect("Redis starts");
    let setup = Setup::new(&format!("[shard:a]\nmaster={}\n", redis.master(0).address));
    // As `openssl req -x509` makes them.
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    std::fs::write(setup.file("cert.pem"), certificate.pem()).expect("it is written");
    std::fs::write(setup.file("key.pem"), key.serialize_pem()).expect("it is written");
    let running = Running { serving: serve(&setup), setup, redis };
    let figures = running.run(&["--seconds", "1", "--keys", "10"]);
    assert!(number(&figures["answered"]) > 0, "{figures:#}");
    // Only for its names.
    let certificate = running.setup.file("cert.pem").display().to_string();
    let url = running.url().replace("localhost", "127.0.0.1");
    let mut command = cachefront(&["bench", &url, "--ca-cert", &certificate]);
    let (status, _, err) = result(&command.env("CACHEFRONT_API_KEY", API_KEY).output().expect("it runs"));
    assert_eq!(status, 1);
    assert!(err.contains("invalid peer certificate"), "{err}");
}

#[test]
fn a_bench_that_cannot_run_says_why_in_one_sentence() {
    let running = Running::start("");
    let url = running.url();
    let secret = running.setup.file("empty").display().to_string();
    std::fs::write(&secret, "").expect("it is written");
    let untrusted = format!(
        "cannot connect to {url}: its certificate is not trusted (UnknownIssuer); name the certificate, or that of its authority, with --ca-cert or CACHEFRONT_CA\n"
    );
    let long = ["--keys", "1000000", "--value-bytes", "8000000"];
    for (arguments, key, expected, says) in [
        (&["http://example.com:1"][..], API_KEY, 64, "does not begin with https://"),
        (&["https://me:pw@localhost:1"], API_KEY, 64, "a name or a password"),
        (&[&url], "", 64, "needs an API key"),
        (&[&url, "--api-key-file", &secret], "", 64, "must have one key or token"),
        (&[&url, "--api-key-file", "me:pw"], "", 64, "--api-key-file names no file that can be read: No such file"),
        (&[&url], API_KEY, 1, untrusted.as_str()),
        (&[&url, "--insecure"], "wrong-wrong-wrong", 1, "/login answered 401 invalid_api_key"),
        (
            &["https://localhost:1"],
            API_KEY,
            1,
            "cannot connect to https://localhost:1: Connection refused (os error 111)\n",
        ),
        (&[&[url.as_str()], &long[..]].concat(), API_KEY, 64, "more than 1 GiB"),
    ] {
        let mut command = cachefront(&[&["bench"], arguments].concat());
        command.env("CACHEFRONT_API_KEY", key).env_remove("CACHEFRONT_TOKEN").env_remove("CACHEFRONT_CA");
        let (status, out, err) = result(&command.output().expect("it runs"));
        assert_eq!((status, out.as_str(), err.lines().count()), (expected, "", 1), "{arguments:?}: {err}");
        assert!(err.contains(says) && !err.contains("me:pw"), "{arguments:?}: {err}");
    }
}
