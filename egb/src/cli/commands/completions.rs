//! `egb completions`: what makes a shell complete the command.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::Ending;
use crate::cli::args;
use crate::cli::failure::Failure;
use crate::cli::output::Output;

const EXAMPLES: &str = "\
Examples:
  egb completions bash > ~/.local/share/bash-completion/completions/egb
  egb completions zsh > ~/.zfunc/_egb
  egb completions fish > ~/.config/fish/completions/egb.fish";

/// Print completions for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> Result<Ending, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut args::Args::command(), "egb", &mut script);
    Output::bytes(&script)?;
    Ok(Ending::Fine)
}
