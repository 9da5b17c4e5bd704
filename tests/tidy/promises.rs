//! Each promise of freshness has a test that exists.

use crate::sources::read;
use std::collections::BTreeSet;

const PAGE: &str = "docs/design/freshness-promises.md";
const CHECKER: &str = "tests/simulation/checker/mod.rs";

/// Returns the texts between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Returns the items of the lists of a section, each in one line.
fn items(section: &str) -> Vec<String> {
    let joined = section.replace("\n  ", " ");
    joined.lines().filter_map(|line| line.strip_prefix("- ")).map(str::to_owned).collect()
}

/// Returns the variants of the enum that begins with `start`.
fn variants(text: &str, start: &str) -> BTreeSet<String> {
    let body = text.split(start).nth(1).and_then(|rest| rest.split("\n}").next()).unwrap_or_default();
    let lines = body.lines().map(str::trim).filter_map(|line| line.strip_suffix(','));
    lines.filter(|line| !line.starts_with('/')).map(str::to_owned).collect()
}

#[test]
fn every_promise_names_tests_that_exist() {
    let page = read(PAGE);
    let rules = variants(&read(CHECKER), "pub enum Promise {");
    assert!(rules.len() > 5, "{rules:?}");
    let (mut named_rules, mut wrong) = (BTreeSet::new(), Vec::new());
    let decision = page.split("\n## ").find(|part| part.starts_with("Decision")).expect("a decision");
    let sections: Vec<&str> = decision.split("\n### ").skip(1).collect();
    assert!(sections.len() > 5, "{page}");
    for section in sections {
        let title = section.lines().next().unwrap_or_default();
        let mut tests = 0;
        for item in items(section) {
            if item.starts_with("simulator: ") {
                named_rules.extend(quoted(&item).into_iter().map(str::to_owned));
                continue;
            }
            let [file, names @ ..] = &quoted(&item)[..] else { panic!("{title}: {item}") };
            let text = read(file);
            tests += names.len();
            wrong.extend(
                names
                    .iter()
                    .filter(|name| !text.contains(&format!("fn {name}(")))
                    .map(|name| format!("{file}: {name}")),
            );
        }
        assert!(tests > 0, "no test holds the promise \"{title}\"");
    }
    assert!(wrong.is_empty(), "{PAGE} names tests that do not exist: {wrong:#?}");
    assert_eq!(named_rules, rules, "{PAGE} and {CHECKER} do not have the same rules");
}
