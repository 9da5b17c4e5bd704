//! A service that repeats what it understood of a request, for the lane and for hyper.

use crate::http::{
    body_memory::BodyPermit,
    head_fields::HeadFields,
    lane::{LaneBody, LaneHead, LaneReply, LaneService, LargeReply, ReplyFields},
};
use axum::{
    body::Body,
    extract::Request,
    http::{
        StatusCode,
        header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST},
    },
    response::Response,
};
use http_body_util::BodyExt;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tokio::task::yield_now;

/// The service of a connection.
#[derive(Default)]
pub struct StubLane {
    /// The number of requests for commands that were answered.
    pub answered: AtomicUsize,
}

/// No large reply is ever sent.
pub struct NoRecord;

impl LargeReply for NoRecord {
    fn advance(&self) {}
}

/// Returns the facts in the head of a request.
fn facts(fields: &impl HeadFields) -> String {
    let names = [AUTHORIZATION, CONTENT_TYPE, HOST, CONTENT_LENGTH, ACCEPT].map(|name| {
        let values: Vec<_> = fields.values(&name).map(<[u8]>::escape_ascii).map(|value| value.to_string()).collect();
        format!("{name}: {values:?}")
    });
    names.join(", ")
}

/// Returns the facts about a request.
fn echo(target: &str, facts: &str, body: &[u8]) -> Vec<u8> {
    format!("{target} {facts} {}\n", body.escape_ascii()).into_bytes()
}

/// Answers a request as hyper's services do.
pub async fn respond(request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = BodyExt::collect(body).await else {
        return Response::builder().status(StatusCode::BAD_REQUEST).body(Body::from("unreadable")).expect("a response");
    };
    let target = format!("{} {} {:?}", parts.method, parts.uri, parts.version);
    let mut response = Response::new(Body::from(echo(&target, &facts(&parts.headers), &body.to_bytes())));
    response.headers_mut().insert(CONTENT_TYPE, "text/plain".parse().expect("a value"));
    response
}

impl LaneService for StubLane {
    const REQUEST_LINES: &'static [&'static str] = &["POST /cache HTTP/1.1\r\n", "POST /login HTTP/1.1\r\n"];
    type Admission = String;

    fn admit(&self, head: &LaneHead<'_>) -> String {
        facts(head)
    }

    fn body_permit<'a>(&'a self, _: &'a String) -> Option<BodyPermit<'a>> {
        None
    }

    async fn answer<'a>(&'a self, admission: &'a mut String, body: LaneBody<'a>) -> LaneReply {
        if body.0.len() % 2 == 1 {
            // As if Redis was asked.
            yield_now().await;
        }
        let text = echo("POST /cache HTTP/1.1", admission, body.0);
        let mut fields = ReplyFields::new(StatusCode::OK, text.len());
        fields.field("content-type", b"text/plain");
        self.answered.fetch_add(1, Relaxed);
        LaneReply::new(fields, text, None, false)
    }

    async fn call(&self, request: Request) -> Response {
        respond(request).await
    }

    fn is_authenticated(&self) -> bool {
        true
    }

    fn begin_large_reply(&self) -> impl LargeReply + Send + 'static {
        NoRecord
    }

    fn is_draining(&self) -> bool {
        false
    }
}
