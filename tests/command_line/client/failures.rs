//! Commands that the service refuses, or that do not get there.

use crate::{cachefront, result, running::Running};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

/// Arguments, environment, exit status, and a part of the sentence on standard error.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], i32, &'a str);

#[test]
fn a_client_command_that_fails_says_why_in_one_sentence() {
    let running = Running::start("");
    let secret = "wrong-wrong-wrong-wrong";
    let file = running.setup.file("key");
    std::fs::write(&file, format!("{secret}\n")).expect("it is written");
    let (url, file) = (running.url(), file.display().to_string());
    let plain = url.replace("https", "http");
    let cases: [Case<'_>; 13] = [
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

/// Reads a request of a client command; returns its first line.
fn read_request(reader: &mut BufReader<TcpStream>) -> String {
    let (mut head, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a line");
        if let Some(("content-length", value)) = line.to_lowercase().split_once(": ") {
            length = value.trim().parse().expect("a number");
        }
        if line == "\r\n" {
            break;
        }
        head.push(line);
    }
    reader.read_exact(&mut vec![0; length]).expect("a body");
    head.remove(0)
}

#[test]
fn a_client_command_whose_answer_is_lost_says_that_it_can_have_taken_effect() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let service = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        let mut reader = BufReader::new(stream);
        let login = read_request(&mut reader);
        let token = r#"{"access_token":"t","expires_in":900}"#;
        write!(reader.get_mut(), "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{token}", token.len())
            .expect("it is sent");
        (login, read_request(&mut reader))
    });
    let caches = tempfile::tempdir().expect("a temporary folder");
    let mut command = cachefront(&["write", "k", "v", "--url", &url]);
    command.env("CACHEFRONT_API_KEY", "k").env("XDG_CACHE_HOME", caches.path());
    let (status, out, err) = result(&command.output().expect("it runs"));
    let expected =
        "cachefront: connection lost; if the command changes something, it can have taken effect\n".to_owned();
    assert_eq!((status, out.as_str(), err), (69, "", expected));
    let (login, write) = service.join().expect("it ends");
    assert_eq!((login.as_str(), write.as_str()), ("POST /login HTTP/1.1\r\n", "POST /cache HTTP/1.1\r\n"));
}
