//! The help of every command, as snapshots.
//!
//! Accept an intended change with `INSTA_UPDATE=always cargo test --test command_line help::` and
//! look at the difference. With `CI=true` a difference always fails.

use crate::{cachefront, result};

/// Returns the help of a command; values of the environment do not show in it.
fn help(command: &[&str]) -> String {
    let output = cachefront(&[command, &["--help"]].concat()).env_clear().output().expect("the program runs");
    let (status, out, err) = result(&output);
    assert_eq!((status, err.as_str()), (0, ""), "{command:?}");
    out
}

/// The subcommands that a help text lists, without the one that shows help.
fn subcommands(help: &str) -> Vec<&str> {
    // Each group has a heading, such as "Client commands:", and ends with an empty line.
    let mut is_listed = false;
    let listed = help.lines().filter(|line| {
        is_listed = line.to_lowercase().ends_with("commands:") || is_listed && !line.is_empty();
        is_listed
    });
    // Two spaces, then the name; what is further to the right continues a description.
    let names = listed.filter_map(|line| line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')));
    names.filter_map(|line| line.split(' ').next()).filter(|name| *name != "help").collect()
}

#[test]
fn every_command_has_the_accepted_help() {
    let mut commands: Vec<Vec<String>> = vec![Vec::new()];
    let mut shown = 0;
    while let Some(command) = commands.pop() {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let text = help(&words);
        commands.extend(subcommands(&text).iter().map(|name| [&command[..], &[(*name).to_owned()]].concat()));
        insta::assert_snapshot!(["cachefront"].iter().chain(&words).copied().collect::<Vec<_>>().join("_"), text);
        shown += 1;
    }
    assert!(shown > 10, "only {shown} commands were found");
}
