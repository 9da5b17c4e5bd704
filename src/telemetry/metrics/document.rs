//! A test that writes docs/metrics.md from the lists of metrics and of labels' values, and compares it.

use super::{
    histogram::BOUNDS_US,
    labels::{
        AnswerSource, Fallback, Kind, Label, LinkState, Listener, LoginOutcome, Lookup, NodeFailure, NodeRole,
        OpenOutcome, Outcome, Promise, RedirectionKind, ReloadOutcome, ShardFailure, Shed,
    },
    names::{ALL, Metric, MetricKind},
};
use std::{fmt::Write, fs, path::Path, time::Duration};

const HEAD: &str = "# Metrics

`make docs` generates this page from the lists in `src/telemetry/metrics/`. Change the lists, not the page.

`GET /metrics` on the admin port (plain HTTP, 127.0.0.1:9091) returns all metrics. `ADMIN_HOST` makes the port reachable
for Prometheus. The response is in the OpenMetrics text format if the request accepts `application/openmetrics-text`, as
Prometheus does; else it is in the older text format of Prometheus.

Names begin with `cachefront_`, or with `process_` for the usual metrics of a process, and end with their unit. Counters
start at 0 with the process. Labels never hold a key, a client or other input of a caller. Their values are the configured
shards, nodes and workers, and the lists below. The rows of a node that a reload removed are no longer shown.
";

/// Returns the whole page.
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
        "\n`success` and `not_found` are the normal outcomes. `too_few_replicas` is a WRITE that reached fewer replicas than it\n\
         asked for. `cancelled` is a request whose caller went away. `unavailable`, `overloaded`, `write_unconfirmed`,\n\
         `deadline_passed`, `out_of_memory`, `decryption_failed` and `internal_error` are errors of the service; all others\n\
         are errors of the caller. [status-codes.md](status-codes.md) explains them, and lists the values of the label `code`.\n\n\
         The hit ratio of the cache is that of READs: `success` divided by `success` and `not_found` of\n\
         `cachefront_commands_total{{command=\"read\"}}`.\n\n\
         The buckets of histograms end at {} seconds.\n",
        bounds.join(", ")
    );
    page
}

/// Returns the row of a metric in the table.
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

/// Returns the names of a label's values.
fn names<L: Label>() -> Vec<&'static str> {
    L::ALL.iter().map(|label| label.name()).collect()
}

/// Returns the labels with fixed values: name, metrics that have it, values.
fn values() -> Vec<(&'static str, &'static str, Vec<&'static str>)> {
    let mut endpoints: Vec<_> = Kind::ALL.iter().map(|kind| kind.endpoint()).collect();
    endpoints.dedup();
    let mut commands: Vec<_> = Kind::ALL.iter().map(|kind| kind.command()).collect();
    commands.dedup();
    vec![
        ("endpoint", "requests", endpoints),
        ("command", "requests, commands (no `batch`)", commands),
        ("outcome", "requests, commands", names::<Outcome>()),
        ("outcome", "logins", names::<LoginOutcome>()),
        ("outcome", "lookups of tokens, in the near cache and in Redis", names::<Lookup>()),
        ("outcome", "sealed values", names::<OpenOutcome>()),
        ("outcome", "reloads", names::<ReloadOutcome>()),
        ("cause", "sheds", names::<Shed>()),
        ("cause", "fallbacks", names::<Fallback>()),
        ("cause", "failures of shards", names::<ShardFailure>()),
        ("cause", "failures of nodes", names::<NodeFailure>()),
        ("kind", "redirections", names::<RedirectionKind>()),
        ("source", "inspected answers", names::<AnswerSource>()),
        ("promise", "answers older than promised", names::<Promise>()),
        ("state", "nodes", names::<LinkState>()),
        ("role", "nodes", names::<NodeRole>()),
        ("listener", "connections", names::<Listener>()),
    ]
}

/// Compares the page with the lists; if `CACHEFRONT_WRITE_DOCS` is set, as by `make docs`, writes the page first.
#[test]
fn the_documentation_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    if std::env::var_os("CACHEFRONT_WRITE_DOCS").is_some() {
        fs::write(&path, page()).expect("the page is written");
    }
    let text = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, page(), "docs/metrics.md is out of date: run `make docs`");
}
