//! `egb import`: the keys of a file into the database, all of them or, if a line is bad, none.

use std::io::{self, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::cli::Ending;
use crate::cli::failure::Failure;
use crate::cli::open::Setup;
use crate::cli::output::shown_path;
use crate::cli::output::style::number;
use crate::config::KeyConfig;
use crate::error::Error;
use crate::key::Key;
use crate::keyfile;
use crate::store::{Import, Imported};

const EXAMPLES: &str = "\
Examples:
  egb import keys.txt
  egb import keys.txt --source team-a
  pass show gemini-keys | egb import - --source pass

One key a line: `key`, or `key:weight`, then label=, group=, rpm=, rpd=, tpm=, concurrency= if wanted; `#` starts a
comment. Keys that are in the database already get the settings of the file. If a line is bad no key is imported.";

/// So many keys take long enough for a progress bar.
const MANY: usize = 2_000;

/// Put the keys of a file into the database
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The keys file; `-` is stdin
    pub(crate) file: PathBuf,
    /// Where they come from, for `egb list --group-by source` [default: the file's name]
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
}

#[derive(Serialize)]
struct ImportJson<'a> {
    file: &'a str,
    source: &'a str,
    entries: u32,
    new: u32,
    updated: u32,
    skipped: u32,
}

pub(crate) fn run(args: &Args, setup: &Setup) -> Result<Ending, Failure> {
    let configs = read(&args.file)?;
    if configs.is_empty() {
        return Err(Error::EmptySource { source_name: name(&args.file) }.into());
    }
    let (file, source) = (name(&args.file), args.source.clone().unwrap_or_else(|| name(&args.file)));
    if args.source.is_some() {
        check_source(&source, configs.iter().map(|config| &config.key))?;
    }
    let mut db = setup.make_db()?;
    let bar = bar(configs.len(), setup);
    let import = Import { configs: &configs, source: &source, file: Some(&file) };
    let imported = db.import(import, |done| bar.set_position(done));
    bar.finish_and_clear();
    let Imported { entries, new, updated, skipped, .. } = imported?;
    let json = ImportJson { file: &file, source: &source, entries, new, updated, skipped };
    setup.output.result(&json, || {
        let words = [(new, "new"), (updated, "updated"), (skipped, "skipped")];
        let words = words.map(|(count, what)| format!("{} {what}", number(count.into())));
        let why = if skipped > 0 { " (there already)" } else { "" };
        format!("imported {file}: {}{why}\n", words.join(", "))
    })?;
    setup.note_if_given(&configs.iter().map(|config| config.key.fingerprint()).collect::<Vec<_>>())?;
    Ok(Ending::Fine)
}

/// A source is printed, as labels are.
pub(super) fn check_source<'a>(source: &str, keys: impl IntoIterator<Item = &'a Key>) -> Result<(), Failure> {
    let refused = |problem| Failure::Usage { problem: format!("the source {problem}"), hint: None };
    let mut keys = keys.into_iter();
    keys.try_for_each(|key| keyfile::check_names(Some(source), None, key.expose_secret())).map_err(refused)
}

/// How the file is named in what is printed and kept.
fn name(file: &Path) -> String {
    if file == Path::new("-") { "stdin".to_owned() } else { shown_path(file) }
}

fn read(file: &Path) -> Result<Vec<KeyConfig>, Failure> {
    if file != Path::new("-") {
        return Ok(keyfile::read(file).map_err(Error::from)?);
    }
    let mut bytes = Zeroizing::new(Vec::new());
    io::stdin().lock().read_to_end(&mut bytes).map_err(Failure::file("stdin", "read the keys"))?;
    Ok(keyfile::parse(&bytes, Path::new("stdin")).map_err(Error::from)?)
}

/// Shown where somebody sees it, and has to wait.
fn bar(keys: usize, setup: &Setup) -> ProgressBar {
    if keys < MANY || setup.output.is_json() || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("  {bar:40} {pos}/{len} keys");
    ProgressBar::new(keys as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
