//! Subcommands that read settings.

use crate::{Setup, cachefront, is_file, run, run_with_input, serving::serve};
use serde_json::{Value, json};

#[test]
fn help_lists_all_commands_and_wrong_usage_exits_with_64() {
    let (status, out, _) = run(&["--help"]);
    assert_eq!(status, 0);
    let commands = ["serve", "dev", "check-config", "keys", "bench", "hash-key", "healthcheck", "openapi"];
    for word in commands.into_iter().chain(["completions", "man", "Exit status"]) {
        assert!(out.contains(word), "--help lacks {word}: {out}");
    }
    for arguments in
        [&["--nonsense"][..], &["nonsense"], &["keys", "locate"], &["dev", "--port", "many"], &["dev", "--shards", "0"]]
    {
        let (status, out, err) = run(arguments);
        assert_eq!((status, out.as_str()), (64, ""), "{arguments:?}: {err}");
        assert!(err.starts_with("error: "), "{err}");
    }
    let (status, out, _) = run(&["--version"]);
    assert_eq!((status, out.trim()), (0, concat!("cachefront ", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn check_config_summarizes_the_settings_without_secrets() {
    let setup = Setup::new("[shard:a]\nmaster=10.0.0.1:6379\nreplicas=10.0.0.2:6379\n[redis]\npassword=hunter3\n");
    let (status, out, err) = run(&["check-config", "--config", setup.path()]);
    assert_eq!((status, err.as_str()), (0, ""));
    assert!(out.contains("shard      a (weight 1): master 10.0.0.1:6379, replicas 10.0.0.2:6379"), "{out}");
    assert!(!out.contains("hunter") && !out.contains("0123456789"), "a secret is shown: {out}");
}

#[test]
fn invalid_settings_exit_with_78_and_are_all_reported_before_a_port_opens() {
    let setup = Setup::new("REQUEST_DEADLINE=5\n[redis]\nport=none\n[shards:a]\nmaster=x\n");
    for command in [&["check-config"][..], &["serve"], &[], &["keys", "locate", "k"]] {
        let (status, out, err) = run(&[command, &["--config", setup.path()]].concat());
        assert_eq!((status, out.as_str()), (78, ""), "{command:?}: {err}");
        assert!(err.starts_with("cachefront: ") && err.contains("has 3 problems:"), "{err}");
        assert!(
            err.contains("[service] REQUEST_DEADLINE is an unknown option; did you mean REQUEST_DEADLINE_MS?"),
            "{err}"
        );
        assert!(err.contains("[shards:a] is an unknown section; did you mean [shard:NAME]?"), "{err}");
    }
    // Options of the environment do not hide that the file is missing.
    let mut command = cachefront(&["serve", "--config", "/nonexistent"]);
    command.env("CACHEFRONT__SERVICE__PORT", "0");
    let (status, _, err) = crate::result(&command.output().expect("the program runs"));
    assert_eq!(
        (status, err.as_str()),
        (
            78,
            "cachefront: /nonexistent cannot be read: No such file or directory (os error 2); \
             name another file with --config\n"
        )
    );
}

#[test]
fn a_mistake_in_the_address_of_the_admin_port_is_one_sentence_for_those_who_ask_it() {
    let setup = Setup::new("");
    let text = std::fs::read_to_string(setup.path()).expect("the settings");
    for (value, expected) in [
        ("none", ":4: [service] ADMIN_PORT: \"none\" is not a whole number from 0 to 65535\n"),
        ("0", ": [service] ADMIN_PORT is 0, so the instance chose a port itself: name a port, "),
    ] {
        let text = text.replace("ADMIN_PORT=0", &format!("ADMIN_PORT={value}"));
        std::fs::write(setup.path(), format!("{text}[redis]\nport=none\n")).expect("it is written");
        for command in ["healthcheck", "status"] {
            let (status, out, err) = run(&[command, "--config", setup.path()]);
            assert_eq!((status, out.as_str(), err.lines().count()), (78, "", 1), "{command}: {err}");
            assert!(err.starts_with(&format!("cachefront: {}{expected}", setup.path())), "{err}");
        }
    }
}

#[test]
fn serve_reports_the_same_problems_as_check_config_with_their_lines() {
    let setup = Setup::new("REQUEST_DEADLINE=5\nPORT=1\n[redis]\nport=none\n[client:c]\nnamespace=c\nno option\n");
    std::fs::remove_file(setup.file("cert.pem")).expect("it was there");
    let report = |command: &str| {
        let mut command = cachefront(&[command, "--config", setup.path()]);
        let output = command.env("CACHEFRONT__SERVICE__ADMIN_PORT", "x").output().expect("it runs");
        (output.status.code(), String::from_utf8(output.stderr).expect("a text"))
    };
    let (status, err) = report("check-config");
    assert_eq!((report("serve"), status), ((Some(78), err.clone()), Some(78)));
    let text = std::fs::read_to_string(&setup.config).expect("the settings are read");
    let line_of = |part: &str| text.lines().position(|line| line.contains(part)).expect("a line") + 1;
    for (part, problem) in [
        ("REQUEST_DEADLINE=5", "[service] REQUEST_DEADLINE is an unknown option"),
        ("port=none", "[redis] port: \"none\" is not a whole number from 1 to 65535"),
        // An option that is missing has the line of its section.
        ("[client:c]", "[client:c] api_key_hash is missing"),
        ("no option", &format!("line {} is neither [section] nor option=value", line_of("no option"))),
        ("TLS_CERT=", "[service] TLS_CERT: "),
        ("PORT=1", "[service] PORT is set in line 3 already: keep one of them"),
    ] {
        let expected = format!("\n  {}:{}: {problem}", setup.path(), line_of(part));
        assert!(err.contains(&expected), "{expected} is missing from {err}");
    }
    assert!(err.contains("\n  CACHEFRONT__SERVICE__ADMIN_PORT: \"x\" is not a whole number"), "{err}");
}

/// Asserts that a message has no part of a key: neither DER in base64, which begins with MI, nor the bytes of a line of PEM
/// as numbers.
fn assert_shows_no_key(message: &str) {
    assert!(!message.contains("MI") && !message.contains("45, 45"), "a part of the key is shown: {message}");
}

#[test]
fn unusable_certificates_exit_with_78_and_one_sentence() {
    let setup = Setup::new("");
    let other = rcgen::generate_simple_self_signed(vec!["other".to_owned()]).expect("a certificate");
    let key = std::fs::read_to_string(setup.file("key.pem")).expect("a key");
    for (content, expected) in [
        (other.signing_key.serialize_pem(), "is not the key of the certificate"),
        ("nonsense".to_owned(), "holds no private key in PEM form"),
        (key.replace('\n', " "), "is PEM without line ends"),
        (key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"), "holds an encrypted private key"),
    ] {
        std::fs::write(setup.file("key.pem"), content).expect("it is written");
        for command in ["check-config", "serve"] {
            let (status, _, err) = run(&[command, "--config", setup.path()]);
            assert_eq!(status, 78, "{err}");
            assert!(err.contains(expected) && err.lines().count() == 1, "{err}");
            assert_shows_no_key(&err);
        }
    }
    std::fs::write(setup.file("key.pem"), key).expect("it is written");
    std::fs::remove_file(setup.file("cert.pem")).expect("it was there");
    assert!(!is_file(&setup.file("cert.pem")));
    let (status, _, err) = run(&["serve", "--config", setup.path()]);
    assert_eq!(status, 78);
    assert!(err.contains("[service] TLS_CERT: ") && err.contains("cannot be read"), "{err}");
}

#[test]
fn unreadable_certificates_are_reported_together_with_other_problems() {
    let setup = Setup::new("REQUEST_DEADLINE=5\n");
    std::fs::remove_file(setup.file("cert.pem")).expect("it was there");
    let (status, _, err) = run(&["check-config", "--config", setup.path()]);
    assert_eq!(status, 78);
    assert!(
        err.contains("has 2 problems:") && err.contains("[service] REQUEST_DEADLINE is an unknown option"),
        "{err}"
    );
    assert!(err.contains("[service] TLS_CERT: ") && err.contains("cert.pem cannot be read"), "{err}");
}

/// Returns a certificate whose validity has ended, and its key.
fn expired() -> (String, String) {
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    params.not_after = rcgen::date_time_ymd(2020, 1, 2);
    let key = rcgen::KeyPair::generate().expect("a key");
    (params.self_signed(&key).expect("a certificate").pem(), key.serialize_pem())
}

#[test]
fn an_expired_certificate_is_a_warning_of_check_config_and_of_the_log() {
    let setup = Setup::new("[redis]\nport=1\ntls=true\nclient_cert=cert.pem\nclient_key=key.pem\n");
    let (certificate, key) = expired();
    std::fs::write(setup.file("cert.pem"), certificate).expect("it is written");
    std::fs::write(setup.file("key.pem"), key).expect("it is written");
    let (status, out, err) = run(&["check-config", "--config", setup.path()]);
    assert_eq!((status, err.as_str()), (0, ""));
    let serving = serve(&setup);
    let log = std::fs::read_to_string(&serving.log).expect("a log");
    for option in ["[service] TLS_CERT", "[redis] client_cert"] {
        let path = setup.file("cert.pem");
        let expected =
            format!("{option}: {}: certificate 1 has expired: it was valid until 2020-01-02", path.display());
        assert!(out.contains(&expected), "{expected}: {out}");
        assert!(log.contains(&expected), "{expected}: {log}");
    }
}

#[test]
fn the_certificates_for_redis_are_checked_like_those_of_the_service() {
    let setup = Setup::new("[redis]\ntls=true\nca_cert=ca.pem\nclient_cert=cert.pem\nclient_key=other.pem\n");
    let other = rcgen::generate_simple_self_signed(vec!["other".to_owned()]).expect("a certificate");
    std::fs::write(setup.file("other.pem"), other.signing_key.serialize_pem()).expect("it is written");
    let key = std::fs::read_to_string(setup.file("key.pem")).expect("a key");
    std::fs::write(setup.file("ca.pem"), key.replace('\n', "\\n")).expect("it is written");
    for command in ["check-config", "serve"] {
        let (status, _, err) = run(&[command, "--config", setup.path()]);
        assert_eq!(status, 78, "{err}");
        assert!(err.contains("[redis] ca_cert: ") && err.contains("holds a private key, but no certificate"), "{err}");
        assert!(err.contains("[redis] client_key: ") && err.contains("is not the key of the certificate in"), "{err}");
        assert_shows_no_key(&err);
    }
}

#[test]
fn certificate_and_key_can_be_given_by_the_environment_with_escaped_line_ends() {
    let setup = Setup::new("");
    let read = |name: &str| std::fs::read_to_string(setup.file(name)).expect("a text").replace('\n', "\\n");
    let mut command = cachefront(&["check-config", "--config", setup.path()]);
    command.env("CACHEFRONT__SERVICE__TLS_CERT", read("cert.pem"));
    command.env("CACHEFRONT__SERVICE__TLS_KEY", read("key.pem"));
    let (status, out, err) = crate::result(&command.output().expect("the program runs"));
    assert_eq!((status, err.as_str()), (0, ""));
    assert!(!out.contains("-----BEGIN"), "{out}");
    command.env("CACHEFRONT__SERVICE__TLS_KEY", &read("key.pem")[..60]);
    let (status, _, err) = crate::result(&command.output().expect("the program runs"));
    assert!(status == 78 && err.contains("setup.config: [service] TLS_KEY: the PEM text of the option holds"), "{err}");
    assert_shows_no_key(&err);
}

#[test]
fn locate_shows_the_shard_and_the_nodes_of_a_key() {
    let shards = "[shard:a]\nmaster=10.0.1.1:6379\nreplicas=10.0.1.2:6379,10.0.1.3:6379\n\
                  [shard:b]\nmaster=10.0.2.1:6379\n[client:c]\nnamespace=ns\nscopes=read\n\
                  api_key_hash=sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n";
    let setup = Setup::new(shards);
    let locate = |arguments: &[&str]| run(&[&["keys", "locate", "--config", setup.path()], arguments].concat());
    let located = |arguments: &[&str]| {
        let (status, out, err) = locate(&[&["--json"], arguments].concat());
        assert_eq!((status, err.as_str()), (0, ""));
        serde_json::from_str::<Value>(&out).expect("JSON")
    };
    let nodes = |location: &Value| json!([location["shard"], location["configured_master"], location["replica"]]);
    // Golden: these keys are where they were in the first release.
    let found = located(&["user:1", "user:9", "{user:9}:name"]);
    assert_eq!(nodes(&found[0]), json!(["b", "10.0.2.1:6379", null]));
    assert_eq!(nodes(&found[1]), json!(["a", "10.0.1.1:6379", "10.0.1.3:6379"]));
    assert_eq!(nodes(&found[2]), nodes(&found[1]));
    assert_eq!(nodes(&located(&["--client", "c", "{user:9}:name"])[0]), nodes(&found[1]));
    let found = located(&["user:9", "--before", setup.path()]);
    assert_eq!(nodes(&found[0]["before"]), nodes(&found[0]));
    let (_, out, _) = locate(&["user:1", "user:9"]);
    let lines: Vec<Vec<&str>> = out.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["user:1", "b", "none", "answers", "10.0.2.1:6379", "none"]);
    assert_eq!(lines[1], ["user:9", "a", "none", "answers", "10.0.1.1:6379", "10.0.1.3:6379"]);
    assert_eq!(locate(&["--client", "nobody", "k"]).0, 64);
    assert_eq!(locate(&[""]).0, 64);
}

#[test]
fn hash_key_generates_a_key_or_hashes_the_given_one() {
    let (status, made, _) = run(&["hash-key"]);
    let field = |name: &str| made.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).expect(name);
    assert_eq!(status, 0);
    let (_, hashed, _) = run_with_input(&["hash-key"], &format!("{}\n", field("api_key")));
    assert_eq!(hashed, format!("api_key_hash={}\n", field("api_key_hash")));
    let (status, out, err) = run_with_input(&["hash-key"], "short\n");
    assert_eq!((status, out.as_str()), (64, ""));
    assert!(err.contains("fewer than 16 characters"), "{err}");
    let (_, marked, _) = run_with_input(&["hash-key"], &format!("\u{feff}{}\r\n", field("api_key")));
    assert_eq!(marked, hashed);
    let (status, _, err) = run_with_input(&["hash-key"], "change-me-please-change-me");
    assert!(status == 64 && err.contains("is a placeholder"), "{err}");
}

#[test]
fn openapi_prints_the_description() {
    let (status, out, _) = run(&["openapi"]);
    let document: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((status, &document["info"]["title"]), (0, &serde_json::json!("Cachefront")));
}

#[test]
fn the_deployed_settings_load_and_placeholders_are_refused() {
    let setup = Setup::new("");
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/kubernetes/base");
    let config = format!("{root}/setup.config");
    let check = |jwt: &str, shared: &str, redis: &str| {
        let mut command = cachefront(&["check-config", "--config", &config]);
        command.env("CACHEFRONT__SERVICE__TLS_CERT", setup.file("cert.pem"));
        command.env("CACHEFRONT__SERVICE__TLS_KEY", setup.file("key.pem"));
        command.env("CACHEFRONT__SERVICE__JWT_SECRET_KEY", jwt).env("CACHEFRONT__SERVICE__SRVC_SHARED_SECRET", shared);
        command.env("CACHEFRONT__REDIS__PASSWORD", redis);
        crate::result(&command.output().expect("the program runs"))
    };
    let (status, out, err) = check("0123456789abcdef0123456789abcdef", "0123456789abcdef", "of-redis");
    assert_eq!((status, err.as_str()), (0, ""));
    assert!(out.contains("redis-replica-2.redis-replica:6379"), "{out}");

    let read = |name: &str| std::fs::read_to_string(format!("{root}/{name}")).expect(name);
    let secrets = [read("secrets.env"), read("redis.env")].concat();
    let placeholder =
        |name: &str| secrets.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).expect(name);
    let shared = placeholder("SRVC_SHARED_SECRET");
    let (status, _, err) = check(placeholder("JWT_SECRET_KEY"), shared, placeholder("REDIS_PASSWORD"));
    assert_eq!(status, 78);
    assert_eq!(err.matches("is a placeholder").count(), 3, "{err}");
}
