//! `egb health`: what is wrong with which key, the worst first.

use std::collections::BTreeMap;
use std::time::SystemTime;

use comfy_table::Cell;
use serde::Serialize;

use crate::cli::Ending;
use crate::cli::failure::Failure;
use crate::cli::open::Setup;
use crate::cli::output::time::{Utc, ago, left};
use crate::cli::output::{Output, style, table};
use crate::cli::rows::{self, Count, Filter, KeyJson, Origins, Selected, Sort, Wanted};
use crate::stats::KeyStats;

const EXAMPLES: &str = "\
Examples:
  egb health
  egb health --filter cooling
  egb health --filter error --limit 20
  egb health --json | jq '.errors'

Exit code 3: no key that a call could get now.";

/// What is wrong with which key, the worst first: state, health, last error, time left
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Only keys in this state
    #[arg(short, long, value_enum)]
    filter: Option<Filter>,
    /// At most so many keys
    #[arg(short = 'n', long, value_name = "N")]
    limit: Option<usize>,
}

#[derive(Serialize)]
struct HealthJson<'a> {
    at: Utc,
    /// Of all keys, whatever the filter.
    counts: Count,
    /// How many keys met which reason last, and have not succeeded since.
    errors: &'a BTreeMap<&'static str, usize>,
    /// Keys that the filter admits; there may be fewer rows.
    total: usize,
    keys: Vec<KeyJson<'a>>,
}

pub(crate) fn run(args: &Args, setup: &Setup) -> Result<Ending, Failure> {
    let wanted = Wanted { filter: args.filter, sort: Some(Sort::State), limit: args.limit };
    let Selected { keys, total, counts, errors, digits } = setup.select(wanted)?;
    let now = SystemTime::now();
    if setup.output.is_json() {
        let origins = Origins::read(setup)?;
        let rows = keys.iter().map(|key| KeyJson::new(key, &origins)).collect();
        Output::json(&HealthJson { at: Utc(now), counts: *counts, errors, total: *total, keys: rows })?;
    } else {
        let mut text = summary(*counts);
        if !keys.is_empty() {
            text.push('\n');
            text += &rows_of(keys, *digits, now);
        }
        Output::text(&text)?;
        setup.output.note_cut(keys.len(), *total);
    }
    Ok(if counts.available > 0 { Ending::Fine } else { Ending::NoUsableKey })
}

fn summary(counts: Count) -> String {
    let bold = style::BOLD;
    let keys = if counts.total == 1 { "key" } else { "keys" };
    let words = if counts.total == 0 { "add some with `egb add` or `egb import`".to_owned() } else { counts.words() };
    format!("{bold}{} {keys}{bold:#}: {words}\n", style::number(counts.total as u64))
}

fn rows_of(keys: &[KeyStats], digits: usize, now: SystemTime) -> String {
    let mut table = table::table(&["KEY", "~NAME", "STATE", "HEALTH", "LAST ERROR", "WHEN", ">BACK IN"]);
    for key in keys {
        let failure = rows::failure(key);
        let when = key.health.last_failure().map(|last| ago(Some(last.at), now));
        let factor = key.health.factor();
        let back = left(rows::back_at(key), now);
        let cells = vec![
            Cell::new(rows::short(key.fingerprint, digits)),
            Cell::new(rows::name(key, digits)),
            Cell::new(style::state_words(key.state)).fg(style::state_color(key.state)),
            Cell::new(style::bar(factor)).fg(style::health_color(factor)),
            Cell::new(failure.as_deref().unwrap_or("-")),
            Cell::new(when.as_deref().unwrap_or("-")),
            Cell::new(if back.is_empty() { "-" } else { &back }),
        ];
        table::add(&mut table, cells);
    }
    table::text(&table)
}
