//! `egb history`: what was imported, and when.

use std::time::SystemTime;

use comfy_table::Cell;
use serde::Serialize;

use crate::cli::Ending;
use crate::cli::failure::Failure;
use crate::cli::open::Setup;
use crate::cli::output::style::number;
use crate::cli::output::time::{Utc, ago};
use crate::cli::output::{Output, table};
use crate::store::Imported;

const EXAMPLES: &str = "\
Examples:
  egb history
  egb history --limit 5 --json";

/// The imports, the latest first
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// At most so many imports
    #[arg(short = 'n', long, value_name = "N")]
    limit: Option<usize>,
}

#[derive(Serialize)]
struct HistoryJson<'a> {
    imports: Vec<ImportJson<'a>>,
}

#[derive(Serialize)]
struct ImportJson<'a> {
    at: Utc,
    file: &'a str,
    source: &'a str,
    entries: u32,
    new: u32,
    updated: u32,
    skipped: u32,
}

pub(crate) fn run(args: &Args, setup: &Setup) -> Result<Ending, Failure> {
    let mut imports = setup.look_at_db()?.imports()?;
    imports.reverse();
    imports.truncate(args.limit.unwrap_or(usize::MAX));
    if setup.output.is_json() {
        Output::json(&HistoryJson { imports: imports.iter().map(json).collect() })?;
    } else if imports.is_empty() {
        setup.output.note("nothing was imported; `egb import keys.txt` does");
    } else {
        Output::text(&rows_of(&imports))?;
    }
    Ok(Ending::Fine)
}

fn json(import: &Imported) -> ImportJson<'_> {
    let Imported { at, file, source, entries, new, updated, skipped } = import;
    ImportJson { at: Utc(*at), file, source, entries: *entries, new: *new, updated: *updated, skipped: *skipped }
}

fn rows_of(imports: &[Imported]) -> String {
    let now = SystemTime::now();
    let mut table = table::table(&["WHEN", "~FILE", "~SOURCE", ">KEYS", ">NEW", ">UPDATED", ">SKIPPED"]);
    for import in imports {
        let counts = [import.entries, import.new, import.updated, import.skipped];
        let mut cells = vec![Cell::new(ago(Some(import.at), now)), Cell::new(&import.file), Cell::new(&import.source)];
        cells.extend(counts.map(|count| Cell::new(number(count.into()))));
        table::add(&mut table, cells);
    }
    table::text(&table)
}
