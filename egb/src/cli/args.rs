//! What can be typed: the options that all commands share, and the list of commands. The options of one command are in
//! its own file.

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, Parser, Subcommand};

use super::commands;
use crate::keyfile::{is_doubtful_file, is_long_enough};

const EXAMPLES: &str = "\
Examples:
  egb import keys.txt                 put the keys of a file into the pool
  egb stats                           how the pool is
  egb health --filter cooling         keys that rest, and for how long
  egb disable work-3                  take a key out, in running programs too
  egb --db app.db --keys-file keys.txt list --sort errors --limit 10

Exit codes: 0 fine, 1 failure, 2 usage, 3 no usable key.";

/// See and steer the API keys that egb spreads calls over.
///
/// It works on the database that programs keep their state in: what it changes is in force in all that run, within a
/// second. With the keys file it shows labels and masked keys; without it, keys by their fingerprints.
#[derive(Debug, Parser)]
#[command(name = "egb", bin_name = "egb", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Which pool, and how to print.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Global {
    /// The database of the pool [default: egb/keys.db in your data directory]
    #[arg(long, global = true, value_name = "FILE", env = "EGB_DB", hide_env_values = true, help_heading = POOL)]
    pub(crate) db: Option<OsString>,
    /// A file with keys of the pool; may be given several times. Keys in the variable `EGB_KEYS` are taken too
    #[arg(
        long = "keys-file",
        global = true,
        value_name = "FILE",
        env = "EGB_KEYS_FILE",
        hide_env_values = true,
        help_heading = POOL
    )]
    pub(crate) keys_files: Vec<OsString>,
    /// A file with the passphrase that opens the sealed keys in the database, and seals one that is made
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "EGB_PASSPHRASE_FILE",
        hide_env_values = true,
        help_heading = POOL
    )]
    pub(crate) passphrase_file: Option<OsString>,
    /// The key file that opens the sealed keys in the database, and seals one that is made
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "EGB_KEY_FILE",
        hide_env_values = true,
        help_heading = POOL
    )]
    pub(crate) key_file: Option<OsString>,
    /// Print JSON
    #[arg(long, global = true, help_heading = PRINTING)]
    pub(crate) json: bool,
    /// Tell more on stderr; twice, everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = PRINTING)]
    pub(crate) verbose: u8,
}

impl Global {
    /// Drops what a variable says of the seal where an option says something else.
    pub(crate) fn prefer_what_was_typed(&mut self, matches: &ArgMatches) {
        let is_typed = |id| matches.value_source(id) == Some(ValueSource::CommandLine);
        match (is_typed("passphrase_file"), is_typed("key_file")) {
            (true, false) => self.key_file = None,
            (false, true) => self.passphrase_file = None,
            _ => {}
        }
    }
}

const POOL: &str = "The pool";
const PRINTING: &str = "Printing";

/// The commands. Each is a file in `commands`.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Stats(commands::stats::Args),
    Health(commands::health::Args),
    List(commands::list::Args),
    Check(commands::check::Args),
    Monitor(commands::monitor::Args),
    Add(commands::add::Args),
    Import(commands::import::Args),
    History(commands::history::Args),
    Remove(commands::remove::Args),
    Enable(commands::enable::Args),
    Disable(commands::disable::Args),
    Weight(commands::weight::Args),
    Reset(commands::reset::Args),
    Cleanup(commands::cleanup::Args),
    Export(commands::export::Args),
    Db(commands::db::Args),
    Completions(commands::completions::Args),
    Man(commands::man::Args),
}

/// Prints what was wrong with the arguments, or the help that was asked for. An argument may be a key that was typed by
/// mistake: what is long enough to be one is not repeated.
pub(crate) fn refuse(mut error: clap::Error) -> ExitCode {
    if error.kind() == ErrorKind::UnknownArgument {
        // Here it is what was typed, and else an option of the command. The suggestion is to type it after `--`.
        hide(&mut error, ContextKind::InvalidArg);
        error.remove(ContextKind::Suggested);
    }
    hide(&mut error, ContextKind::InvalidSubcommand);
    hide(&mut error, ContextKind::InvalidValue);
    let code = u8::try_from(error.exit_code()).unwrap_or(2);
    // When that can't be printed the code still tells.
    let _ = error.print();
    code.into()
}

fn hide(error: &mut clap::Error, kind: ContextKind) {
    if let Some(ContextValue::String(text)) = error.get(kind)
        && is_long_enough(text)
    {
        error.insert(kind, ContextValue::String("…".to_owned()));
    }
}

impl Args {
    /// What was typed as the name of a file that is not there, and may be a key: not to be repeated.
    pub(crate) fn doubtful_names(&self) -> Vec<String> {
        let Global { db, keys_files, passphrase_file, key_file, .. } = &self.global;
        let imported = if let Command::Import(args) = &self.command { Some(args.file.as_os_str()) } else { None };
        let typed = [db, passphrase_file, key_file].into_iter().flatten().chain(keys_files).map(OsString::as_os_str);
        let names = typed.chain(imported).filter_map(OsStr::to_str);
        names.filter(|name| is_doubtful_file(name)).map(str::to_owned).collect()
    }
}
