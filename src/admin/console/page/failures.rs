//! The last failed requests, and the errors by code.

use super::{
    runbook,
    tables::{HtmlColumn, plain, table},
    tiles::whole,
};
use crate::{
    admin::console::{
        format::{clock, span, timestamp},
        html::{HtmlElement, el},
        runbook::Runbook,
        snapshot::{ConsoleSnapshot, ErrorCount},
    },
    http::{FailedRequest, FailureClass},
};
use std::time::Duration;

/// Maximum number of failures of each class that the page shows. The snapshot has more.
const SHOWN_OF_CLASS: usize = 4;
/// Maximum number of codes that the page shows.
const CODES_SHOWN: usize = 8;

/// Returns the card of errors.
pub fn card(snapshot: &ConsoleSnapshot) -> HtmlElement {
    let card = el("section").class("card").child(el("h2").text("Errors").child(el("small").text("since the start")));
    if snapshot.errors.is_empty() {
        return card.child(el("p").class("note").text("No request has failed."));
    }
    let failed = shown(&snapshot.failed);
    let list = (!failed.is_empty()).then(|| {
        let items = failed.into_iter().map(|failed| item(failed, snapshot.at_ms));
        el("ol").class("events failed").children(items)
    });
    card.child(codes(&snapshot.errors)).child(el("h3").text("Last failed requests")).children(list)
}

/// Returns the last failures of each class that concern the service, the latest first. Those of wrong or denied requests
/// are left out: the table counts them.
fn shown(failed: &[FailedRequest]) -> Vec<&FailedRequest> {
    let mut counts = [0; FailureClass::ALL.len()];
    let of_service = failed.iter().filter(|failed| !failed.class.is_of_caller());
    of_service
        .filter(|failed| {
            let count = &mut counts[failed.class as usize];
            *count += 1;
            *count <= SHOWN_OF_CLASS
        })
        .collect()
}

fn item(failed: &FailedRequest, now_ms: u64) -> HtmlElement {
    let age = span(Duration::from_millis(now_ms.saturating_sub(failed.at_ms)));
    let (class, word) = match failed.class {
        FailureClass::Service => ("bad", "failed"),
        FailureClass::Login => ("warn", "login refused"),
        FailureClass::Value => ("bad", "value refused"),
        FailureClass::Denied => ("plain", "denied"),
        FailureClass::Malformed => ("plain", "malformed"),
    };
    let id = el("code").with("title", "x-request-id").text(&failed.request_id);
    let what = el("span").class("what").text(format!("{} ", failed.sentence())).child(id);
    let what = match failed.class {
        FailureClass::Login => what.text(" ").child(runbook::link(Runbook::LoginsRefused)),
        FailureClass::Value => what.text(" ").child(runbook::link(Runbook::Decryption)),
        _ => what,
    };
    el("li")
        .child(el("time").with("datetime", timestamp(failed.at_ms)).text(clock(failed.at_ms)))
        .child(el("span").class(format!("state {class}")).text(word))
        .child(what)
        .child(el("span").class("age").text(format!("{age} ago")))
}

fn codes(errors: &[ErrorCount]) -> HtmlElement {
    let columns: [HtmlColumn; 3] = [("Code", false), ("Last minute", true), ("Since the start", true)];
    let rows = errors.iter().take(CODES_SHOWN).map(|count| {
        vec![el("code").text(&count.code), plain(whole(count.last_minute)), plain(whole(count.since_start))]
    });
    table("Errors by code", &columns, rows)
}
