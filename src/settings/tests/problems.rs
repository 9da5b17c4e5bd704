//! Tests of the problems that are reported.

use super::{KEY, PYTHON, SHARDED, check, problems};
use crate::settings::{hash_api_key, options::OPTIONS};

#[test]
fn all_problems_are_reported_at_once_with_their_locations() {
    let text = "[redis]
hots=localhost
port=70000
tls=maybe
[servce]
PORT=1
[service]
HOST=localhost
JWT_SECRET_KEY=...
SRVC_SHARED_SECRET=
ENCRYPTION_KEY=no-key-at-all
ENCRYPT_VALUES=sometimes
[client:x]
api_key_hash=abc
namespace=a:b
scopes=read,admin
";
    let found = problems(text, &[("CACHEFRONT__SERVICE__ADMIN_PORT", "many"), ("CACHEFRONT__NONSENSE", "1")]);
    for expected in [
        "[redis] hots is an unknown option; did you mean host?",
        "[redis] port: \"70000\" is not a whole number from 1 to 65535",
        "[redis] tls: \"maybe\" is neither true nor false",
        "[servce] is an unknown section; did you mean [service]?",
        "[service] HOST: \"localhost\" is not an IP address",
        "[service] JWT_SECRET_KEY is a placeholder",
        "[service] SRVC_SHARED_SECRET is empty",
        "[service] ENCRYPTION_KEY: entry 1 is neither a key nor the name of an existing file",
        "[service] ENCRYPT_VALUES: \"sometimes\" is none of: on_request, always, required",
        "[client:x] api_key_hash is not a hash",
        "[client:x] namespace: \"a:b\" is neither * (all keys) nor a namespace",
        "[client:x] scopes: \"admin\" is none of",
        "CACHEFRONT__SERVICE__ADMIN_PORT: \"many\" is not a whole number",
        "CACHEFRONT__NONSENSE names no option",
    ] {
        assert!(found.iter().any(|problem| problem.starts_with(expected)), "{expected} is missing from {found:#?}");
    }
    assert_eq!(found.len(), 14, "{found:#?}");
}

#[test]
fn contradictory_settings_are_refused() {
    for (text, expected) in [
        ("[redis]\nhost=a\n[shard:a]\nmaster=b:1\n", "[redis] host is not allowed beside [shard:NAME]"),
        (
            "[shard:a]\nmaster=b:1\n[shard:b]\nmaster=b:1\n",
            "[shard:b] master: b:1 is in shard \"a\" and in shard \"b\"",
        ),
        ("[redis]\nhost=a\nreplicas=a:6379\n", "[redis] replicas: a:6379 is twice in shard \"main\""),
        ("[shard:a]\nmaster=b:1\nreplicas=b:1\n", "[shard:a] replicas: b:1 is twice in shard \"a\""),
        ("[shard:a]\nweight=1\n", "[shard:a] master is missing"),
        ("[shard:a]\nmaster=b:1\n[shard:b]\n", "[shard:b] master is missing"),
        (
            "[shard:a]\nmaster=b:1\nweight=0.001\n",
            "[shard:a] weight: \"0.001\" is not a number from 0.01 to 100 with at most two decimal places",
        ),
        ("[client:z]\n[redis]\n", "[client:z] api_key_hash is missing"),
        ("[shard:]\n", "[shard:] is an unknown section; did you mean [shard:NAME]?"),
        ("[servce]\n", "[servce] is an unknown section; did you mean [service]?"),
        ("[redis]\nca_cert=x\n", "[redis] ca_cert has no effect without tls=true"),
        ("[service]\nENCRYPT_VALUES=always\n", "[service] ENCRYPTION_KEY is missing"),
        ("[service]\nPORT=9091\n", "[service] ADMIN_PORT: 9091 is the port of the service itself"),
        ("[service]\nJWT_SECRET_KEY=tooshort\n", "[service] JWT_SECRET_KEY has 8 bytes"),
        ("[redis]\nusername=u\n", "[redis] password is needed by the username"),
        ("[redis]\nport=1\n", "[service] SRVC_SHARED_SECRET is missing, and there is no [client:NAME] section"),
        ("[DEFAULT]\nprot=1\n[redis]\nport=1\n", "[DEFAULT] prot: no section has this option"),
        ("[redis]\nhost=\n", "[redis] host is empty: write a value, or remove the option for its default, 127.0.0.1"),
        ("[service]\nENCRYPT_VALUES=\n", "[service] ENCRYPT_VALUES is empty: write a value, or remove the option for"),
        ("[telemetry]\notlp_endpoint=\n", "[telemetry] otlp_endpoint is empty: write a value, or remove the option"),
        (
            "[client:x]\nscopes=\n",
            "[client:x] scopes is empty: list the operations that the client may use, of read, write, delete",
        ),
        ("[client:x]\nscopes=,\n", "[client:x] scopes grants nothing: list the operations"),
        (
            "[client:x]\nnamespace=\n",
            "[client:x] namespace is empty: write the name that all keys of the client begin with",
        ),
        ("[service]\nLOG_LEVEL=warning\n", "[service] LOG_LEVEL: \"warning\" names no level that exists"),
        (
            "[service]\nREQUEST_DEADLINE_MS=250\n",
            "[service] REQUEST_DEADLINE_MS: 250 is not more than attempt_timeout_ms",
        ),
        (
            "[redis]\nattempt_timeout_ms=1000\n",
            "[service] REQUEST_DEADLINE_MS: 1000 is not more than attempt_timeout_ms",
        ),
        ("[client:a b]\napi_key_hash=x\n", "[client:a b] api_key_hash: \"a b\" is not a name"),
    ] {
        let found = problems(text, &[]);
        assert!(found.iter().any(|problem| problem.starts_with(expected)), "{expected} is missing from {found:#?}");
    }
}

