//! `cachefront completions SHELL`

use super::{Failure, command, print};
use clap::Args;
use clap_complete::{Shell, generate};

const ABOUT: &str = "\
For bash:  cachefront completions bash > ~/.local/share/bash-completion/completions/cachefront\n\
For zsh:   cachefront completions zsh > ~/.zfunc/_cachefront   (with ~/.zfunc in $fpath)\n\
For fish:  cachefront completions fish > ~/.config/fish/completions/cachefront.fish\n\n\
The Debian package brings them along for these three.";

#[derive(Args)]
#[command(after_help = ABOUT)]
pub struct CompletionsArgs {
    /// The shell that is to complete options and commands when Tab is pressed
    shell: Shell,
}

pub fn run(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    generate(args.shell, &mut command(), "cachefront", &mut script);
    print(script)
}
