//! Benchmarks of the parts of a request: `cargo bench`. docs/benchmarks.md has the cost of whole requests.

use cachefront::{
    api::{ReplySize, parse_command, write_reply},
    auth::Auth,
    cache::{Command, Reply},
    ring::{Ring, Weight, key_hash},
    sealing::{self, Keyring},
    settings::{self, digest_api_key},
    telemetry::metrics::{Histogram, Kind, Lookup, Metrics, Outcome},
    types::{Key, Scopes, Value},
};
use divan::{Bencher, black_box, counter::BytesCount};
use secrecy::{SecretBox, SecretString};
use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, Instant},
};

const READ: &str = r#"{"command":"READ","key":"user:1234567:profile"}"#;
const WRITE: &str = r#"{"command":"WRITE","key":"user:1234567:profile","value":"0123456789abcdef","expire":600}"#;

fn main() {
    divan::main();
}

/// Parses a command.
fn command(text: &str) -> Command<'_> {
    parse_command(text).unwrap_or_else(|_| panic!("{text} is a command"))
}

/// Finds the shard of a key.
#[divan::bench(args = [1, 16, 1000])]
fn ring_lookup(bencher: Bencher<'_, '_>, shards: usize) {
    let names: Vec<_> = (0..shards).map(|number| format!("shard{number}")).collect();
    let ring = Ring::new(names.iter().map(|name| (name.as_str(), Weight::ONE)));
    // The keys differ, so that branch prediction does not learn one path through the ring.
    let keys: Vec<_> = (0..4096).map(|number| format!("user:{number}:profile")).collect();
    let mut next = 0;
    bencher.bench_local(|| {
        next = (next + 1) % keys.len();
        ring.owner(key_hash(black_box(keys[next].as_bytes())))
    });
}

/// Parses the body of a command.
#[divan::bench(args = [READ, WRITE])]
fn command_parse(text: &str) -> Command<'_> {
    command(black_box(text))
}

/// Writes the JSON of a reply. The argument is the length of the value.
#[divan::bench(args = [16, 1024, 65_536])]
fn reply_write(bencher: Bencher<'_, '_>, bytes: usize) {
    let command = command(READ);
    let reply = Reply::Found(Arc::new(Value::Text(Cow::Owned("x".repeat(bytes)))).into());
    bencher.counter(BytesCount::new(bytes)).bench(|| {
        let size = ReplySize::before_run(&command).after_run(&reply);
        let mut out = Vec::with_capacity(size.bytes);
        write_reply(&mut out, &command, &reply, size);
        out
    });
}

/// Creates a keyring with one key.
fn keyring() -> Keyring {
    Keyring::new(&[SecretBox::new(Box::new([7; 32]))]).expect("a key")
}

/// Seals a value of this length.
#[divan::bench(args = [16, 1024, 65_536])]
fn seal(bencher: Bencher<'_, '_>, bytes: usize) {
    let (keyring, plain) = (keyring(), vec![7; bytes]);
    let key = Key::new(Cow::Borrowed("user:1234567:profile")).expect("a key");
    let key = key.within(None);
    bencher.counter(BytesCount::new(bytes)).bench(|| keyring.seal(&key, &plain));
}

/// Opens a sealed value of this length.
#[divan::bench(args = [16, 1024, 65_536])]
fn open(bencher: Bencher<'_, '_>, bytes: usize) {
    let keyring = keyring();
    let key = Key::new(Cow::Borrowed("user:1234567:profile")).expect("a key");
    let key = key.within(None);
    let sealed = keyring.seal(&key, &vec![7; bytes]);
    bencher
        .counter(BytesCount::new(bytes))
        .with_inputs(|| sealed.clone())
        .bench_values(|sealed| sealing::open(Some(&keyring), &key, sealed));
}

/// Verifies a token. The argument is true for a token in the cache of verified tokens, and false for a new one.
#[divan::bench(args = [true, false])]
fn token_check(bencher: Bencher<'_, '_>, known: bool) {
    let client = settings::ClientConfig {
        id: "cachefront".to_owned(),
        any_client_id: true,
        api_key_hashes: vec![digest_api_key("key")],
        scopes: Scopes::ALL,
        namespace: None,
        commands_per_second: None,
    };
    let settings = settings::AuthConfig {
        jwt_secret: SecretString::from("a-secret-for-this-bench-of-32-bytes"),
        token_life: Duration::from_secs(900),
        token_start_leeway: Duration::from_secs(30),
        token_end_leeway: Duration::from_secs(5),
        clients: vec![client],
    };
    let auth = Auth::new(&settings, None, Arc::default());
    if known {
        let token = log_in(&auth);
        bencher.bench(|| auth.verify(&token).is_ok());
    } else {
        bencher.with_inputs(|| log_in(&auth)).bench_refs(|token| auth.verify(token).is_ok());
    }
}

/// Logs in and returns the token.
fn log_in(auth: &Auth) -> String {
    auth.log_in(None, "key", None).expect("the key is right").text
}

/// Records the metrics of a READ: the request, its token and its call to a node.
#[divan::bench(threads = [1, 2])]
fn counted_read(bencher: Bencher<'_, '_>) {
    let (metrics, node) = (Metrics::default(), Histogram::default());
    bencher.bench(|| {
        let mut timer = metrics.requests.start(Kind::Unparsed);
        metrics.tokens.count(Lookup::Hit);
        let start = Instant::now();
        node.observe(start.elapsed());
        (timer.kind, timer.outcome) = (Kind::Read, Outcome::Success);
    });
}
