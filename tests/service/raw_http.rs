//! HTTP byte by byte: plain HTTP on the HTTPS port, old versions, and heads that contradict themselves.

use crate::harness::{API_KEY, MetricsPage, Raw, RawResponse, Service, shared};

#[tokio::test]
async fn plain_http_on_the_https_port_is_told_to_use_https() {
    let service = shared();
    let login = format!("{{\"api_key\":\"{API_KEY}\"}}");
    for request in [
        "GET /version HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n".to_owned(),
        "GET / HTTP/1.0\r\n\r\n".to_owned(),
        format!("POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{login}", login.len()),
    ] {
        let mut connection = Raw::plain(service.address).await;
        let response = connection.send(&request).await;
        response.expect_error(400, "https_required");
        assert!(response.body.contains("use https://"), "{response:?}");
        assert!(!response.head.contains("keep-alive"), "{response:?}");
        connection.closed().await;
    }
    assert_eq!(service.caller().await.read("raw:k").await, None, "others are served");
    let counted = MetricsPage::of(service).await.sum("cachefront_errors_total", "code=\"https_required\"");
    assert!(counted >= 4.0, "{counted} are counted");
}

#[tokio::test]
async fn a_plain_request_in_small_pieces_is_told_to_use_https() {
    let mut connection = Raw::plain(shared().address).await;
    for piece in ["G", "ET / HT", "TP/1.1\r\nHost: x\r\n"] {
        tokio::io::AsyncWriteExt::write_all(&mut connection.0, piece.as_bytes()).await.expect("it is sent");
        tokio::task::yield_now().await;
    }
    connection.send("\r\n").await.expect_error(400, "https_required");
}

#[tokio::test]
async fn bytes_of_neither_tls_nor_http_get_no_response() {
    let mut connection = Raw::plain(shared().address).await;
    let mut bytes = Vec::new();
    tokio::io::AsyncWriteExt::write_all(&mut connection.0, b"SSH-2.0-OpenSSH_9.6\r\n").await.expect("it is sent");
    let _read = tokio::io::AsyncReadExt::read_to_end(&mut connection.0, &mut bytes).await;
    assert!(!bytes.starts_with(b"HTTP"), "{bytes:?}");
}

#[tokio::test]
async fn a_client_of_http_1_0_is_served() {
    let mut connection = Raw::tls(shared().address, b"http/1.0").await;
    assert_eq!(connection.0.get_ref().1.alpn_protocol(), Some(&b"http/1.0"[..]));
    let response = connection.send("GET /version HTTP/1.0\r\n\r\n").await;
    assert_eq!(response.status(), 200, "{response:?}");
    connection.closed().await;
}

/// Sends a request to `/cache` with these lines in its head and this body.
async fn post(service: &Service, lines: &str, body: &str) -> RawResponse {
    let mut connection = Raw::tls(service.address, b"http/1.1").await;
    connection.send(format!("POST /cache HTTP/1.1\r\n{lines}\r\n{body}")).await
}

#[tokio::test]
async fn a_head_that_contradicts_itself_is_400() {
    let service = shared();
    let token = service.caller().await.token;
    let authorization = format!("Authorization: Bearer {token}\r\n");
    let chunked = "c\r\n{\"command\":1\r\n1\r\n}\r\n0\r\n\r\n";
    for (lines, named) in [
        (authorization.clone(), "`Host`"),
        (format!("Host: a\r\nHost: a\r\n{authorization}"), "`Host`"),
        (format!("Host: a\r\n{authorization}{authorization}"), "`Authorization`"),
        (format!("Host: a\r\n{authorization}Authorization: Basic eDp5\r\n"), "`Authorization`"),
        (format!("Host: a\r\n{authorization}Transfer-Encoding: gzip, chunked\r\n"), "`Transfer-Encoding`"),
        (
            format!("Host: a\r\n{authorization}Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"),
            "`Transfer-Encoding`",
        ),
    ] {
        let response = post(service, &lines, if lines.contains("chunked") { chunked } else { "" }).await;
        response.expect_error(400, "invalid_header");
        assert!(response.body.contains(named), "{lines} gave {response:?}");
    }
    let response = post(service, &format!("Host: a\r\n{authorization}Transfer-Encoding: Chunked\r\n"), chunked).await;
    response.expect_error(400, "invalid_field");
}

#[tokio::test]
async fn a_doubled_authorization_is_400_in_http_2_and_on_every_path() {
    let service = shared();
    let mut client = crate::harness::Http2::connect(service.address).await;
    let twice = [("authorization", "Bearer a".to_owned()), ("authorization", "Bearer b".to_owned())];
    for path in ["/cache", "/login", "/nowhere"] {
        let (status, text) = client.send(path, &twice, "{}").await;
        assert!(status == 400 && text.contains("invalid_header"), "{path}: {status}: {text}");
    }
}

#[tokio::test]
async fn a_request_that_is_no_http_is_answered_without_body_and_id() {
    let (long, many) = ("x".repeat(20_000), "x: y\r\n".repeat(101));
    for (request, status) in [
        ("GET\r\n\r\n".to_owned(), 400),
        ("G@T /version HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 400),
        ("GET /version HTTP/3.7\r\nHost: a\r\n\r\n".to_owned(), 400),
        ("GET /version HTTP/1.1\r\nHost: a\r\nno field\r\n\r\n".to_owned(), 400),
        ("GET /version HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n".to_owned(), 400),
        (format!("GET /version HTTP/1.1\r\nHost: a\r\nx: {long}\r\n\r\n"), 431),
        (format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"), 431),
        (format!("GET /version HTTP/1.1\r\nHost: a\r\n{many}\r\n"), 431),
    ] {
        let mut connection = Raw::tls(shared().address, b"http/1.1").await;
        let response = connection.send(&request).await;
        assert_eq!((response.status(), response.body.as_str()), (status, ""), "{request:.80}: {response:?}");
        assert!(!response.head.contains("x-request-id") && response.has("connection: close"), "{response:?}");
    }
}
