//! docs/metrics.md, written from the lists of metrics and of labels' values.

use super::{
    count::BOUNDS_US,
    labels::{
        Fallback, Kind, Label, LinkState, Listener, Login, Lookup, NodeFailure, NodeRole, Opening, Outcome,
        Redirection, Reload, Shed,
    },
    names::{ALL, Metric, MetricKind},
};
use std::{fmt::Write, fs, path::Path, time::Duration};

const HEAD: &str = "# Metrics

Made from the lists in `src/telemetry/metrics/` by `make docs`; edit those.

`GET /metrics` on the admin port (plain HTTP, 127.0.0.1:9091; `ADMIN_HOST` lets Prometheus reach it) answers in the
OpenMetrics text format to whoever accepts `application/openmetrics-text`, as Prometheus does, else in the older text
format. Names begin with `cachefront_`, or with `process_` as everywhere; units end them. Counters begin at 0 with the
process. No label holds a key, a client or anything else that a caller sends: their values are the shards, nodes and
workers that there are, and the lists below. What goes away, such as a node that a reload removed, is shown no more.
";

/// The whole page.
fn page() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("\n| metric | kind | labels | meaning |\n| --- | --- | --- | --- |\n");
    for metric in ALL {
        let _ = writeln!(page, "{}", row(metric));
    }
    page.push_str("\n## Values of labels\n\n| label | of | values |\n| --- | --- | --- |\n");
    for (label, of, values) in values() {
        let values: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
        let _ = writeln!(page, "| `{label}` | {of} | {} |", values.join(", "));
    }
    let bounds: Vec<String> =
        BOUNDS_US.iter().map(|bound| Duration::from_micros(*bound).as_secs_f64().to_string()).collect();
    let _ = write!(
        page,
        "\n`success` and `not_found` are what is wanted; `too_few_replicas` is a WRITE that only fewer replicas have than it\n\
         asked for, `cancelled` a request whose caller went away. `unavailable`, `overloaded`, `write_unconfirmed`,\n\
         `deadline_passed`, `out_of_memory`, `value_does_not_open` and `internal_error` are the service's errors, the others\n\
         the callers'. [status-codes.md](status-codes.md) tells more.\n\n\
         Buckets of histograms end at {} seconds.\n",
        bounds.join(", ")
    );
    page
}

fn row(metric: &Metric) -> String {
    let kind = match metric.kind {
        MetricKind::Counter => "counter",
        MetricKind::Gauge => "gauge",
        MetricKind::Histogram => "histogram",
        MetricKind::Info => "info",
    };
    let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
    format!("| `{}` | {kind} | {} | {}. |", metric.name, labels.join(", "), metric.help)
}

fn names<L: Label>() -> Vec<&'static str> {
    L::ALL.iter().map(|label| label.name()).collect()
}

fn values() -> Vec<(&'static str, &'static str, Vec<&'static str>)> {
    let mut endpoints: Vec<_> = Kind::ALL.iter().map(|kind| kind.endpoint()).collect();
    endpoints.dedup();
    let mut commands: Vec<_> = Kind::ALL.iter().map(|kind| kind.command()).collect();
    commands.dedup();
    vec![
        ("endpoint", "requests", endpoints),
        ("command", "requests, commands (no `batch`)", commands),
        ("outcome", "requests, commands", names::<Outcome>()),
        ("outcome", "logins", names::<Login>()),
        ("outcome", "looks for a token, near cache", names::<Lookup>()),
        ("outcome", "sealed values", names::<Opening>()),
        ("outcome", "reloads", names::<Reload>()),
        ("cause", "sheds", names::<Shed>()),
        ("cause", "fallbacks", names::<Fallback>()),
        ("cause", "failures of nodes", names::<NodeFailure>()),
        ("kind", "redirections", names::<Redirection>()),
        ("state", "nodes", names::<LinkState>()),
        ("role", "nodes", names::<NodeRole>()),
        ("listener", "connections", names::<Listener>()),
    ]
}

/// With `CACHEFRONT_WRITE_DOCS` set, as `make docs` does, the page is written instead.
#[test]
fn the_documentation_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    if std::env::var_os("CACHEFRONT_WRITE_DOCS").is_some() {
        fs::write(&path, page()).expect("the page is written");
    }
    let text = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, page(), "docs/metrics.md is out of date: run `make docs`");
}
