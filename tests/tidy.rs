//! The house rules that a compiler does not hold: imports point down, files are small and open with their purpose.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Floors from the ground up; neighbours on one floor do not import each other.
const FLOORS: [&[&str]; 8] = [
    &["ring", "types"],
    &["settings"],
    &["telemetry"],
    &["near_cache", "sealing", "store"],
    &["auth", "cache"],
    &["api"],
    &["server"],
    &["cli"],
];
const LINES_MAX: usize = 400;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files below a folder, with their texts.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a text");
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has no sources");
    found
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|modules| modules.contains(&module))
}

/// The module of `src/` that a file belongs to; `None` for `lib.rs` and `main.rs`.
fn module(path: &Path) -> Option<String> {
    let inside = path.strip_prefix(root().join("src")).ok()?;
    let first = inside.components().next()?.as_os_str().to_str()?;
    (inside.components().count() > 1).then(|| first.to_owned())
}

/// The modules that a text names after `crate::`, in paths and in lists of a `use`.
fn imported(text: &str) -> Vec<String> {
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let Some(list) = rest.strip_prefix('{') else {
            found.push(name(rest));
            continue;
        };
        let mut depth = 1;
        let mut start = true;
        for (position, character) in list.char_indices() {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => start = true,
                _ if start && depth == 1 && character.is_alphabetic() => {
                    found.push(name(&list[position..]));
                    start = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    found
}

#[test]
fn imports_point_down() {
    let mut wrong = Vec::new();
    for (path, text) in sources("src") {
        let Some(own) = module(&path) else { continue };
        let own_floor = floor(&own).unwrap_or_else(|| panic!("{own} stands on no floor: add it to FLOORS"));
        for other in imported(&text).into_iter().filter(|other| *other != own) {
            if floor(&other).is_none_or(|floor| floor >= own_floor) {
                wrong.push(format!("{} imports {other}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn an_arrow_that_points_up_would_be_seen() {
    assert_eq!(imported("use crate::store::Store;"), ["store"]);
    assert_eq!(
        imported("use crate::{\n    api::{self, App},\n    types::Key,\n};\ncrate::cli::run()"),
        ["api", "types", "cli"]
    );
    assert!(floor("api") > floor("cache"));
}

#[test]
fn files_are_small_and_open_with_their_purpose() {
    let mut wrong = Vec::new();
    for (path, text) in ["src", "tests"].into_iter().flat_map(sources) {
        let lines = text.lines().count();
        if lines > LINES_MAX {
            wrong.push(format!("{} has {lines} lines; at most {LINES_MAX} are allowed", path.display()));
        }
        if !text.starts_with("//! ") {
            wrong.push(format!("{} does not open with its purpose (//! …)", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_the_console_sends_to_browsers_is_small_and_loads_nothing_from_elsewhere() {
    for name in ["console.html", "console.css", "console.js"] {
        let path = root().join("src/api/console/assets").join(name);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(text.lines().count() <= LINES_MAX, "{name} has more than {LINES_MAX} lines");
        // The namespace of SVG is a name, and nothing is fetched from there.
        let text = text.replace("http://www.w3.org/2000/svg", "");
        for loads in ["http:", "https:", "@import", "url(", "innerHTML", "eval("] {
            assert!(!text.contains(loads), "{name} has {loads}");
        }
    }
}

#[test]
fn only_store_knows_redis_and_only_api_and_server_know_http() {
    let mut wrong = Vec::new();
    for (path, text) in sources("src") {
        let Some(own) = module(&path) else { continue };
        let mut allow = |crates: &[&str], modules: &[&str]| {
            for name in crates {
                let used = text.contains(&format!("use {name}::")) || text.contains(&format!(" {name}::"));
                if used && !modules.contains(&own.as_str()) {
                    wrong.push(format!("{} uses {name}", path.display()));
                }
            }
        };
        allow(&["redis"], &["store"]);
        allow(&["axum", "utoipa", "tower_http"], &["api", "server"]);
        allow(&["axum_server"], &["server"]);
        // `cachefront bench` is a caller of the service.
        allow(&["http_body_util"], &["api", "server", "cli"]);
        allow(&["hyper_util"], &["server", "cli"]);
        allow(&["hyper"], &["cli"]);
        allow(&["jsonwebtoken"], &["auth"]);
        allow(&["aes_gcm"], &["sealing"]);
        allow(&["config"], &["settings"]);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The codes of errors: what stands in quotes after a status, after `bad_request(`, or first in a tuple.
fn codes(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut parts = text.split('"');
    let mut before = parts.next().unwrap_or_default();
    for part in parts {
        let head = before.trim_end();
        let after_status = head.strip_suffix(',').is_some_and(|head| head.ends_with(|c: char| c.is_ascii_uppercase()));
        let code = part.contains('_') && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        if code && (after_status || head.ends_with("bad_request(") || head.ends_with("=> (")) {
            found.push(part);
        }
        before = part;
    }
    found
}

#[test]
fn every_error_code_is_documented() {
    let page = fs::read_to_string(root().join("docs/status-codes.md")).expect("docs/status-codes.md");
    let sources = sources("src/api");
    let all: Vec<&str> = sources.iter().flat_map(|(_, text)| codes(text)).collect();
    assert!(all.len() > 20 && all.contains(&"shard_unavailable") && all.contains(&"token_expired"), "{all:?}");
    let missing: Vec<_> = all.iter().filter(|code| !page.contains(&format!("`{code}`"))).collect();
    assert!(missing.is_empty(), "docs/status-codes.md lacks {missing:?}");
}

#[test]
fn the_floors_in_the_architecture_are_these() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    for (number, modules) in FLOORS.iter().enumerate() {
        for module in *modules {
            let line = format!("{number}  {module}/");
            assert!(text.lines().any(|given| given.starts_with(&line)), "ARCHITECTURE.md lacks the line \"{line}\"");
        }
    }
}

#[test]
fn every_alert_has_a_test_and_says_where_it_is_explained() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let (alerts, tests) = (read("deploy/monitoring/alerts.yaml"), read("deploy/monitoring/alerts_test.yaml"));
    let page = read("docs/operations.md");
    let parts: Vec<&str> = alerts.split("- alert: ").skip(1).collect();
    assert!(parts.len() > 10, "{alerts}");
    for alert in parts {
        let name = alert.lines().next().unwrap_or_default();
        for field in ["expr:", "severity:", "summary:", "description:"] {
            assert!(alert.contains(field), "{name} has no {field}");
        }
        let place = format!("runbook_url: docs/operations.md#{}", name.to_lowercase());
        assert!(alert.contains(&place), "{name} does not say {place}");
        assert!(page.contains(&format!("\n## {name}\n")), "docs/operations.md does not explain {name}");
        assert!(tests.contains(&format!("alertname=\"{name}\", instance=\"bad\"")), "{name} has no test");
    }
}