/// The options that may be empty, which then are as if absent.
const MAY_BE_EMPTY: [&str; 7] =
    ["replicas", "username", "password", "sentinel_username", "sentinel_password", "TRUSTED_PROXIES", "ADMIN_HOSTS"];

#[test]
fn an_empty_option_is_a_problem_that_names_it() {
    for option in OPTIONS.iter().filter(|option| !option.ignored) {
        let title = option.section.title().replace("NAME", "x");
        let variable =
            format!("CACHEFRONT__{}__{}", title.replace(':', "__").to_uppercase(), option.name.to_uppercase());
        let others = "[redis]\ntls=true\n";
        let in_file = if title == "redis" {
            format!("{}{}=\n", others.replace(&format!("{}=true\n", option.name), ""), option.name)
        } else {
            format!("{others}[{title}]\n{}=\n", option.name)
        };
        let location = format!("[{title}] {}", option.name);
        for (location, found) in [
            (location.as_str(), problems(&in_file, &[])),
            (variable.as_str(), problems("[redis]\ntls=true\n[service]\nIDENTITY=x\n", &[(&variable, "")])),
        ] {
            let is_named = found.iter().any(|problem| problem.starts_with(location));
            assert_eq!(is_named, !MAY_BE_EMPTY.contains(&option.name), "{location}: {found:#?}");
        }
    }
    let found = problems("[redis]\nhost=a\n", &[("CACHEFRONT__REDIS__HOST", "")]);
    let expected = "CACHEFRONT__REDIS__HOST is empty: give it a value, or unset the variable";
    assert!(found.iter().any(|problem| problem == expected), "{found:#?}");
}

#[test]
fn hosts_and_ranges_are_refused_with_one_sentence_that_shows_what_is_invisible() {
    for (text, expected) in [
        ("[redis]\nhost=a b\n", "[redis] host: \"a b\" is not a host, because of the character ' '"),
        ("[redis]\nhost=\"a\"\n", "[redis] host: \"\\\"a\\\"\" is not a host, because of the character '\"'"),
        ("[redis]\nhost=a:1\n", "[redis] host: \"a:1\" has a port: write the host alone, and its port as port"),
        ("[redis]\nhost=u:hunter2@a\n", "[redis] host: an address has no user and no password before an @"),
        ("[redis]\nreplicas=a\u{200b}:1\n", "[redis] replicas: \"a\\u{200b}\" is not a host, because of the character"),
        ("[service]\nHOST=::1\u{200b}\n", "[service] HOST: \"::1\\u{200b}\" is not an IP address"),
        ("[redis]\nkey_expire_secs=x\n", "[redis] key_expire_secs: \"x\" is not a whole number of at most 3155760000"),
        (
            "[redis]\nkey_expire_secs=3155760001\n",
            "[redis] key_expire_secs: \"3155760001\" is not a whole number of at most 3155760000",
        ),
    ] {
        let found = problems(text, &[]);
        assert!(found.iter().any(|problem| problem.starts_with(expected)), "{expected} is missing from {found:#?}");
        assert!(!found.iter().any(|problem| problem.contains("hunter2")), "{found:#?}");
    }
}

#[test]
fn a_secret_in_quotes_is_a_warning_that_does_not_show_it() {
    let text = PYTHON.replace("password=", "password=\"hunter2\"");
    let settings = check(&text, &[]).unwrap_or_else(|problems| panic!("{problems}"));
    let warning = settings.warnings.iter().find(|warning| warning.starts_with("[redis] password begins and ends with"));
    assert!(warning.is_some_and(|warning| !warning.contains("hunter2")), "{:?}", settings.warnings);
    let settings = check(&PYTHON.replace("password=", "password=\"hunter2"), &[]).expect("the settings are valid");
    assert!(!settings.warnings.iter().any(|warning| warning.contains("quote")), "{:?}", settings.warnings);
}

