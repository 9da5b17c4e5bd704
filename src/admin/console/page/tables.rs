//! The tables of shards, nodes and key patterns. On a narrow screen their rows become cards, and some browsers then
//! drop the roles of the cells; so each cell states its role.

use super::{
    ring::{colour, counted},
    tiles::whole,
};
use crate::admin::console::{
    format::{NOTHING, bytes, count, figure, micros, micros_or_nothing, percent},
    html::{HtmlElement, el},
    snapshot::{ConsoleSnapshot, NodeResourcesView, NodeRoleView, NodeStateView, NodeView, Patterns, ShardView},
};

/// The name of a column, and true for a column of numbers.
pub type HtmlColumn = (&'static str, bool);

/// Returns a table; `caption` is for readers who do not see its place.
pub fn table(caption: &str, columns: &[HtmlColumn], rows: impl IntoIterator<Item = Vec<HtmlElement>>) -> HtmlElement {
    let heads = columns.iter().map(|(name, is_figure)| {
        el("th").class(figure_class(*is_figure)).with("scope", "col").with("role", "columnheader").text(name)
    });
    let rows = rows.into_iter().map(|cells| row(columns, cells));
    el("table")
        .with("role", "table")
        .child(el("caption").class("unseen").text(caption))
        .child(el("thead").with("role", "rowgroup").child(el("tr").with("role", "row").children(heads)))
        .child(el("tbody").with("role", "rowgroup").children(rows))
}

fn row(columns: &[HtmlColumn], cells: Vec<HtmlElement>) -> HtmlElement {
    let cells = cells.into_iter().zip(columns).map(|(cell, (name, is_figure))| {
        el("td").class(figure_class(*is_figure)).with("role", "cell").with("data-label", name).child(cell)
    });
    el("tr").with("role", "row").children(cells)
}

fn figure_class(is_figure: bool) -> &'static str {
    if is_figure { "figure" } else { "" }
}

/// Returns a text as the content of a cell.
pub fn plain(text: impl std::fmt::Display) -> HtmlElement {
    el("span").text(text)
}

/// Returns a word with a mark. Each meaning has a mark of its own shape, for readers who do not see its colour.
fn marked(class: &str, word: &str) -> HtmlElement {
    el("span").class(format!("state {class}")).text(word)
}

fn bar(class: &str, part: f64) -> HtmlElement {
    let width = format!("{:.1}", part.clamp(0.0, 1.0) * 100.0);
    el("svg")
        .class("bar")
        .with("viewBox", "0 0 100 6")
        .with("preserveAspectRatio", "none")
        .with("aria-hidden", "true")
        .child(bar_part("track", "100"))
        .child(bar_part(&format!("fill {class}"), &width))
}

fn bar_part(class: &str, width: &str) -> HtmlElement {
    el("rect").class(class).with("width", width).with("height", 6).with("rx", 3)
}

/// Returns the table of shards.
pub fn shards(snapshot: &ConsoleSnapshot) -> HtmlElement {
    let size = if snapshot.cluster { "Slots" } else { "Weight" };
    let columns = [
        ("Shard", false),
        ("Share", false),
        (size, true),
        ("State", false),
        ("Writes go to", false),
        ("Readable", true),
        ("Failures/s", true),
        ("Failovers", true),
    ];
    let rows = snapshot.shards.iter().enumerate().map(|(position, shard)| shard_row(position, shard));
    table("Shards", &columns, rows)
}

fn shard_row(position: usize, shard: &ShardView) -> Vec<HtmlElement> {
    let share = el("span").class("share").child(bar(&colour(position), shard.share)).child(plain(percent(shard.share)));
    let (class, word) = shard_state(shard);
    let state = marked(class, word);
    let readable = shard.readable_nodes();
    let target = match writes_go_to(shard) {
        WriteTarget::Master(master) => el("code").text(master),
        WriteTarget::Nobody(reason) => el("span").class("alarm").text(reason),
    };
    let failures = shard.failures.iter().map(|failure| format!("{}: {}", failure.cause, failure.since_start));
    let failures = failures.collect::<Vec<_>>().join(", ");
    let size = shard.slots.map(count).or(shard.weight.map(|weight| weight.to_string()));
    let number = el("span").class(format!("swatch {}", colour(position))).text(position + 1);
    vec![
        el("span").class("name").child(number).child(el("b").text(&shard.name)),
        share,
        plain(size.unwrap_or_else(|| NOTHING.to_owned())),
        state,
        target,
        plain(format!("{readable} of {}", shard.nodes.len())),
        alarming(shard.failures_per_sec).with("title", failures),
        plain(shard.promotions),
    ]
}

/// Returns the CSS class of a shard's state, and its words.
pub fn shard_state(shard: &ShardView) -> (&'static str, &'static str) {
    let master_state = shard.master().map(|master| master.state);
    match (shard.contested, shard.writable, shard.readable) {
        _ if shard.held => ("bad", "master held"),
        _ if shard.candidate.is_some() => ("bad", "master unproven"),
        _ if shard.absent_successor.is_some() => ("bad", "master deposed"),
        (true, true, _) => ("warn", "two masters"),
        (true, false, _) => ("bad", "contested"),
        (false, true, _) => ("good", "serving"),
        (false, false, true) if master_state == Some(NodeStateView::Down) => ("bad", "master down"),
        (false, false, true) => ("warn", "read only"),
        (false, false, false) => ("bad", "unavailable"),
    }
}

