//! `cachefront completions SHELL`: generates shell completions.

use super::{failure::Failure, output::print};
use clap::{Args, Command};
use clap_complete::{Shell, generate};

const ABOUT: &str = "\
For bash:  cachefront completions bash > ~/.local/share/bash-completion/completions/cachefront\n\
For zsh:   cachefront completions zsh > ~/.zfunc/_cachefront   (with ~/.zfunc in $fpath)\n\
For fish:  cachefront completions fish > ~/.config/fish/completions/cachefront.fish\n\n\
The Debian package installs them for these three shells.";

/// Arguments of `cachefront completions`.
#[derive(Args)]
#[command(after_help = ABOUT)]
pub struct CompletionsArgs {
    /// The shell that completes commands and options
    shell: Shell,
}

/// Prints the completion script of a shell for the described command line.
pub fn run(args: &CompletionsArgs, mut command: Command) -> Result<(), Failure> {
    let mut script = Vec::new();
    generate(args.shell, &mut command, "cachefront", &mut script);
    print(script)
}
