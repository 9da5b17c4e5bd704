//! Tests of secrets: no message repeats one, and placeholders are refused.

use super::{KEY, PYTHON, SHARDED, check, problems};
use crate::settings::hash_api_key;
use secrecy::ExposeSecret;
use std::fs;

/// A text that no message may repeat.
const SECRET: &str = "hunter2hunter2hunter2";

/// Expects one problem that begins with `expected` and does not have the secret.
fn expect_silent(text: &str, environment: &[(&str, &str)], expected: &str) {
    let found = problems(text, environment);
    assert!(found.len() == 1 && found[0].starts_with(expected), "{found:#?}");
    assert!(!found[0].contains("hunter2"), "{found:#?}");
}

#[test]
fn a_file_variable_that_holds_the_secret_itself_does_not_print_it() {
    for value in [SECRET.to_owned(), format!("/{SECRET}/{SECRET}"), format!("{SECRET}\n"), SECRET.repeat(200)] {
        let environment = [("CACHEFRONT__REDIS__PASSWORD_FILE", value.as_str())];
        expect_silent(PYTHON, &environment, "CACHEFRONT__REDIS__PASSWORD_FILE names no file that can be read");
    }
    let found = check(PYTHON, &[("CACHEFRONT__REDIS__PASSWORD_FILE", SECRET)]).expect_err("there is no such file");
    assert!(found.to_string().contains("CACHEFRONT__REDIS__PASSWORD takes the secret itself"), "{found}");
    assert!(!format!("{found:?}").contains("hunter2"), "{found:?}");
    let mistyped = PYTHON.replace("text_encryption.key", SECRET);
    assert!(!format!("{:?}", check(&mistyped, &[]).expect_err("no key")).contains("hunter2"));
}

#[test]
fn a_password_in_a_url_is_not_printed() {
    let telemetry = |endpoint: &str| format!("{PYTHON}[telemetry]\notlp_endpoint={endpoint}\n");
    for endpoint in [
        format!("http://user:{SECRET}@collector:4317"),
        format!("user:{SECRET}@collector:4317"),
        format!("https://{SECRET}@collector"),
        format!("https://user:{SECRET} with spaces@collector"),
        format!("https://user:{SECRET}\"with@quotes{SECRET}@collector"),
    ] {
        expect_silent(&telemetry(&endpoint), &[], "[telemetry] otlp_endpoint: \"");
    }
    let redis = |option: &str, value: &str| PYTHON.replace("port=6379\n", &format!("port=6379\n{option}={value}\n"));
    for value in [format!("redis://:{SECRET}@10.0.0.2"), format!("redis://:{SECRET}@10.0.0.2:6379/0")] {
        expect_silent(&redis("replicas", &value), &[], "[redis] replicas: ");
        expect_silent(&PYTHON.replace("127.0.0.1", &value), &[], "[redis] host: ");
        let variable = [("CACHEFRONT__REDIS__REPLICAS", value.as_str())];
        expect_silent(PYTHON, &variable, "CACHEFRONT__REDIS__REPLICAS: ");
    }
    // A comma in a password ends the first item of a list.
    let found = problems(&redis("replicas", &format!("redis://:{SECRET},{SECRET}@10.0.0.2")), &[]);
    assert!(!found.concat().contains("hunter2"), "{found:#?}");
}

#[test]
fn a_line_of_a_key_that_was_pasted_into_the_settings_is_not_printed() {
    for line in
        ["oUQDQgAEhunter2Xq==", "HUNTER2HUNTER2HUNTER2HUNTER2HUNTER2HUNTER2=", "hunter2/hunter2=", "hunter20031=x"]
    {
        expect_silent(&format!("{PYTHON}{line}\n"), &[], "[service] has a line whose option is unknown");
        expect_silent(&format!("[DEFAULT]\n{line}\n{PYTHON}"), &[], "[DEFAULT]: no section has this option");
    }
}

#[test]
fn a_text_without_a_password_is_still_shown() {
    let found = problems(&format!("{PYTHON}[telemetry]\notlp_endpoint=http://collector\n"), &[]);
    assert!(found[0].contains("\"http://collector\" is not an endpoint"), "{found:#?}");
    let found = problems(&format!("{PYTHON}[telemetry]\notlp_endpoint=http://user:pass@collector:1\n"), &[]);
    assert!(found[0].contains("\"http://…@collector:1\" is not an endpoint"), "{found:#?}");
}

#[test]
fn a_placeholder_in_place_of_a_password_is_refused() {
    for placeholder in ["change-me", "CHANGEME", "<password>", "your-password", "xxxx", "password"] {
        let text = PYTHON.replace("password=", &format!("password={placeholder}"));
        expect_silent(&text, &[], "[redis] password is a placeholder");
        let sentinels = format!(
            "[service]\nJWT_SECRET_KEY=jFh8s0d8fh2lq9kdjKJH7gYt5Rr4uuuu\nSRVC_SHARED_SECRET=dkfj3094jfdlkj2340fj\n\
             [redis]\nsentinels=h:1\nsentinel_password={placeholder}\n[shard:a]\nsentinel_master=m\n"
        );
        expect_silent(&sentinels, &[], "[redis] sentinel_password is a placeholder");
    }
    assert!(check(&PYTHON.replace("password=", "password=a-password-of-ours"), &[]).is_ok());
}

#[test]
fn the_hash_of_no_key_and_of_a_placeholder_is_refused() {
    const SHOWN: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    for key in
        ["", "\n", "change-me", "CHANGE_ME", "changeme\n", "secret", "your_api_key", "xxxxxxxxxxxxxxxx", "<api_key>"]
    {
        let text = SHARDED.replace(SHOWN, &hash_api_key(key));
        expect_silent(&text, &[], "[client:billing] api_key_hash is the hash of an empty text or a placeholder");
    }
    let zeros = SHARDED.replace(SHOWN, &format!("sha256:{}", "00".repeat(32)));
    expect_silent(&zeros, &[], "[client:billing] api_key_hash is the hash of an empty text or a placeholder");
}

#[test]
fn a_byte_order_mark_in_a_file_of_a_secret_is_no_part_of_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (password, key) = (folder.path().join("password"), folder.path().join("sealing.key"));
    fs::write(&password, "\u{feff}from a file\r\n").expect("it is written");
    fs::write(&key, format!("\u{feff}{KEY}\r\n")).expect("it is written");
    let environment = [
        ("CACHEFRONT__REDIS__PASSWORD_FILE", password.to_str().expect("a path")),
        ("CACHEFRONT__SERVICE__ENCRYPTION_KEY", key.to_str().expect("a path")),
    ];
    let settings = check(PYTHON, &environment).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(settings.redis_login.password.as_ref().map(ExposeSecret::expose_secret), Some("from a file"));
    assert_eq!(settings.sealing.keys.len(), 1);
}
