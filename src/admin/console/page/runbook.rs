//! The runbooks: the sections of docs/operations.md that say what to do, as a page of the console, and links to them.

use crate::admin::console::{
    html::{HtmlElement, el},
    runbook::{Runbook, anchor, path},
};

/// The document with the runbooks. The sections after this heading have the names of the alerts.
const OPERATIONS: &str = include_str!("../../../../docs/operations.md");
const FIRST_HEADING: &str = "\n## Alerts\n";
const FRAME: &str = concat!(include_str!("../assets/head.html"), include_str!("../assets/runbook.html"));

/// Returns a link to a section.
pub fn link(runbook: Runbook) -> HtmlElement {
    link_to(runbook.heading())
}

/// Returns a link to the section with this heading.
pub fn link_to(heading: &str) -> HtmlElement {
    el("a").class("runbook").with("href", path(heading)).with("title", heading).text("what to do")
}

/// Returns the page of all runbooks.
pub fn page() -> String {
    let (head, foot) = FRAME.split_once("{{runbooks}}").expect("the frame has a placeholder");
    let mut html = head.to_owned();
    let (_, runbooks) = OPERATIONS.split_once(FIRST_HEADING).expect("the page has runbooks");
    for section in runbooks.split("\n## ").skip(1) {
        let (heading, text) = section.split_once('\n').unwrap_or((section, ""));
        let card = el("section").class("card").with("id", anchor(heading));
        card.child(el("h2").text(heading)).child(el("pre").text(text.trim())).write(&mut html);
    }
    html + foot
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_link_leads_to_a_section_of_the_runbooks() {
        let page = page();
        for runbook in Runbook::ALL {
            assert!(page.contains(&format!("id=\"{}\"><h2>", anchor(runbook.heading()))), "{runbook:?}");
        }
        assert!(page.contains("REPLICAOF NO ONE") && page.ends_with("</html>\n"), "{page}");
    }
}
