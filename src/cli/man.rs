//! `cachefront man [COMMAND]...`: prints manual pages.

use super::{failure::Failure, output::print};
use clap::{Args, Command};
use clap_mangen::{Man, generate_to};
use std::path::PathBuf;

/// Arguments of `cachefront man`.
#[derive(Args)]
#[command(after_help = "To read a page at once: cachefront man bench | man -l -")]
pub struct ManArgs {
    /// Print the page of this command, such as `keys ttl`; without it, the page of cachefront itself
    #[arg(value_name = "COMMAND", conflicts_with = "into")]
    commands: Vec<String>,
    /// Write all pages into this existing folder instead of printing one
    #[arg(long, value_name = "FOLDER")]
    into: Option<PathBuf>,
}

/// Prints one page of the described command line, or writes all of them into a folder.
pub fn run(args: &ManArgs, mut command: Command) -> Result<(), Failure> {
    if let Some(folder) = &args.into {
        return generate_to(command, folder)
            .map_err(|error| Failure::general(format!("{}: {error}", folder.display())));
    }
    command.build();
    let mut page = Vec::new();
    Man::new(find(&command, &args.commands)?.clone()).render(&mut page).map_err(Failure::general)?;
    print(page)
}

fn find<'a>(all: &'a Command, names: &[String]) -> Result<&'a Command, Failure> {
    names.iter().try_fold(all, |command, name| {
        command
            .find_subcommand(name)
            .ok_or_else(|| Failure::usage(format!("there is no command \"{}\"", names.join(" "))))
    })
}
