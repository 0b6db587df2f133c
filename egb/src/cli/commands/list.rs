//! `egb list`: the keys, a line each.

use std::time::SystemTime;

use clap::ValueEnum;
use comfy_table::{Cell, Table};
use serde::Serialize;

use crate::cli::Ending;
use crate::cli::failure::Failure;
use crate::cli::open::Setup;
use crate::cli::output::time::ago;
use crate::cli::output::{Output, style, table};
use crate::cli::rows::{self, Count, Filter, KeyJson, Origins, Selected, Sort, Wanted};
use crate::stats::KeyStats;

const EXAMPLES: &str = "\
Examples:
  egb list
  egb list --sort errors --limit 20
  egb list --filter disabled --group-by source
  egb list --json | jq -r '.keys[] | select(.weight > 1) | .fingerprint'";

/// The keys: label, group, state, weight, failures, last use
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Only keys in this state
    #[arg(short, long, value_enum)]
    filter: Option<Filter>,
    /// The order; else that in which keys were given
    #[arg(short, long, value_enum)]
    sort: Option<Sort>,
    /// At most so many keys
    #[arg(short = 'n', long, value_name = "N")]
    limit: Option<usize>,
    /// A table for each group, or for each source
    #[arg(short, long, value_enum)]
    group_by: Option<GroupBy>,
    /// Show the keys themselves, where they are known
    #[arg(long)]
    reveal: bool,
    /// Let --reveal show them in JSON too
    #[arg(long, requires = "reveal")]
    reveal_in_json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum GroupBy {
    /// Keys of one project, which share a quota
    Group,
    /// The keys file, the import, or how else they came in
    Source,
}

#[derive(Serialize)]
struct ListJson<'a> {
    /// Keys that the filter admits; there may be fewer rows.
    total: usize,
    keys: Vec<KeyJson<'a>>,
}

pub(crate) fn run(args: &Args, setup: &Setup) -> Result<Ending, Failure> {
    if setup.output.is_json() && args.reveal && !args.reveal_in_json {
        let problem = "JSON with the keys themselves has to be asked for in so many words";
        return Err(Failure::usage(problem, "add --reveal-in-json"));
    }
    let wanted = Wanted { filter: args.filter, sort: args.sort, limit: args.limit };
    let Selected { keys, total, digits, .. } = setup.select(wanted)?;
    let (total, digits) = (*total, *digits);
    let secrets = setup.secrets(args.reveal, keys)?;
    if setup.output.is_json() {
        let origins = Origins::read(setup)?;
        let keys = keys.iter().map(|key| KeyJson::new(key, &origins).revealing(secrets.of(key)));
        Output::json(&ListJson { total, keys: keys.collect() })?;
        return Ok(Ending::Fine);
    }
    let table = |keys: &[&KeyStats]| {
        let keys: Vec<(&KeyStats, Option<&str>)> = keys.iter().map(|key| (*key, secrets.of(key))).collect();
        // A key that is cut is of no use.
        let table = if args.reveal { table::uncut(&COLUMNS) } else { table::table(&COLUMNS) };
        table_of(table, &keys, digits, SystemTime::now())
    };
    if total == 0 {
        let why = if args.filter.is_some() { "no key that the filter admits" } else { "no key" };
        setup.output.note(why);
        return Ok(Ending::Fine);
    }
    let groups = match args.group_by {
        None => {
            if !keys.is_empty() {
                Output::text(&table(&keys.iter().collect::<Vec<_>>()))?;
            }
            setup.output.note_cut(keys.len(), total);
            return Ok(Ending::Fine);
        }
        Some(GroupBy::Group) => rows::grouped(keys, |key| key.group.clone()),
        Some(GroupBy::Source) => {
            let origins = Origins::read(setup)?;
            rows::grouped(keys, |key| origins.of(key.fingerprint).source())
        }
    };
    let tables: Vec<String> = groups.iter().map(|(name, keys)| section(name.as_deref(), keys, table)).collect();
    Output::text(&tables.join("\n"))?;
    Ok(Ending::Fine)
}

fn section(name: Option<&str>, keys: &[&KeyStats], table: impl Fn(&[&KeyStats]) -> String) -> String {
    let (bold, count) = (style::BOLD, Count::of(keys.iter().copied()));
    format!("{bold}{}{bold:#}  {}\n{}", name.unwrap_or("none"), count.words(), table(keys))
}

const COLUMNS: [&str; 8] = ["KEY", "MASKED", "~LABEL", "~GROUP", "STATE", ">WEIGHT", ">FAILED", "LAST USED"];

/// All keys, however wide that is.
pub(super) fn uncut_table(keys: &[(&KeyStats, Option<&str>)], digits: usize, now: SystemTime) -> String {
    table_of(table::uncut(&COLUMNS), keys, digits, now)
}

fn table_of(mut table: Table, keys: &[(&KeyStats, Option<&str>)], digits: usize, now: SystemTime) -> String {
    for (key, secret) in keys {
        let cells = vec![
            Cell::new(rows::short(key.fingerprint, digits)),
            Cell::new(secret.unwrap_or(&key.masked)),
            Cell::new(key.label.as_deref().unwrap_or("-")),
            Cell::new(key.group.as_deref().unwrap_or("-")),
            Cell::new(style::state_words(key.state)).fg(style::state_color(key.state)),
            Cell::new(style::weight(key.health.weight())),
            Cell::new(style::number(key.health.error_count())),
            Cell::new(ago(key.last_used, now)),
        ];
        table::add(&mut table, cells);
    }
    table::text(&table)
}
