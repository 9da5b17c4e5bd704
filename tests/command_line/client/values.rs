//! Values that are written, read, deleted and sent.

use super::{failed, printed};
use crate::{result, running::Running};
use std::process::{Command, Stdio};

#[test]
fn client_commands_print_values_and_say_what_is_missing() {
    let running = Running::start("");
    let reply = "{\"command\":\"READ\",\"status\":\"SUCCESS\",\"value\":\"hello\"}\n";
    for (arguments, expected) in [
        (&["read", "greeting"][..], failed(1, "greeting not found")),
        (&["delete", "greeting"], failed(1, "greeting not found")),
        (&["write", "greeting", "hello", "--expire", "3600"], printed("")),
        (&["read", "greeting"], printed("hello\n")),
        (&["read", "greeting", "--output", "json"], printed(reply)),
        (&["send", r#"{"command":"READ","key":"greeting"}"#], printed(reply)),
        (&["delete", "greeting"], printed("")),
        (&["write", "--", "delta", "-5"], printed("")),
        (&["read", "delta"], printed("-5\n")),
        (&["write", "user", r#"{"a":1.0,"b":[1e2,"ä"]}"#, "--json"], printed("")),
        (&["read", "user"], printed("{\"a\":1.0,\"b\":[1e2,\"ä\"]}\n")),
        (&["write", "nothing", "null", "--json", "--expire", "0"], printed("")),
        (&["read", "nothing"], printed("null\n")),
        (&["write", "text", r#""no JSON""#], printed("")),
        (&["read", "text"], printed("\"no JSON\"\n")),
    ] {
        assert_eq!(running.ask(arguments), expected, "{arguments:?}");
    }
    let left = |key: &str| running.redis.master(0).ask(&format!("TTL {key}")).expect("an answer");
    assert_eq!(left("nothing"), ":-1");
    assert_eq!(running.ask(&["write", "greeting", "hello", "--expire", "3600"]), printed(""));
    let secs: u64 = left("greeting").trim_start_matches(':').parse().expect("a number");
    assert!((3590..=3600).contains(&secs), "{secs}");
}

#[test]
fn client_commands_count_and_prolong_what_exists() {
    let running = Running::start("");
    for (arguments, expected) in [
        (&["increment", "n"][..], printed("1\n")),
        (&["increment", "n", "--by", "-9007199254740993"], printed("-9007199254740992\n")),
        (&["increment", "stock", "--by", "5", "--max", "7", "--min", "0", "--expire", "0"], printed("5\n")),
        (
            &["increment", "stock", "--by", "3", "--max", "7"],
            failed(1, "stock stays 5: the result would pass the minimum or the maximum"),
        ),
        (&["ttl", "stock"], printed("never\n")),
        (&["touch", "stock", "--expire", "3600"], printed("")),
        (&["touch", "none", "--expire", "60"], failed(1, "none not found")),
        (&["ttl", "none"], failed(1, "none not found")),
        (&["exists", "none"], failed(1, "none not found")),
        (&["exists", "stock"], printed("")),
        (&["write", "stock", "0", "--if-absent"], failed(1, "stock exists already")),
        (&["write", "lock", "me", "--if-absent"], printed("")),
        (&["read", "stock"], printed("5\n")),
    ] {
        assert_eq!(running.ask(arguments), expected, "{arguments:?}");
    }
    let (status, secs, _) = running.ask(&["ttl", "stock"]);
    let secs: u64 = secs.trim().parse().expect("a number");
    assert!(status == 0 && (3590..=3600).contains(&secs), "{secs}");
    let (status, _, err) = running.ask(&["increment", "lock"]);
    assert_eq!((status, err.lines().count()), (2, 1), "{err}");
}

#[test]
fn a_value_of_standard_input_comes_back_as_it_was() {
    let running = Running::start("");
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    for (value, read) in [
        (&bytes[..], &bytes[..]),
        (b"two\nlines\n", b"two\nlines\n"),
        (b"no line feed", b"no line feed\n"),
        (b"", b"\n"),
    ] {
        assert_eq!(result(&running.feed(&["write", "k", "-"], value)), printed(""));
        let output = running.client(&["read", "k"]).output().expect("it runs");
        assert_eq!((output.status.code(), output.stdout == read), (Some(0), true), "{:?}", output.stderr);
    }
    assert_eq!(result(&running.feed(&["write", "k", "-", "--json"], b" [1, 2]\n")), printed(""));
    assert_eq!(running.ask(&["read", "k"]), printed("[1, 2]\n"));
}

#[test]
fn bytes_are_not_written_to_a_terminal() {
    let running = Running::start("");
    assert_eq!(result(&running.feed(&["write", "k", "-"], b"\xff\x1b[2J")), printed(""));
    assert_eq!(result(&running.feed(&["write", "text", "-"], b"one\x1b[2J")), printed(""));
    let spawn = "import os,pty,sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    let on_terminal = |key: &str| {
        let client = running.client(&["read", key]);
        let mut terminal = Command::new("python3");
        terminal.args(["-c", spawn]).arg(client.get_program()).args(client.get_args()).stdin(Stdio::null());
        terminal.envs(client.get_envs().filter_map(|(name, value)| Some((name, value?))));
        result(&terminal.output().expect("python3 runs"))
    };
    let (status, out, _) = on_terminal("k");
    assert_eq!(status, 64, "{out}");
    assert!(out.contains("the value has 5 bytes that are not text") && !out.contains('\x1b'), "{out}");
    let (status, out, _) = on_terminal("text");
    assert_eq!((status, out.as_str()), (0, "one\\u{1b}[2J\r\n"));
}

#[test]
fn send_prints_the_reply_and_exits_with_the_worst_status() {
    let running = Running::start("");
    let write = r#"{"command":"WRITE","key":"k","value":1}"#;
    let missing = r#"{"command":"READ","key":"missing"}"#;
    let wrong = r#"{"command":"READ","key":""}"#;
    let says = |status: i32, sentence: &str, (actual, out, err): (i32, String, String)| {
        assert_eq!((actual, err), (status, format!("cachefront: {sentence}\n")), "{out}");
        assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok(), "{out}");
    };
    says(1, "missing Key not found", running.ask(&["send", missing]));
    let batch = format!("[{write},{missing}]");
    says(1, "1 of 2 commands did not succeed", result(&running.feed(&["send", "-"], batch.as_bytes())));
    says(2, "2 of 3 commands did not succeed", running.ask(&["send", &format!("[{wrong},{write},{missing}]")]));
    assert_eq!(running.ask(&["send", &format!("[{write}]")]).0, 0);
}

#[test]
fn a_reader_that_closes_the_pipe_early_is_no_failure() {
    let running = Running::start("");
    let lines = "a line\n".repeat(100_000);
    assert_eq!(result(&running.feed(&["write", "k", "-"], lines.as_bytes())), printed(""));
    let mut child =
        running.client(&["read", "k"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    drop(child.stdout.take());
    let (status, _, err) = result(&child.wait_with_output().expect("it ends"));
    assert_eq!((status, err.as_str()), (0, ""));
}
