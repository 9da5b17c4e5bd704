//! Commands that the service refuses, or that do not get there.

use crate::{result, running::Running};

#[test]
fn a_client_command_that_fails_says_why_in_one_sentence() {
    let running = Running::start("");
    let secret = "wrong-wrong-wrong-wrong";
    let file = running.setup.file("key");
    std::fs::write(&file, format!("{secret}\n")).expect("it is written");
    let (url, file) = (running.url(), file.display().to_string());
    let plain = url.replace("https", "http");
    let cases: [(&[&str], &[(&str, &str)], i32, &str); 13] = [
        (&["read", "k"], &[("CACHEFRONT_API_KEY", secret)], 2, "/login answered 401 invalid_api_key: "),
        (&["read", "k", "--api-key-file", &file], &[], 2, "/login answered 401 invalid_api_key: "),
        (
            &["read", "k"],
            &[("CACHEFRONT_API_KEY", ""), ("CACHEFRONT_API_KEY_FILE", &file)],
            2,
            "/login answered 401 invalid_api_key: ",
        ),
        (&["read", "k"], &[("CACHEFRONT_API_KEY", "")], 64, "there is no API key: set CACHEFRONT_API_KEY, or name"),
        (&["read", "k", "--api-key-file", secret], &[], 64, "--api-key-file names no file that can be read: No such"),
        (
            &["read", "k"],
            &[("CACHEFRONT_URL", "https://localhost:1")],
            69,
            "cannot connect to https://localhost:1: Con",
        ),
        (&["read", "k"], &[("CACHEFRONT_CA", "")], 69, "is not trusted (UnknownIssuer); name the certificate"),
        (&["read", "k"], &[("CACHEFRONT_CA", "/nonexistent.pem")], 64, "/nonexistent.pem: "),
        (&["read", "k", "--url", "http://example.com"], &[], 64, "a token must not be sent in clear"),
        (&["read", "k", "--url", &plain], &[], 2, "400 https_required"),
        (&["write", "k", "v", "--encrypt"], &[], 2, "(400 encryption_not_configured)"),
        (&["read", ""], &[], 2, "(400 invalid_key)"),
        (&["write", "k", "{", "--json"], &[], 64, "the value is no JSON: EOF while parsing an object"),
    ];
    for (arguments, environment, expected, says) in cases {
        let mut command = running.client(arguments);
        let (status, out, err) = result(&command.envs(environment.iter().copied()).output().expect("it runs"));
        assert_eq!((status, out.as_str(), err.lines().count()), (expected, "", 1), "{arguments:?}: {err}");
        assert!(err.contains(says) && !err.contains(secret), "{arguments:?} {environment:?}: {err}");
    }
    let (status, _, err) = running.ask(&["read", "k", "--api-key", secret]);
    assert_eq!(status, 64, "an API key is no argument, which everybody on the machine could see: {err}");
}