/// The node that takes a shard's writes.
pub enum WriteTarget<'s> {
    /// The address of the master.
    Master(&'s str),
    /// No node does, for a reason that the text names.
    Nobody(String),
}

/// Returns the node that takes the shard's writes.
pub fn writes_go_to(shard: &ShardView) -> WriteTarget<'_> {
    match shard.master() {
        Some(master) if shard.writable => WriteTarget::Master(&master.address),
        Some(master) if master.state == NodeStateView::Up => {
            WriteTarget::Nobody(format!("nobody: {} is not accepted", master.address))
        }
        Some(master) => WriteTarget::Nobody(format!("nobody: {} is {}", master.address, master.state.word())),
        None => WriteTarget::Nobody("nobody".to_owned()),
    }
}

/// Returns a rate of failures, marked if there were any.
fn alarming(per_sec: f64) -> HtmlElement {
    el("span").class(if per_sec > 0.0 { "alarm" } else { "" }).text(figure(per_sec))
}

/// Returns the table of nodes.
pub fn nodes(snapshot: &ConsoleSnapshot) -> HtmlElement {
    let columns = [
        ("Node", false),
        ("Shard", false),
        ("Role", false),
        ("Connection", false),
        ("Behind", true),
        ("In flight", true),
        ("Answers/s", true),
        ("Failures/s", true),
        ("p50", true),
        ("p99", true),
        ("Memory", true),
        ("Keys", true),
        ("Evicted", true),
        ("Hits", true),
    ];
    let rows = snapshot
        .shards
        .iter()
        .enumerate()
        .flat_map(|(position, shard)| shard.nodes.iter().map(move |node| node_row(position, shard, node)));
    table("Nodes", &columns, rows)
}

fn node_row(position: usize, shard: &ShardView, node: &NodeView) -> Vec<HtmlElement> {
    let state = match (node.state, node.readable) {
        (NodeStateView::Up, true) => marked("good", "up"),
        (NodeStateView::Up, false) => marked("warn", "up, not read"),
        (NodeStateView::Connecting, _) => marked("warn", "connecting"),
        (NodeStateView::Down, _) if node.role == NodeRoleView::Master => marked("bad", "master down"),
        (NodeStateView::Down, _) => marked("warn", "down"),
    };
    let role = match (node.role, node.reports_master) {
        (NodeRoleView::Master, _) => el("b").text("master"),
        (NodeRoleView::Replica, true) => el("span").class("alarm").text(node.role_word()),
        (NodeRoleView::Replica, false) => plain(node.role_word()),
    };
    let number = el("span").class(format!("swatch {}", colour(position))).text(position + 1);
    let mut cells = vec![
        el("code").text(&node.address),
        el("span").class("name").child(number).child(plain(&shard.name)),
        role,
        state,
        plain(behind(node)),
        plain(node.in_flight),
        plain(figure(node.answers_per_sec)),
        alarming(node.failures_per_sec),
        plain(micros_or_nothing(node.p50_us)),
        plain(micros_or_nothing(node.p99_us)),
    ];
    cells.extend(resource_cells(node.resources.as_ref()));
    cells
}

/// Returns the memory, the keys, the evicted keys and the hit ratio that a Redis process reports.
fn resource_cells(resources: Option<&NodeResourcesView>) -> [HtmlElement; 4] {
    let Some(resources) = resources else { return [NOTHING; 4].map(plain) };
    let memory = bytes(resources.memory_bytes);
    let memory = match resources.memory_bytes_max {
        0 => plain(memory),
        max => {
            let is_nearly_full = resources.memory_bytes.saturating_mul(10) > max.saturating_mul(9);
            el("span").class(if is_nearly_full { "alarm" } else { "" }).text(format!("{memory} of {}", bytes(max)))
        }
    };
    let hits = resources.hits.map_or_else(|| NOTHING.to_owned(), percent);
    [memory, plain(whole(resources.keys)), plain(whole(resources.evicted_keys)), plain(hits)]
}

/// Returns the replication lag of a replica at its last probe, which is an upper bound.
pub fn behind(node: &NodeView) -> String {
    match (node.lag_ms, node.lag_bytes) {
        (Some(ms), _) => format!("≤ {}", micros(ms * 1000.0)),
        (None, Some(lag)) => bytes(lag),
        _ => NOTHING.to_owned(),
    }
}

/// Returns the table of key patterns.
pub fn patterns(patterns: &Patterns) -> HtmlElement {
    if patterns.top.is_empty() {
        return el("p").class("note").text("No command has been sampled in the last minutes.");
    }
    let max = patterns.top.first().map_or(1.0, |top| top.share);
    let rows = patterns.top.iter().map(|row| {
        let share = el("span").class("share").child(bar("c0", row.share / max)).child(plain(percent(row.share)));
        vec![el("code").text(&row.pattern), share]
    });
    let note = if patterns.hashed {
        "Words are hashed; set CONSOLE_KEY_PATTERNS=shown to see them."
    } else {
        "Digits and identifiers are replaced by placeholders."
    };
    el("div")
        .child(table("Key patterns", &[("Pattern", false), ("Share of commands", false)], rows))
        .child(el("p").class("note").text(format!("One command of {} is sampled. {note}", patterns.sampled_one_of)))
}

/// Returns the numbers of shards and nodes: `4 shards, 12 nodes`.
pub fn summary(snapshot: &ConsoleSnapshot) -> String {
    let nodes = snapshot.shards.iter().map(|shard| shard.nodes.len()).sum();
    format!("{}, {}", counted(snapshot.shards.len(), "shard"), counted(nodes, "node"))
}
