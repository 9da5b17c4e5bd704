//! Each library is known in one place, and the console loads nothing from elsewhere.

use crate::sources::{Source, read, sources};

/// Lines of one of the console's files.
const ASSET_LINES_MAX: usize = 400;
/// Crates, and the rooms that may use them.
const CRATES: &[(&[&str], &[&str])] = &[
    (&["redis"], &["store"]),
    (&["axum", "utoipa", "tower_http"], &["http", "api", "admin", "server"]),
    (&["axum_server"], &["server"]),
    // `cachefront bench` and the client commands are callers of the service.
    (&["http_body_util"], &["http", "api", "admin", "server", "cli"]),
    // The tests of the lane compare it with hyper.
    (&["hyper_util"], &["server", "cli", "http/lane/tests"]),
    (&["hyper"], &["server", "cli", "http/lane/tests"]),
    (&["httparse"], &["http/lane"]),
    (&["jsonwebtoken"], &["auth"]),
    (&["aes_gcm"], &["sealing"]),
    (&["config"], &["settings"]),
];

#[test]
fn each_library_is_known_in_one_place() {
    let mut wrong = Vec::new();
    let sources = sources("src");
    for source in &sources {
        if source.module.is_empty() {
            continue;
        }
        let place = format!("{}/", source.module.join("/"));
        for (crates, rooms) in CRATES {
            for name in *crates {
                // A module beside the file may have the name of a crate.
                let own = |other: &Source| other.module.split_last() == Some((&(*name).to_owned(), &source.module[..]));
                if sources.iter().any(own) {
                    continue;
                }
                let uses =
                    source.text.contains(&format!("use {name}::")) || source.text.contains(&format!(" {name}::"));
                if uses && !rooms.iter().any(|room| place.starts_with(&format!("{room}/"))) {
                    wrong.push(format!("{} uses {name}", source.path));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_console_is_small_and_loads_nothing_from_elsewhere() {
    for name in ["console.html", "console.css", "console.js"] {
        let text = read(&format!("src/admin/console/assets/{name}"));
        assert!(text.lines().count() <= ASSET_LINES_MAX, "{name} has more than {ASSET_LINES_MAX} lines");
        // The namespace of SVG is a name, and nothing is fetched from there.
        let text = text.replace("http://www.w3.org/2000/svg", "");
        for loads in ["http:", "https:", "@import", "url(", "innerHTML", "eval("] {
            assert!(!text.contains(loads), "{name} has {loads}");
        }
    }
}
