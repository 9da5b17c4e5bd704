//! What every request passes first: it gets an id, a defect in its handler is caught, and a command takes the short
//! way past the router, whose layers would cost it as much as its own work.

use super::{app::App, cache, console, layers::RequestId, metrics, problem};
use crate::telemetry::{
    metrics::{Kind, Outcome},
    traces::{self, RemoteContext},
};
use axum::{
    Extension, Router,
    body::{Body, HttpBody},
    extract::State,
    http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Version, header::CONNECTION},
    response::Response,
};
use bytes::Bytes;
use futures_util::FutureExt;
use std::{
    convert::Infallible,
    error::Error,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tower::{Service, ServiceExt};
use tracing::{Instrument, Span};

/// A router and what is around it.
#[derive(Clone)]
pub struct HttpService {
    router: Router,
    app: Arc<App>,
    /// This port takes commands.
    commands: bool,
}

type ResponseFuture = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

impl HttpService {
    pub fn new(router: Router, app: Arc<App>, commands: bool) -> Self {
        Self { router, app, commands }
    }
}

impl<B> Service<Request<B>> for HttpService
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        let id = RequestId::of(request.headers());
        let is_last = request.version() < Version::HTTP_2 && self.commands && self.app.is_draining();
        let mut request = request.map(Body::new);
        let app = Arc::clone(&self.app);
        // It measures itself, for it knows the command.
        if self.commands && request.uri().path() == cache::PATH && request.method() == Method::POST {
            let span = span(&app, "POST /cache", &id, request.headers());
            let answer = finish(id.clone(), is_last, cache::cache(State(app), Extension(id), request));
            return Box::pin(answer.instrument(span));
        }
        let kind = kind(request.uri().path());
        let span = match kind {
            Kind::Login => span(&app, "POST /login", &id, request.headers()),
            // Probes and pages would be most of the traces, and tell nothing.
            _ => Span::none(),
        };
        request.extensions_mut().insert(id.clone());
        let answer = self.router.clone().oneshot(request).map(|answer| answer.unwrap_or_else(|never| match never {}));
        let measured = async move {
            let mut measured = app.metrics.requests.start(kind);
            let answer = finish(id, is_last, answer).await;
            if let Ok(response) = &answer {
                measured.outcome = outcome(kind, response.status());
            }
            answer
        };
        Box::pin(measured.instrument(span))
    }
}

/// The span of a request, where it is traced.
fn span(app: &App, name: &str, id: &RequestId, headers: &HeaderMap) -> Span {
    if !app.traces.are_on() {
        return Span::none();
    }
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let caller = RemoteContext { traceparent: header("traceparent"), tracestate: header("tracestate") };
    app.traces.request(name, id.as_str(), &caller)
}

/// What is asked for.
fn kind(path: &str) -> Kind {
    match path {
        cache::PATH => Kind::Unread,
        "/login" => Kind::Login,
        "/version" => Kind::Version,
        "/healthz" => Kind::Healthz,
        "/readyz" => Kind::Readyz,
        "/openapi.json" => Kind::Docs,
        metrics::PATH => Kind::Metrics,
        path if console::is_path(path) => Kind::Console,
        path if path.starts_with("/docs") => Kind::Docs,
        _ => Kind::Other,
    }
}

/// What an answer without commands comes to.
fn outcome(kind: Kind, status: StatusCode) -> Outcome {
    match status {
        StatusCode::UNAUTHORIZED => Outcome::Unauthorized,
        StatusCode::SERVICE_UNAVAILABLE if kind == Kind::Login => Outcome::Overloaded,
        StatusCode::SERVICE_UNAVAILABLE => Outcome::Unavailable,
        status if status.is_client_error() => Outcome::ClientError,
        status if status.is_server_error() => Outcome::InternalError,
        _ => Outcome::Success,
    }
}

/// The answer, with the id. A defect must not cost the caller an answer, nor others on the same HTTP/2 connection theirs.
///
/// The `last` answer on an HTTP/1 connection says so: who is told sends the next request elsewhere, while a connection
/// that is closed between two answers may meet a request that is on its way. HTTP/2 has a word of its own for it.
async fn finish(id: RequestId, last: bool, answer: impl Future<Output = Response>) -> Result<Response, Infallible> {
    let mut response = AssertUnwindSafe(answer).catch_unwind().await.unwrap_or_else(problem::from_panic);
    traces::current().record("http.response.status_code", response.status().as_u16());
    id.write(response.headers_mut());
    if last {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderMap;

    #[tokio::test]
    async fn a_defect_costs_no_caller_an_answer_nor_its_id() {
        let id = RequestId::of(&HeaderMap::new());
        let text = id.as_str().to_owned();
        let Ok(answer) = finish(id, false, async { panic!("a defect for the test") }).await;
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(answer.headers()["x-request-id"], text);
    }
}
