//! Shell completions and manual pages.

use crate::{cachefront, run};
use std::process::Stdio;

#[test]
fn completions_cover_the_commands_and_options() {
    for shell in ["bash", "zsh", "fish"] {
        let (status, out, err) = run(&["completions", shell]);
        assert_eq!((status, err.as_str()), (0, ""), "{shell}");
        for word in ["bench", "check-config", "increment", "if-absent", "sample", "accept-any-certificate"] {
            assert!(out.contains(word), "{shell} does not complete {word}");
        }
        // An alias of an option is not completed.
        assert!(!out.contains("--insecure"), "{shell}");
    }
    assert_eq!(run(&["completions", "csh"]).0, 64);
}

#[test]
fn every_command_has_a_manual_page() {
    let (status, out, _) = run(&["man"]);
    assert_eq!(status, 0);
    assert!(out.contains(".TH cachefront 1") && out.contains("cachefront\\-bench(1)"), "{out}");
    let (_, out, _) = run(&["man", "keys", "ttl"]);
    assert!(out.contains(".TH cachefront-keys-ttl 1") && out.contains("\\-\\-client"), "{out}");
    let (status, _, err) = run(&["man", "nonsense"]);
    assert_eq!((status, err.as_str()), (64, "cachefront: there is no command \"nonsense\"\n"));

    let folder = tempfile::tempdir().expect("a temporary folder");
    let (status, out, err) = run(&["man", "--into", &folder.path().display().to_string()]);
    assert_eq!((status, out.as_str(), err.as_str()), (0, "", ""));
    for page in
        ["cachefront.1", "cachefront-bench.1", "cachefront-read.1", "cachefront-keys-sample.1", "cachefront-serve.1"]
    {
        let text = std::fs::read_to_string(folder.path().join(page)).expect(page);
        assert!(text.contains(".SH SYNOPSIS"), "{page}");
    }
}

#[test]
fn a_closed_output_pipe_is_no_error() {
    let mut command = cachefront(&["completions", "bash"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    drop(child.stdout.take());
    let (status, _, err) = crate::result(&child.wait_with_output().expect("it ends"));
    assert_eq!((status, err.as_str()), (0, ""));
}
