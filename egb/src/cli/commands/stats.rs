//! `egb stats`: how the pool is, in a few lines.

use std::time::SystemTime;

use comfy_table::Cell;
use serde::Serialize;

use crate::cli::Ending;
use crate::cli::failure::Failure;
use crate::cli::open::Setup;
use crate::cli::output::style::{self, number};
use crate::cli::output::time::{Utc, ago};
use crate::cli::output::{Output, shown_path, table};
use crate::cli::rows::{self, Count, KeyJson, Origins, Totals};
use crate::stats::{KeyStats, SessionStats, Stats};

const EXAMPLES: &str = "\
Examples:
  egb stats
  egb stats --detailed
  egb stats --json | jq .success_rate

Exit code 3: no key that a call could get now.";

/// How the pool is: keys, calls, success, weights, database
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Show each key too
    #[arg(short = 'D', long)]
    detailed: bool,
}

#[derive(Serialize)]
pub(super) struct StatsJson<'a> {
    at: Utc,
    database: DatabaseJson,
    keys: Count,
    calls: u64,
    uses: u64,
    successes: u64,
    failures: u64,
    throttled: u64,
    success_rate: Option<f64>,
    weight: WeightJson,
    last_used: Option<Utc>,
    session_capacity: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    detailed: Option<Vec<KeyJson<'a>>>,
}

#[derive(Serialize)]
struct DatabaseJson {
    path: String,
    size_bytes: u64,
}

#[derive(Serialize)]
struct WeightJson {
    total: f64,
    average: Option<f64>,
    effective_total: f64,
}

/// A pool at a moment, in sums.
pub(super) struct Summary<'a> {
    setup: &'a Setup,
    totals: &'a Totals,
    session_capacity: usize,
    /// Of the database, in bytes.
    size: u64,
    at: SystemTime,
}

pub(crate) fn run(args: &Args, setup: &Setup) -> Result<Ending, Failure> {
    let (totals, keys, sessions) = if args.detailed {
        let Stats { keys, sessions } = setup.picture()?;
        (Totals::of(keys), Some(keys), *sessions)
    } else {
        let picture = setup.gather(Totals::default)?;
        (picture.rows, None, picture.sessions)
    };
    let summary = Summary::new(setup, &totals, sessions)?;
    if setup.output.is_json() {
        let origins = if args.detailed { Some(Origins::read(setup)?) } else { None };
        let rows = |origins| keys.into_iter().flatten().map(|key| KeyJson::new(key, &origins)).collect();
        Output::json(&summary.json(origins.map(rows)))?;
    } else {
        let mut text = summary.text();
        if let Some(keys) = keys.filter(|keys| !keys.is_empty()) {
            text.push('\n');
            text += &details(keys, summary.at);
        }
        Output::text(&text)?;
    }
    Ok(if totals.count.available > 0 { Ending::Fine } else { Ending::NoUsableKey })
}

impl<'a> Summary<'a> {
    pub(super) fn new(setup: &'a Setup, totals: &'a Totals, sessions: SessionStats) -> Result<Self, Failure> {
        let size = setup.look_at_db()?.size();
        Ok(Self { setup, totals, session_capacity: sessions.capacity, size, at: SystemTime::now() })
    }

    pub(super) fn json<'k>(&self, detailed: Option<Vec<KeyJson<'k>>>) -> StatsJson<'k> {
        let totals = self.totals;
        StatsJson {
            at: Utc(self.at),
            database: DatabaseJson { path: self.setup.db.display().to_string(), size_bytes: self.size },
            keys: totals.count,
            calls: totals.calls,
            uses: totals.uses,
            successes: totals.successes,
            failures: totals.failures,
            throttled: totals.throttled,
            success_rate: totals.success_rate(),
            weight: WeightJson {
                total: totals.weight(),
                average: totals.average_weight(),
                effective_total: totals.effective_weight(),
            },
            last_used: totals.last_used.map(Utc),
            session_capacity: self.session_capacity,
            detailed,
        }
    }

    pub(super) fn text(&self) -> String {
        let (totals, count) = (self.totals, self.totals.count);
        let mut lines = Vec::new();
        let mut line = |name: &str, figure: String, more: String| {
            let (dim, bold) = (style::DIM, style::BOLD);
            let gap = if more.is_empty() { "" } else { "  " };
            lines.push(format!("{dim}{name:<9}{dim:#}  {bold}{figure}{bold:#}{gap}{more}\n"));
        };
        line("keys", number(count.total as u64), count.words());
        let average = totals.average_weight().map_or_else(String::new, |average| {
            format!("{} on average, {} in effect", style::weight(average), style::weight(totals.effective_weight()))
        });
        line("weight", style::weight(totals.weight()), average);
        let retried = totals.uses > totals.calls;
        let uses = if retried { format!("{} uses of keys, with retries", number(totals.uses)) } else { String::new() };
        line("calls", number(totals.calls), uses);
        let ended = format!("{} succeeded, {} failed", number(totals.successes), number(totals.failures));
        match totals.success_rate() {
            Some(rate) => line("success", style::percent(rate), ended),
            None => line("success", "-".to_owned(), "no call has ended".to_owned()),
        }
        line("429s", number(totals.throttled), String::new());
        line("last use", ago(totals.last_used, self.at), String::new());
        line("database", style::bytes(self.size), shown_path(&self.setup.db));
        let sessions = "sessions that each program remembers at most".to_owned();
        line("cache", number(self.session_capacity as u64), sessions);
        lines.concat()
    }
}

fn details(keys: &[KeyStats], now: SystemTime) -> String {
    let digits = rows::digits(keys.iter().map(|key| key.fingerprint));
    let mut table = table::table(&["KEY", "~NAME", "STATE", ">WEIGHT", ">CALLS", ">SUCCESS", ">429S", "LAST USED"]);
    for key in keys {
        let cells = vec![
            Cell::new(rows::short(key.fingerprint, digits)),
            Cell::new(rows::name(key, digits)),
            Cell::new(style::state_words(key.state)).fg(style::state_color(key.state)),
            Cell::new(style::weight(key.health.effective_weight())),
            Cell::new(number(key.begun)),
            Cell::new(rows::success_rate(key).map_or("-".to_owned(), style::percent)),
            Cell::new(number(key.throttled)),
            Cell::new(ago(key.last_used, now)),
        ];
        table::add(&mut table, cells);
    }
    table::text(&table)
}
