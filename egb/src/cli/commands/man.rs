//! `egb man`: the manual pages, made from the help.

use std::io;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use clap_mangen::Man;

use crate::cli::Ending;
use crate::cli::args;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::output::file;

const EXAMPLES: &str = "\
Examples:
  egb man | man -l -
  egb man stats | man -l -
  egb man --output ~/.local/share/man/man1";

/// Print the manual page, or that of a command
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The command
    command: Option<String>,
    /// Write all pages into this folder
    #[arg(short, long, value_name = "FOLDER", conflicts_with = "command")]
    output: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<Ending, Failure> {
    let mut egb = args::Args::command();
    egb.build();
    if let Some(folder) = &args.output {
        return all(&egb, folder);
    }
    let command = match &args.command {
        None => Some(&egb),
        Some(name) => egb.find_subcommand(name),
    };
    let Some(command) = command else {
        return Err(Failure::usage("there is no such command", "`egb --help` lists them"));
    };
    Output::bytes(&page(command.clone()).map_err(Failure::Output)?)?;
    Ok(Ending::Fine)
}

fn all(egb: &clap::Command, folder: &Path) -> Result<Ending, Failure> {
    let commands = egb.get_subcommands().filter(|command| command.get_name() != "help");
    for command in std::iter::once(egb).chain(commands) {
        let bytes = page(command.clone()).map_err(Failure::Output)?;
        let path = folder.join(format!("{}.1", name(command)));
        file::replace(&path, &bytes)?;
    }
    Ok(Ending::Fine)
}

/// `egb`, `egb-stats`.
fn name(command: &clap::Command) -> String {
    match command.get_name() {
        "egb" => "egb".to_owned(),
        name => format!("egb-{name}"),
    }
}

fn page(command: clap::Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let name = name(&command);
    Man::new(command).title(name).source(concat!("egb ", env!("CARGO_PKG_VERSION"))).render(&mut page)?;
    Ok(page)
}
