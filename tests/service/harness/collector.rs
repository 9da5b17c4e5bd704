//! A collector of traces that stores the spans that it receives over OTLP/gRPC.

use super::{Caller, Instance, authority, eventually};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::{AnyValue, any_value::Value},
    trace::v1::Span,
};
use std::{
    fmt::Write,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::task::JoinHandle;
use tonic::{
    Request, Response, Status,
    transport::{Identity, Server, ServerTlsConfig, server::TcpIncoming},
};

/// A running collector; it ends on drop.
pub struct Collector {
    /// URL for `otlp_endpoint`.
    pub endpoint: String,
    received: Arc<Mutex<Received>>,
    server: JoinHandle<()>,
}

/// The spans that have arrived.
#[derive(Default)]
struct Received {
    spans: Vec<Span>,
    /// The `service.name` of each sender.
    services: Vec<String>,
}

/// The gRPC service that receives spans.
struct TraceReceiver {
    received: Arc<Mutex<Received>>,
    answers: bool,
}

#[tonic::async_trait]
impl TraceService for TraceReceiver {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        if !self.answers {
            std::future::pending::<()>().await;
        }
        let mut received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        for resource in request.into_inner().resource_spans {
            let of_resource = resource.resource.map(|resource| resource.attributes).unwrap_or_default();
            let name = of_resource.iter().find(|attribute| attribute.key == "service.name");
            received.services.extend(name.map(|attribute| text(attribute.value.as_ref())));
            received.spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    /// Starts a collector without TLS.
    pub fn start() -> Self {
        Self::serve("http", Server::builder(), true)
    }

    /// Starts a collector with TLS and a certificate of the tests' authority.
    pub fn with_tls() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let files = authority().issue(folder.path(), "collector");
        let [certificate, key] = [files.certificate, files.key].map(|path| std::fs::read(path).expect("a PEM file"));
        let tls = ServerTlsConfig::new().identity(Identity::from_pem(certificate, key));
        Self::serve("https", Server::builder().tls_config(tls).expect("a sound certificate"), true)
    }

    /// Starts a collector that accepts connections and spans, and never answers.
    pub fn hanging() -> Self {
        Self::serve("http", Server::builder(), false)
    }

    fn serve(scheme: &str, mut server: Server, answers: bool) -> Self {
        let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into()).expect("a free port");
        let port = incoming.local_addr().expect("an address").port();
        let received = Arc::<Mutex<Received>>::default();
        let receiver = TraceReceiver { received: Arc::clone(&received), answers };
        let serving = server.add_service(TraceServiceServer::new(receiver)).serve_with_incoming(incoming);
        let server = tokio::spawn(async { serving.await.expect("it serves until it is dropped") });
        Self { endpoint: format!("{scheme}://localhost:{port}"), received, server }
    }

    /// Returns the settings of an instance that sends its traces here.
    pub fn section(&self, options: &str) -> String {
        format!("\n[telemetry]\notlp_endpoint={}\n{options}\n", self.endpoint)
    }

    /// Returns all spans that have arrived.
    pub fn spans(&self) -> Vec<Span> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).spans.clone()
    }

    /// Returns the `service.name` of each sender.
    pub fn services(&self) -> Vec<String> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).services.clone()
    }

    /// Waits for the trace of the request with this id.
    pub async fn trace(&self, request_id: &str) -> Trace {
        eventually(&format!("the trace of request {request_id} is here"), async || {
            let spans = self.spans();
            let root = spans.iter().find(|span| attribute(span, "request_id") == request_id)?.clone();
            let others =
                spans.into_iter().filter(|span| span.trace_id == root.trace_id && span.span_id != root.span_id);
            Some(Trace { others: others.collect(), root })
        })
        .await
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// The spans of one request.
#[derive(Debug)]
pub struct Trace {
    /// The span of the request.
    pub root: Span,
    /// All other spans of the trace.
    pub others: Vec<Span>,
}

impl Trace {
    /// Returns the spans as a tree: children in brackets, in the order of their start.
    pub fn shape(&self) -> String {
        let mut text = String::new();
        self.write(&self.root, &mut text);
        text
    }

    fn write(&self, span: &Span, text: &mut String) {
        text.push_str(&span.name);
        for name in ["command", "outcome", "batch_size"] {
            let value = attribute(span, name);
            let is_plain = name == "batch_size" && value == "1";
            if !value.is_empty() && !is_plain {
                let _ = write!(text, " {value}");
            }
        }
        let mut children: Vec<&Span> =
            self.others.iter().filter(|other| other.parent_span_id == span.span_id).collect();
        children.sort_by_key(|child| child.start_time_unix_nano);
        if !children.is_empty() {
            text.push_str(" (");
            for (position, child) in children.into_iter().enumerate() {
                text.push_str(if position > 0 { ", " } else { "" });
                self.write(child, text);
            }
            text.push(')');
        }
    }

    /// Returns the span with a name; panics if there is none.
    pub fn find(&self, name: &str) -> &Span {
        self.others.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }
}

/// Returns the value of an attribute as text; it is empty where there is none.
pub fn attribute(span: &Span, name: &str) -> String {
    let found = span.attributes.iter().find(|attribute| attribute.key == name);
    text(found.and_then(|attribute| attribute.value.as_ref()))
}

/// Returns an attribute value as text.
fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(other) => format!("{other:?}"),
        None => String::new(),
    }
}

/// Returns the number of spans of an instance with this outcome.
pub async fn span_count(instance: &Instance, outcome: &str) -> f64 {
    let http = Caller::plain_http();
    let url = format!("http://127.0.0.1:{}/metrics", instance.admin_port);
    let page = http.get(url).send().await.expect("an answer").text().await.expect("a text");
    let start = format!("cachefront_spans_total{{outcome=\"{outcome}\"}} ");
    let line = page.lines().find_map(|line| line.strip_prefix(&start));
    line.and_then(|value| value.parse().ok()).unwrap_or(0.0)
}
