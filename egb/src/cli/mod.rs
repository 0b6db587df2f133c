//! The command `egb`: see and steer the keys of a pool, through the database that running programs share. It opens the
//! library's own pool (`open.rs`); a command of its own is one file in `commands`.

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

mod args;
mod commands;
mod failure;
mod find;
mod log;
mod open;
mod output;
mod rows;

use args::{Args, Command};
use failure::Failure;
use open::Setup;

/// How a command ended that did what it was asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Fine,
    /// What it found is a failure, of which it has told.
    Failed,
    /// There is no key that a call could get.
    NoUsableKey,
}

impl Ending {
    fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Failed => 1,
            Self::NoUsableKey => 3,
        }
    }
}

/// Runs the command with the arguments of the process.
pub fn main() -> ExitCode {
    let matches = match Args::command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return args::refuse(error),
    };
    let mut args = match Args::from_arg_matches(&matches) {
        Ok(args) => args,
        Err(error) => return args::refuse(error),
    };
    args.global.prefer_what_was_typed(&matches);
    log::to_stderr(args.global.verbose);
    let doubtful = args.doubtful_names();
    match run(args) {
        Ok(ending) => ending.code().into(),
        // Who reads no further has what he wanted.
        Err(Failure::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            output::error(&failure, &doubtful);
            failure.code().into()
        }
    }
}

fn run(args: Args) -> Result<Ending, Failure> {
    let setup = Setup::new(args.global)?;
    match args.command {
        Command::Stats(args) => commands::stats::run(&args, &setup),
        Command::Health(args) => commands::health::run(&args, &setup),
        Command::List(args) => commands::list::run(&args, &setup),
        Command::Check(args) => commands::check::run(&args, &setup),
        Command::Monitor(args) => commands::monitor::run(&args, &setup),
        Command::Add(args) => commands::add::run(&args, &setup),
        Command::Import(args) => commands::import::run(&args, &setup),
        Command::History(args) => commands::history::run(&args, &setup),
        Command::Remove(args) => commands::remove::run(&args, &setup),
        Command::Enable(args) => commands::enable::run(&args, &setup),
        Command::Disable(args) => commands::disable::run(&args, &setup),
        Command::Weight(args) => commands::weight::run(&args, &setup),
        Command::Reset(args) => commands::reset::run(&args, &setup),
        Command::Cleanup(args) => commands::cleanup::run(&args, &setup),
        Command::Export(args) => commands::export::run(&args, &setup),
        Command::Db(args) => commands::db::run(&args, &setup),
        Command::Completions(args) => commands::completions::run(&args),
        Command::Man(args) => commands::man::run(&args),
    }
}
