//! Tests of settings in whole files.

mod problems;
mod secrets;
mod topologies;

use super::*;
use crate::{
    ring::Weight,
    types::{Address, Namespace, Ttl},
};
use secrecy::ExposeSecret;
use std::{fs, num::NonZeroU32};

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

fn check(text: &str, environment: &[(&str, &str)]) -> Result<Settings, SettingsProblems> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("setup.config");
    fs::write(&path, text).expect("the file is written");
    fs::write(folder.path().join("text_encryption.key"), "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
        .expect("the key is written");
    load_with(&path, environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

fn problems(text: &str, environment: &[(&str, &str)]) -> Vec<String> {
    match check(text, environment) {
        Ok(settings) => panic!("these settings were accepted: {settings}"),
        Err(problems) => problems.problems.iter().map(ToString::to_string).collect(),
    }
}

const PYTHON: &str = "[redis]
host=127.0.0.1
port=6379
password=
db=0
decode_responses=True
key_expire_secs=600

[service]
PORT=9090
JWT_SECRET_KEY=jFh8s0d8fh2lq9%;#1kdjKJH7gYt5Rr4
APP_SECRET_KEY=abc
CSRF_PROTECTION_KEY=def
SRVC_SHARED_SECRET=a-shared-secret-of-some-length
IDENTITY=rollama
ENCRYPTION_KEY=text_encryption.key
";

/// Returns the shards of a static topology.
fn shards(settings: &Settings) -> &[ShardConfig] {
    match &settings.topology {
        Topology::Static(shards) => shards,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_file_of_the_python_service_loads_unchanged() {
    let settings = check(PYTHON, &[]).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(settings.service.port, 9090);
    assert_eq!(settings.default_ttl, Ttl::from_secs(600).expect("in range"));
    assert_eq!(
        shards(&settings),
        [ShardConfig {
            name: "main".into(),
            weight: Weight::ONE,
            master: "127.0.0.1:6379".parse().expect("an address"),
            replicas: vec![]
        }]
    );
    assert!(settings.redis_login.password.is_none());
    assert_eq!(settings.auth.clients[0].id, "rollama");
    assert_eq!(settings.auth.jwt_secret.expose_secret(), "jFh8s0d8fh2lq9%;#1kdjKJH7gYt5Rr4");
    assert_eq!(
        settings.sealing.keys[0].expose_secret(),
        &std::array::from_fn(|at| u8::try_from(at).expect("below 32"))
    );
    assert_eq!(settings.warnings.len(), 3, "{:?}", settings.warnings);
}

const SHARDED: &str = "[service]
JWT_SECRET_KEY=jFh8s0d8fh2lq9kdjKJH7gYt5Rr4uuuu
[shard:a]
master=10.0.1.1:6379
replicas=10.0.1.2:6379,
  10.0.1.3:6379
[shard:b]
master=10.0.2.1:6379
weight=3
[client:billing]
api_key_hash=sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad
scopes=read, write
namespace=billing
commands_per_second=100
";

#[test]
fn shards_and_clients_are_read() {
    let settings = check(SHARDED, &[]).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(
        shards(&settings).iter().map(|shard| (&*shard.name, shard.weight, shard.replicas.len())).collect::<Vec<_>>(),
        [("a", Weight::ONE, 2), ("b", Weight::whole(3), 0)]
    );
    let [client] = settings.auth.clients.as_slice() else { panic!("one client") };
    assert_eq!(
        (client.id.as_str(), client.scopes.to_string().as_str(), client.any_client_id),
        ("billing", "read write", false)
    );
    assert_eq!(client.commands_per_second, NonZeroU32::new(100));
}

#[test]
fn the_environment_overrides_the_file_and_finds_its_sections() {
    let secret = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(secret.path(), "from a file\n").expect("the secret is written");
    let environment = [
        ("CACHEFRONT__REDIS__PASSWORD_FILE", secret.path().to_str().expect("a path")),
        ("CACHEFRONT__SHARD__B__WEIGHT", "0.25"),
        ("CACHEFRONT__SHARD__C__MASTER", "10.0.3.1:6379"),
        ("CACHEFRONT__SERVICE__PORT", "9443"),
        ("HOME", "/"),
    ];
    let settings = check(SHARDED, &environment).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(
        settings.redis_login.password.as_ref().map(|password| password.expose_secret().to_owned()).as_deref(),
        Some("from a file")
    );
    assert_eq!(
        shards(&settings).iter().map(|shard| (&*shard.name, shard.weight)).collect::<Vec<_>>(),
        [("a", Weight::ONE), ("b", "0.25".parse().expect("a weight")), ("c", Weight::ONE)]
    );
    assert_eq!(settings.service.port, 9443);
}

#[test]
fn an_ipv6_host_needs_no_brackets() {
    for host in ["::1", "[::1]"] {
        let settings = check(&PYTHON.replace("127.0.0.1", host), &[]).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(shards(&settings)[0].master, Address { host: "::1".to_owned(), port: 6379 });
    }
}

#[test]
fn a_client_may_use_all_keys_only_where_its_section_says_so() {
    for (stated, namespace) in [("*", None), ("billing", Some("billing"))] {
        let text = SHARDED.replace("namespace=billing", &format!("namespace={stated}"));
        let settings = check(&text, &[]).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(settings.auth.clients[0].namespace.as_ref().map(Namespace::name), namespace);
        assert_eq!(settings.to_string().contains("may read write, all keys"), namespace.is_none(), "{settings}");
    }
}

#[test]
fn a_file_without_a_newline_at_its_end_is_accepted_with_a_warning() {
    let settings = check(SHARDED.trim_end(), &[]).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(!settings.file_ends_its_last_line);
    assert!(settings.to_string().contains("setup.config does not end in a newline"), "{settings}");
    assert!(check(SHARDED, &[]).is_ok_and(|settings| settings.file_ends_its_last_line));
}

#[test]
fn the_longest_body_fits_the_longest_value_in_any_form() {
    let sizes = |options: &str| {
        let service = check(&format!("{PYTHON}{options}"), &[]).expect("the settings are valid").service;
        (service.value_bytes_max, service.body_bytes_max, service.bodies_bytes_max)
    };
    let (value, body, bodies) = sizes("");
    assert_eq!((value, body), (8 << 20, (48 << 20) + (64 << 10)));
    // Where there are several clients, the large bodies of one get half of three quarters of the memory.
    assert!(2 * body <= bodies / 4 * 3, "{body} {bodies}");
    assert_eq!(sizes("VALUE_BYTES_MAX=1000").1, 6000 + (64 << 10));
    assert_eq!(sizes("BODIES_BYTES_MAX=1000000").1, 1_000_000);
    assert_eq!(sizes("BODY_BYTES_MAX=2000000").1, 2_000_000);
    let found = problems(&format!("{PYTHON}BODY_BYTES_MAX=1023"), &[]);
    assert_eq!(found, ["[service] BODY_BYTES_MAX: 1023 is neither 0 nor at least 1024"]);
}

#[test]
fn a_list_may_continue_in_further_lines() {
    let text = SHARDED.replace("scopes=read, write", "scopes=\n  read\n  ; not yet: delete\n  write");
    let settings = check(&text, &[]).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(settings.auth.clients[0].scopes.to_string(), "read write");
}

#[test]
fn an_unreadable_certificate_or_key_is_reported_with_the_other_problems() {
    let text = PYTHON.replace("PORT=9090", "PORT=many\nTLS_CERT=/nonexistent/cert.pem\nTLS_KEY=/nonexistent/key.pem");
    let problems = check(&text, &[]).expect_err("a port is a number").with_certificate_problems();
    let locations: Vec<&str> = problems.problems.iter().map(|problem| problem.location.as_str()).collect();
    assert_eq!(locations, ["[service] PORT", "[service] TLS_CERT", "[service] TLS_KEY"]);
    assert!(problems.to_string().contains("TLS_KEY: /nonexistent/key.pem cannot be read"), "{problems}");
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_text_is_refused() {
    use std::os::unix::ffi::OsStringExt;
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(file.path(), SHARDED).expect("the file is written");
    let not_text = OsString::from_vec(b"caf\xe9".to_vec());
    let environment = [("CACHEFRONT__REDIS__PASSWORD".into(), not_text.clone()), ("HOME".into(), not_text)];
    let problems = load_from(file.path(), environment).expect_err("a password was lost");
    assert_eq!(problems.problems.len(), 1, "{problems}");
    assert!(problems.to_string().ends_with("CACHEFRONT__REDIS__PASSWORD is not UTF-8 text"), "{problems}");
}

#[test]
fn a_missing_file_is_the_only_problem() {
    let problems = load_with(Path::new("/nonexistent/setup.config"), []).expect_err("there is no such file");
    assert_eq!(problems.problems.len(), 1);
    assert!(problems.to_string().starts_with("/nonexistent/setup.config cannot be read: "), "{problems}");
}

#[test]
fn no_secret_is_shown() {
    let text = PYTHON.replace("password=", "password=hunter2hunter2").replace("text_encryption.key", KEY);
    let settings = check(&text, &[]).unwrap_or_else(|problems| panic!("{problems}"));
    for shown in [settings.to_string(), format!("{settings:?}")] {
        for secret in ["hunter2", "jFh8s0d8", "a-shared-secret", "00010203"] {
            assert!(!shown.contains(secret), "{secret} is shown in {shown}");
        }
    }
}

#[test]
fn defaults_of_all_options_pass_the_checks() {
    for option in options::OPTIONS {
        if let Some(default) = option.default {
            let title = option.section.title().replace("NAME", "x");
            let text = format!("[{title}]\n{}={default}\n", option.name);
            let problems = check(&text, &[]).err().map(|problems| problems.to_string()).unwrap_or_default();
            let location = format!("[{title}] {}", option.name);
            for end in [":", " "] {
                assert!(!problems.contains(&[&location, end].concat()), "{location} = {default}: {problems}");
            }
        }
    }
}

#[test]
fn the_commented_example_and_the_list_of_options_agree() {
    let example = include_str!("../../../config/setup.config.example");
    let mut title = String::new();
    let mut shown = Vec::new();
    for line in example.lines() {
        let line = line.trim_start_matches([';', ' ']);
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            name.clone_into(&mut title);
        } else if let Some((name, value)) = line.split_once('=').filter(|(name, _)| !name.contains(' ')) {
            let Some(kind) = environment::kind_of(&title) else { panic!("[{title}] is no section") };
            let option = options::find(kind, name).unwrap_or_else(|| panic!("[{title}] {name} is no option"));
            if let Some(default) = option.default {
                assert_eq!(value, default, "the example shows another default of [{title}] {name}");
            }
            shown.push((kind, option.name));
        }
    }
    for option in options::OPTIONS.iter().filter(|option| !option.ignored) {
        assert!(
            shown.contains(&(option.section, option.name)),
            "the example lacks [{}] {}",
            option.section.title(),
            option.name
        );
    }
}