#[test]
fn an_empty_shared_secret_is_one_problem() {
    let text = "[service]\nJWT_SECRET_KEY=0123456789abcdef0123456789abcdef\nSRVC_SHARED_SECRET=\n";
    let found = problems(text, &[]);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].starts_with("[service] SRVC_SHARED_SECRET is empty: "), "{found:#?}");
}

fn client_section(name: &str, hash: &str) -> String {
    format!("[client:{name}]\napi_key_hash={hash}\nnamespace=*\nscopes=read\n")
}

#[test]
fn a_client_without_namespace_or_scopes_is_refused() {
    let hash = hash_api_key("another-key");
    let cut = format!("[client:a]\napi_key_hash={hash}\n");
    let namespace = "[client:a] namespace is missing: write the name that all keys of the client begin with, or * if \
                     the client may use all keys";
    let scopes = "[client:a] scopes is missing: list the operations that the client may use, of read, write, delete";
    assert_eq!(problems(&[PYTHON, &cut].concat(), &[]), [scopes, namespace]);
    assert_eq!(problems(&[PYTHON, &cut, "namespace=a\n"].concat(), &[]), [scopes]);
    assert_eq!(problems(&[PYTHON, &cut, "scopes=read\n"].concat(), &[]), [namespace]);
    let in_environment = [("CACHEFRONT__CLIENT__A__NAMESPACE", "a"), ("CACHEFRONT__CLIENT__A__SCOPES", "read")];
    assert!(check(&[PYTHON, &cut].concat(), &in_environment).is_ok());
    // Defaults for all sections would fill in what the section lost.
    let found = problems(&["[DEFAULT]\nnamespace=*\n", PYTHON, &cut, "scopes=read\n"].concat(), &[]);
    let expected = "[DEFAULT] namespace has to be in each [client:NAME] section";
    assert!(found[0].starts_with(expected) && found[1..] == [namespace], "{found:#?}");
}

#[test]
fn an_api_key_belongs_to_one_client() {
    let digest = hash_api_key("a-shared-secret-of-some-length");
    let text = [PYTHON, &client_section("a", &digest)].concat();
    assert_eq!(
        problems(&text, &[]),
        ["[client:a] api_key_hash is that of SRVC_SHARED_SECRET, too: `cachefront hash-key` makes another key"]
    );
    let hash = hash_api_key("another-key");
    let text = [PYTHON, &client_section("b", &format!("{hash}, {hash}")), &client_section("a", &hash)].concat();
    let expected = "[client:b] api_key_hash is that of [client:a], too: `cachefront hash-key` makes another key";
    assert_eq!(problems(&text, &[]), [expected]);
}

#[test]
fn the_identity_matters_only_with_a_shared_secret() {
    let named = SHARDED.replace("client:billing", "client:cachefront");
    let settings = check(&named, &[]).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(settings.auth.clients[0].id, "cachefront");
    let found = problems(&named, &[("CACHEFRONT__SERVICE__SRVC_SHARED_SECRET", "a-shared-secret-of-some-length")]);
    assert!(found[0].starts_with("[service] IDENTITY: \"cachefront\" is also the name"), "{found:#?}");
}

#[test]
fn a_missing_key_file_is_a_warning_unless_every_value_needs_it() {
    for name in ["missing.key", "keys/missing", "/nonexistent/sealing.key"] {
        let text = PYTHON.replace("text_encryption.key", name);
        let settings = check(&text, &[]).unwrap_or_else(|problems| panic!("{problems}"));
        let expected = format!("[service] ENCRYPTION_KEY names a file that does not exist, \"{name}\"");
        assert!(settings.warnings.iter().any(|warning| warning.starts_with(&expected)), "{:?}", settings.warnings);
        for rule in ["always", "required"] {
            let found = problems(&format!("{text}ENCRYPT_VALUES={rule}\n"), &[]);
            assert!(found.len() == 1 && found[0].contains("entry 1 is neither a key nor"), "{found:#?}");
        }
    }
    // A key with a missing character is no name of a file, and the second of two keys is not missing by mistake.
    for text in [KEY[1..].to_owned(), "+/v7".repeat(10), format!("{KEY}, missing.key")] {
        let found = problems(&PYTHON.replace("text_encryption.key", &text), &[]);
        assert!(found.len() == 1 && found[0].contains("is neither a key nor"), "{found:#?}");
    }
}

#[test]
fn a_sealing_key_of_one_byte_is_a_placeholder() {
    for key in ["0".repeat(64), "//////////////////////////////////////////8=".to_owned()] {
        let found = problems(&PYTHON.replace("text_encryption.key", &format!("{KEY}, {key}")), &[]);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].starts_with("[service] ENCRYPTION_KEY: entry 2 is a placeholder"), "{found:#?}");
    }
}
