//! The errors of Redis in logs and messages: they name the command, and repeat none of its arguments.

use crate::local_redis::{Layout, RedisGroup};
use crate::{Setup, eventually, keys, run, serving::serve};
use serde_json::json;

const PASSWORD: &str = "the-password-of-redis";

/// Starts one Redis that knows these commands under other names only, and writes settings for it.
fn redis_without(commands: &[&str]) -> (RedisGroup, Setup) {
    let rename = |command: &&str| ["--rename-command".to_owned(), (*command).to_owned(), format!("renamed-{command}")];
    let arguments = commands.iter().flat_map(rename).collect();
    let layout = Layout { replicas: 0, password: PASSWORD.to_owned(), arguments, ..Layout::default() };
    let redis = RedisGroup::start(&layout).expect("Redis starts");
    let port = redis.master(0).address.port;
    let setup = Setup::new(&format!(
        "LOG_LEVEL=debug\nADMIN_HOST=127.0.0.1\n[redis]\nhost=127.0.0.1\nport={port}\npassword={PASSWORD}\n"
    ));
    (redis, setup)
}

#[test]
fn a_redis_without_hello_is_one_clear_sentence_and_the_password_stays_secret() {
    let (_redis, setup) = redis_without(&["HELLO"]);
    let serving = serve(&setup);
    let log = eventually("the refusal is logged", || {
        let log = std::fs::read_to_string(&serving.log).ok()?;
        log.contains("of shard \\\"main\\\" failed").then_some(log)
    });
    assert!(!log.contains(PASSWORD), "{log}");
    assert!(log.contains("it does not know HELLO 3, which Redis 6.0 and newer know"), "{log}");
    let (status, _, err) = keys::keys(&setup, &["ttl", "a-key-of-a-caller"]);
    assert!(status == 1 && !err.contains(PASSWORD), "{err}");
    let (status, _, err) = run(&["check-config", "--connect", "--config", setup.path()]);
    assert!(status == 78 && !err.contains(PASSWORD), "{err}");
    assert!(err.contains("it cannot be reached: it does not know HELLO 3"), "{err}");
}

/// Returns true if a line of the log says that this command failed.
fn names_failure_of(log: &str, command: &str) -> bool {
    log.lines().any(|line| line.contains(&format!("{command} of client")) && line.contains(" failed"))
}

#[test]
fn a_refused_command_is_logged_without_its_key_and_its_value() {
    let (redis, setup) = redis_without(&["SET", "UNLINK", "GET", "TYPE", "WAIT", "CLIENT"]);
    let serving = serve(&setup);
    let commands = json!([
        {"command": "WRITE", "key": "a-key-of-a-caller", "value": "a-value-of-a-caller"},
        {"command": "DELETE", "key": "a-key-of-a-caller"},
        {"command": "READ", "key": "a-key-of-a-caller"},
        {"command": "READ", "key": "a-key-of-a-caller", "consistency": "master"},
    ]);
    // Each in a request of its own: the failures of a batch are one line.
    for command in commands.as_array().expect("an array") {
        for reply in keys::send(&setup, &serving.address, &json!([command])) {
            assert_eq!(reply["code"], "shard_unavailable", "{reply}");
        }
    }
    let log = eventually("the refusals are logged", || {
        let log = std::fs::read_to_string(&serving.log).ok()?;
        ["WRITE", "DELETE", "READ"].into_iter().all(|command| names_failure_of(&log, command)).then_some(log)
    });
    assert!(log.contains("unknown command 'SET'"), "{log}");
    for secret in [PASSWORD, "a-key-of-a-caller", "a-value-of-a-caller"] {
        assert!(!log.contains(secret), "{secret} is logged: {log}");
    }
    assert_eq!(redis.master(0).ask("renamed-SET a-key-of-a-caller v").expect("an answer"), "+OK");
    let (status, _, err) = keys::keys(&setup, &["ttl", "a-key-of-a-caller"]);
    assert!(status == 1 && err.contains("unknown command 'TYPE'"), "{err}");
    assert!(!err.contains("a-key-of-a-caller"), "{err}");
}
