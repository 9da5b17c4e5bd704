//! The state of an instance as text for a terminal.

use crate::{
    admin::console::{
        ConsoleSnapshot, NodeRoleView, NodeView, ShardView, WriteTarget, behind, format, shard_state, summary,
        writes_go_to,
    },
    cli::table::{Column, Side, escaped, table},
    http::ServiceStatus,
};
use std::{
    env,
    fmt::Write,
    io::{self, IsTerminal},
    time::Duration,
};

const EVENTS_SHOWN: usize = 8;

/// Colours for terminals; <https://no-color.org> turns them off.
pub struct Paint(bool);

impl Paint {
    /// Colours texts only where standard output is a terminal.
    pub fn for_terminal() -> Self {
        let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self(io::stdout().is_terminal() && !unwanted)
    }

    fn status(&self, status: ServiceStatus) -> String {
        let code = match status {
            ServiceStatus::Ready => 32,
            ServiceStatus::Degraded => 33,
            ServiceStatus::NotReady => 31,
        };
        if self.0 { format!("\x1b[1;{code}m{}\x1b[0m", status.word()) } else { status.word().to_owned() }
    }

    fn dimmed(&self, text: &str) -> String {
        if self.0 { format!("\x1b[2m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Formats the whole state.
pub fn page(snapshot: &ConsoleSnapshot, paint: &Paint) -> String {
    let mut text = String::new();
    let about = format!(
        "version {}, up for {}, {}",
        escaped(&snapshot.version),
        format::span(Duration::from_secs(snapshot.uptime_secs)),
        summary(snapshot)
    );
    let _ = writeln!(text, "{}  {}", paint.status(snapshot.status), paint.dimmed(&about));
    for problem in snapshot.shards.iter().filter_map(|shard| shard.problem.as_ref()) {
        let runbook = format!("What to do: /{}", problem.runbook_path());
        let _ = writeln!(text, "  - {} {}", escaped(&problem.text()), paint.dimmed(&escaped(&runbook)));
    }
    for problem in &snapshot.problems {
        let _ = writeln!(text, "  - {}", escaped(problem));
    }
    let _ = writeln!(text, "\n{}", rates(snapshot));
    let _ = writeln!(text, "{}", shards(snapshot));
    let _ = writeln!(text, "{}", nodes(snapshot));
    for event in snapshot.events.iter().take(EVENTS_SHOWN) {
        let times = if event.times > 1 { format!(" ({} times)", event.times) } else { String::new() };
        let _ = writeln!(text, "{}  {}{times}", paint.dimmed(&format::clock(event.at_ms)), escaped(&event.text));
    }
    text
}

fn rates(snapshot: &ConsoleSnapshot) -> String {
    let columns = [
        Column("", Side::Left),
        Column("REQUESTS/S", Side::Right),
        Column("COMMANDS/S", Side::Right),
        Column("ERRORS/S", Side::Right),
        Column("P50", Side::Right),
        Column("P99", Side::Right),
        Column("HITS", Side::Right),
        Column("NEAR CACHE", Side::Right),
    ];
    let rows = [("last 10 s", &snapshot.rates.last_10_secs), ("last minute", &snapshot.rates.last_minute)];
    let rows = rows.map(|(name, rate)| {
        vec![
            name.to_owned(),
            format::figure(rate.requests_per_sec),
            format::figure(rate.commands_per_sec),
            format::figure(rate.errors_per_sec),
            format::micros_or_nothing(rate.p50_us),
            format::micros_or_nothing(rate.p99_us),
            rate.hits.map_or_else(|| format::NOTHING.to_owned(), format::percent),
            rate.near_hits.map_or_else(|| format::NOTHING.to_owned(), format::percent),
        ]
    });
    table(&columns, &rows)
}

fn shards(snapshot: &ConsoleSnapshot) -> String {
    let columns = [
        Column("SHARD", Side::Left),
        Column("SHARE", Side::Right),
        Column(if snapshot.cluster { "SLOTS" } else { "WEIGHT" }, Side::Right),
        Column("STATE", Side::Left),
        Column("WRITES GO TO", Side::Left),
        Column("READABLE", Side::Right),
        Column("FAILURES/S", Side::Right),
        Column("FAILOVERS", Side::Right),
    ];
    table(&columns, &snapshot.shards.iter().map(shard_row).collect::<Vec<_>>())
}

fn shard_row(shard: &ShardView) -> Vec<String> {
    let (_, state) = shard_state(shard);
    let readable = shard.readable_nodes();
    let size = shard.slots.map(|slots| slots.to_string()).or(shard.weight.map(|weight| weight.to_string()));
    vec![
        escaped(&shard.name),
        format::percent(shard.share),
        size.unwrap_or_default(),
        state.to_owned(),
        match writes_go_to(shard) {
            WriteTarget::Master(master) => escaped(master),
            WriteTarget::Nobody(reason) => escaped(&reason),
        },
        format!("{readable} of {}", shard.nodes.len()),
        format::figure(shard.failures_per_sec),
        shard.promotions.to_string(),
    ]
}

fn nodes(snapshot: &ConsoleSnapshot) -> String {
    let columns = [
        Column("NODE", Side::Left),
        Column("SHARD", Side::Left),
        Column("ROLE", Side::Left),
        Column("CONNECTION", Side::Left),
        Column("BEHIND", Side::Right),
        Column("IN FLIGHT", Side::Right),
        Column("ANSWERS/S", Side::Right),
        Column("FAILURES/S", Side::Right),
        Column("P50", Side::Right),
        Column("P99", Side::Right),
    ];
    let rows = snapshot.shards.iter().flat_map(|shard| shard.nodes.iter().map(move |node| node_row(shard, node)));
    table(&columns, &rows.collect::<Vec<_>>())
}

fn node_row(shard: &ShardView, node: &NodeView) -> Vec<String> {
    vec![
        escaped(&node.address),
        escaped(&shard.name),
        // Capital letters set the master apart without a colour.
        if node.role == NodeRoleView::Master { "MASTER".to_owned() } else { node.role_word().to_owned() },
        node.state.word().to_owned(),
        behind(node),
        node.in_flight.to_string(),
        format::figure(node.answers_per_sec),
        format::figure(node.failures_per_sec),
        format::micros_or_nothing(node.p50_us),
        format::micros_or_nothing(node.p99_us),
    ]
}
