//! The service around every request of a port: it gives the request an id, catches panics, and measures and traces.
//!
//! It knows no endpoint. A [`Port`] says which endpoint a path belongs to, and may name one route that is called
//! without the router, whose layers would cost a command as much as its own work.

use super::{
    allowed_hosts::AllowedHosts,
    connection::ClientConnection,
    error_code::ErrorCode,
    fallback, head,
    head_fields::HeadFields,
    header_values::{NO_SNIFFING, NO_STORE},
    held_reply::PendingReplySlot,
    problem::{self, Problem},
    request_id::RequestId,
    state::AppState,
};
use crate::telemetry::{
    metrics::{Kind, Outcome},
    traces::{self, RemoteContext},
};
use axum::{
    Router,
    body::{Body, HttpBody},
    extract::Request,
    http::{
        HeaderName, HeaderValue, Method, StatusCode, Version,
        header::{CACHE_CONTROL, CONNECTION, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS},
    },
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::FutureExt;
use std::{
    any::Any,
    convert::Infallible,
    error::Error,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tower::{Service, ServiceExt};
use tracing::{Instrument, Span};

/// The value of `Strict-Transport-Security`.
pub const HTTPS_FOR_A_YEAR: HeaderValue = HeaderValue::from_static("max-age=31536000");

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The routes of one port, and what the service needs to know about them.
#[derive(Clone)]
pub struct Port {
    /// All routes of the port, the direct one included.
    pub routes: Router<Arc<AppState>>,
    /// Returns the endpoint that a path belongs to.
    pub endpoint: fn(path: &str) -> Endpoint,
    /// The route that is called without the router.
    pub direct: Option<DirectRoute>,
    /// Returns the end of the message for a path that does not exist: which paths exist, and where.
    pub not_found_advice: fn(path: &str) -> &'static str,
    /// The host names under which the port may be asked; `None` for all.
    pub hosts: Option<AllowedHosts>,
    /// Responses ask browsers to use nothing but HTTPS with this host (RFC 6797).
    pub hsts: bool,
    /// HTTP/1 clients are asked to close their connections while the service drains.
    pub closes_when_draining: bool,
}

/// An endpoint as metrics, traces and the answer to a wrong method name it.
#[derive(Clone, Copy)]
pub struct Endpoint {
    /// The endpoint's label in metrics.
    pub kind: Kind,
    /// The name of the span of its requests. Probes and pages have none: they would be most of the traces.
    pub span: Option<&'static str>,
    /// The methods that the endpoint takes, as the header `Allow` lists them.
    pub methods: &'static str,
}

impl Endpoint {
    /// Creates an endpoint for reading that is not traced.
    pub fn page(kind: Kind) -> Self {
        Self { kind, span: None, methods: "GET, HEAD" }
    }
}

/// A route that is called without the router. It measures itself.
#[derive(Clone)]
pub struct DirectRoute {
    /// The method of the route.
    pub method: Method,
    /// The path of the route, compared as a whole.
    pub path: &'static str,
    /// The name of the span of its requests.
    pub span: &'static str,
    /// Answers a request through [`Exchange::respond`].
    pub handler: fn(Exchange, Request) -> ResponseFuture,
}

/// The future of a response.
pub type ResponseFuture = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

/// Serves the requests of one connection. Clones share it.
#[derive(Clone)]
pub struct HttpService {
    port: Arc<PortService>,
    connection: Arc<ClientConnection>,
}

/// The parts that the connections of one port share.
struct PortService {
    router: Router,
    state: Arc<AppState>,
    endpoint: fn(&str) -> Endpoint,
    direct: Option<DirectRoute>,
    hosts: Option<AllowedHosts>,
    hsts: bool,
    closes_when_draining: bool,
}

impl HttpService {
    /// Builds the service of a port. Each connection needs one of its own ([`Self::for_new_connection`]).
    pub fn new(port: Port, state: Arc<AppState>) -> Self {
        let Port { routes, endpoint, direct, not_found_advice, hosts, hsts, closes_when_draining } = port;
        let router = routes
            .fallback(async move |request: Request| {
                let advice = not_found_advice(request.uri().path());
                fallback::not_found(request, advice).await
            })
            .method_not_allowed_fallback(async move |request: Request| {
                let methods = endpoint(request.uri().path()).methods;
                fallback::method_not_allowed(request, methods).await
            })
            .with_state(Arc::clone(&state));
        let port = Arc::new(PortService { router, state, endpoint, direct, hosts, hsts, closes_when_draining });
        Self { port, connection: Arc::default() }
    }

    /// Returns the service for another connection to the same port.
    pub fn for_new_connection(&self) -> Self {
        Self { port: Arc::clone(&self.port), connection: Arc::default() }
    }

    /// Returns the state that the handlers share.
    pub fn state(&self) -> &AppState {
        &self.port.state
    }

    /// Returns the state of the connection.
    pub fn connection(&self) -> &Arc<ClientConnection> {
        &self.connection
    }

    /// Returns true if the HTTP/1 connection ends after the request that begins now.
    pub fn ends_after_request(&self) -> bool {
        let is_draining = self.port.closes_when_draining && self.port.state.is_draining();
        is_draining || self.connection.retirement.has_begun()
    }

    /// Returns true if responses ask browsers to use nothing but HTTPS.
    pub fn asks_for_https(&self) -> bool {
        self.port.hsts
    }

    /// Returns the span of a request; an empty one if the request is not traced.
    pub fn span(&self, name: Option<&str>, id: &RequestId, fields: &impl HeadFields) -> Span {
        let traces = &self.port.state.traces;
        let Some(name) = name.filter(|_| traces.are_on()) else { return Span::none() };
        let caller = RemoteContext { traceparent: fields.text(&TRACEPARENT), tracestate: fields.text(&TRACESTATE) };
        traces.request(name, id.as_str(), &caller)
    }
}

impl PortService {
    /// Checks the head of a request, and the host that it names.
    fn check(&self, request: &Request) -> Result<(), Problem> {
        head::check(request)?;
        match &self.hosts {
            Some(hosts) if !hosts.allow(request) => Err(Problem::new(
                ErrorCode::HostNotAllowed,
                "This host name is not one of the admin port's: use an IP address or localhost, or list the name in ADMIN_HOSTS",
            )),
            _ => Ok(()),
        }
    }

    /// Calls the router, and measures the request.
    fn route(&self, exchange: Exchange, mut request: Request, kind: Kind) -> ResponseFuture {
        request.extensions_mut().insert(exchange.id.clone());
        // Weak, because the handles on a connection are the count of its requests.
        request.extensions_mut().insert(Arc::downgrade(&exchange.connection));
        let state = Arc::clone(&self.state);
        let response = self.router.clone().oneshot(request);
        exchange.respond(async move {
            let mut timer = state.metrics.requests.start(kind);
            let mut response = response.await.unwrap_or_else(|never| match never {});
            // Responses in JSON have it already; pages and redirects get it here.
            response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
            timer.outcome = outcome(kind, response.status());
            if let Some(code) = response.extensions().get::<ErrorCode>() {
                state.failures.count(*code);
            }
            response
        })
    }
}

/// Answers a request without reading its body.
fn refuse(exchange: Exchange, kind: Kind, problem: Problem) -> ResponseFuture {
    let state = Arc::clone(&exchange.state);
    exchange.respond(async move {
        state.metrics.requests.start(kind).outcome = problem.outcome();
        state.failures.count(problem.code());
        problem.into_response()
    })
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
        let request = request.map(Body::new);
        let id = RequestId::of(request.headers());
        self.connection.begin_request();
        let (is_http1, is_retired) = (request.version() < Version::HTTP_2, self.connection.retirement.has_begun());
        if is_retired && !is_http1 {
            self.connection.retirement.go_away();
        }
        let port = &*self.port;
        let endpoint = (port.endpoint)(request.uri().path());
        let direct = port
            .direct
            .as_ref()
            .filter(|direct| direct.path == request.uri().path() && direct.method == request.method());
        let span_name = direct.map(|direct| direct.span).or(endpoint.span);
        let exchange = Exchange {
            span: self.span(span_name, &id, request.headers()),
            id,
            is_last: is_http1 && self.ends_after_request(),
            hsts: port.hsts,
            state: Arc::clone(&port.state),
            is_crowded: self.connection.is_crowded(),
            connection: Arc::clone(&self.connection),
        };
        if let Err(problem) = port.check(&request) {
            return refuse(exchange, endpoint.kind, problem);
        }
        match direct {
            Some(direct) => (direct.handler)(exchange, request),
            None if exchange.is_crowded => refuse(exchange, endpoint.kind, Problem::busy()),
            None => port.route(exchange, request, endpoint.kind),
        }
    }
}

/// One request and its response.
pub struct Exchange {
    /// The state that all handlers share.
    pub state: Arc<AppState>,
    /// The id of the request.
    pub id: RequestId,
    /// The connection of the request. The handle of each request is kept until its response is complete.
    pub connection: Arc<ClientConnection>,
    /// The connection has no authenticated request, and as many requests in progress as it may have.
    pub is_crowded: bool,
    span: Span,
    is_last: bool,
    hsts: bool,
}

impl Exchange {
    /// Runs a handler in the span of the request, and completes its response.
    ///
    /// Catches panics, so that a failing handler still answers and keeps the HTTP/2 connection open for others.
    pub fn respond(self, handler: impl Future<Output = Response> + Send + 'static) -> ResponseFuture {
        let Self { id, span, is_last, hsts, connection, .. } = self;
        // A combinator rather than an async block, which would hold a second copy of the handler's large future.
        let response = AssertUnwindSafe(handler).catch_unwind().map(move |result| {
            let mut response = complete(id, is_last, hsts, result);
            PendingReplySlot::record(&mut response, &connection);
            Ok(response)
        });
        Box::pin(response.instrument(span))
    }
}

/// Completes the response of a handler, or makes one if the handler panicked. The last response on an HTTP/1 connection
/// says that it is the last.
fn complete(id: RequestId, is_last: bool, hsts: bool, result: Result<Response, Box<dyn Any + Send>>) -> Response {
    let mut response = result.unwrap_or_else(|_| problem::from_panic(&id).into_response());
    traces::current().record("http.response.status_code", response.status().as_u16());
    let headers = response.headers_mut();
    id.write(headers);
    headers.insert(X_CONTENT_TYPE_OPTIONS, NO_SNIFFING);
    if hsts {
        headers.insert(STRICT_TRANSPORT_SECURITY, HTTPS_FOR_A_YEAR);
    }
    if is_last {
        // A client that is told sends its next request elsewhere. A connection that is closed between two responses
        // may lose a request that is on its way. HTTP/2 has a frame of its own for this.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Returns the outcome of a request without commands.
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

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderMap;

    #[tokio::test]
    async fn a_panic_in_a_handler_is_answered_with_500_and_the_request_id() {
        let id = RequestId::of(&HeaderMap::new());
        let text = id.as_str().to_owned();
        let handler = async { panic!("a panic for the test") };
        let response = complete(id, false, false, AssertUnwindSafe(handler).catch_unwind().await);
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()["x-request-id"], text);
    }
}
