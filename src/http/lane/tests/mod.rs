//! The lane in front of hyper answers every stream of bytes as hyper alone does.

mod corpus;
mod generator;
mod stub;

use super::{LaneEnd, RewoundStream, Turns, run};
use crate::http::head::HEAD_BYTES_MAX;
use axum::response::Response;
use generator::Generator;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{convert::Infallible, future::pending, sync::atomic::Ordering::Relaxed, time::Duration};
use stub::{StubLane, respond};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    task::yield_now,
    time::timeout,
};

/// Streams that are compared where `CASES` does not say otherwise.
const CASES: u64 = 3000;
/// Time without another byte after which a connection is taken to have said everything. The clock is paused.
const QUIET: Duration = Duration::from_secs(60);

/// Lets a connection move after each third turn.
struct SomeMove(u32);

impl Turns for SomeMove {
    fn record(&mut self, _answered: u32) {
        self.0 += 1;
    }

    fn moves(&mut self) -> bool {
        self.0.is_multiple_of(3)
    }
}

/// Serves a connection, with a lane or without.
async fn serve(mut stream: DuplexStream, has_lane: bool) {
    let mut read_before = Vec::new();
    if has_lane {
        let (service, mut turns) = (StubLane::default(), SomeMove(0));
        read_before = loop {
            match run(&mut stream, &service, pending(), &mut turns).await {
                LaneEnd::Closed => return,
                LaneEnd::HandedOver { bytes, .. } => break bytes,
                LaneEnd::Moves => {}
            }
        };
    }
    let service = service_fn(answer);
    let stream = TokioIo::new(RewoundStream::new(stream, read_before));
    let _ended = http1::Builder::new().max_buf_size(HEAD_BYTES_MAX).serve_connection(stream, service).await;
}

async fn answer(request: Request<Incoming>) -> Result<Response, Infallible> {
    Ok(respond(request.map(axum::body::Body::new)).await)
}

/// Sends these pieces, and returns everything that comes back until the connection ends or is quiet.
async fn exchange(pieces: &[&[u8]], has_lane: bool) -> Received {
    let (mut client, server) = duplex(1 << 20);
    let serving = tokio::spawn(serve(server, has_lane));
    for piece in pieces {
        if client.write_all(piece).await.is_err() {
            break;
        }
        yield_now().await;
    }
    let (mut received, mut bytes) = (Vec::new(), [0; 4096]);
    let mut is_closed = false;
    while let Ok(read) = timeout(QUIET, client.read(&mut bytes)).await {
        let Ok(length @ 1..) = read else {
            is_closed = true;
            break;
        };
        received.extend_from_slice(&bytes[..length]);
    }
    serving.abort();
    Received { text: without_dates(&received), is_closed }
}

#[derive(PartialEq, Eq)]
struct Received {
    text: String,
    is_closed: bool,
}

impl Received {
    /// Returns the responses without hyper's own refusal at the end. hyper closes without one if it has read the whole preface
    /// of HTTP/2 by then.
    fn replies(&self) -> &str {
        let refusal = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\ndate: …\r\n\r\n";
        self.text.strip_suffix(refusal).unwrap_or(&self.text)
    }
}

/// Returns responses as text, without the values of their field `Date`.
fn without_dates(received: &[u8]) -> String {
    let text = String::from_utf8_lossy(received);
    let lines = text.split_inclusive('\n').map(|line| if line.starts_with("date: ") { "date: …\r\n" } else { line });
    lines.collect()
}

async fn assert_same(pieces: &[&[u8]]) -> usize {
    let with = exchange(pieces, true).await;
    let mut without = exchange(pieces, false).await;
    if with != without {
        // hyper reads a malformed head sooner or later, as its pieces come.
        without = exchange(&[&pieces.concat()], false).await;
    }
    assert!(
        with == without || with.is_closed && without.is_closed && with.replies() == without.replies(),
        "{:?}\nwith a lane (closed: {}):\n{}\nwithout (closed: {}):\n{}",
        pieces.iter().map(|piece| String::from_utf8_lossy(piece)).collect::<Vec<_>>(),
        with.is_closed,
        with.text,
        without.is_closed,
        without.text
    );
    with.text.matches("HTTP/1.1 200").count()
}

#[tokio::test(start_paused = true)]
async fn known_tricks_are_answered_as_hyper_alone_does() {
    let mut answered = 0;
    for request in corpus::requests() {
        answered += assert_same(&[request.as_bytes()]).await;
        let middle = request.len() / 2;
        let (one, other) = request.as_bytes().split_at(middle);
        assert_same(&[one, other]).await;
        let twice = request.repeat(2);
        assert_same(&[twice.as_bytes()]).await;
        let followed = format!("{request}{}", corpus::PLAIN);
        assert_same(&[followed.as_bytes()]).await;
        let preceded = format!("{}{request}", corpus::PLAIN);
        answered += assert_same(&[preceded.as_bytes()]).await;
    }
    assert!(answered > corpus::requests().len(), "most of them are refused: {answered}");
}

/// A request that waits goes on while the client does not take the replies before it: nothing else could end it.
#[tokio::test(start_paused = true)]
async fn a_client_that_takes_no_reply_does_not_stop_the_next_request() {
    let (_client, writer) = duplex(16);
    let (_silent, rest) = duplex(1);
    let waiting = corpus::PLAIN.replace("Content-Length: 4", "Content-Length: 5").replace("body", "body5");
    let requests = format!("{}{waiting}", corpus::PLAIN);
    let mut stream = tokio::io::join(requests.as_bytes().chain(rest), writer);
    let service = StubLane::default();
    let ended = timeout(QUIET, run(&mut stream, &service, pending(), &mut ())).await;
    assert!(ended.is_err(), "the client takes nothing, so that the connection goes on");
    assert_eq!(service.answered.load(Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn any_bytes_are_answered_as_hyper_alone_does() {
    let variable = |name: &str| std::env::var(name).ok()?.parse().ok();
    let (cases, first) = (variable("CASES").unwrap_or(CASES), variable("FIRST_CASE").unwrap_or(0));
    let mut answered = 0;
    for case in first..first + cases {
        let mut generator = Generator::new(case);
        let stream = generator.stream();
        let pieces = generator.pieces(&stream);
        answered += assert_same(&pieces).await;
    }
    assert!(answered as u64 > cases / 4, "few of them mean anything: {answered}");
}
