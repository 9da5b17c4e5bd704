//! The groups in which the help lists the commands.

use clap::Command;
use std::fmt::Write;

/// Each group: its heading and its commands.
const GROUPS: [(&str, &[&str]); 3] = [
    ("Service commands:", &["serve", "dev", "check-config", "status", "healthcheck", "keys", "bench", "hash-key"]),
    ("Client commands:", &["read", "write", "delete", "touch", "ttl", "exists", "increment", "send"]),
    ("Other commands:", &["openapi", "completions", "man", "help"]),
];
/// The description of the command that clap adds.
const HELP_ABOUT: &str = "Print this message or the help of the given command";

/// Groups the commands in the help of the program.
pub fn grouped(command: Command) -> Command {
    let template = format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{}Options:\n{{options}}{{after-help}}",
        groups(&command)
    );
    command.help_template(template)
}

fn groups(command: &Command) -> String {
    let width = GROUPS.iter().flat_map(|(_, names)| *names).map(|name| name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for (heading, names) in GROUPS {
        let _ = writeln!(text, "{heading}");
        for name in names {
            let about = command.find_subcommand(name).and_then(Command::get_about);
            let about = about.map_or_else(|| HELP_ABOUT.to_owned(), ToString::to_string);
            let _ = writeln!(text, "  {name:width$}  {about}");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn every_command_is_in_one_group() {
        let command = crate::cli::Cli::command();
        let mut commands: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
        commands.push("help");
        let mut listed: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| *names).copied().collect();
        commands.sort_unstable();
        listed.sort_unstable();
        assert_eq!(listed, commands);
    }
}
