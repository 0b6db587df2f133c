//! `egb stats`: how the pool is, in a few lines.

use std::time::SystemTime;

use comfy_table::Cell;
use serde::Serialize;

use crate::cli::Ending;
use crate::cli::failure::Failure;
use crate::cli::open::Setup;
use crate::cli::output::style::{self, number};
use crate::cli::output::time::{Utc, ago};
use crate::cli::output::{Output, shown, table};
use crate::cli::rows::{self, Count, KeyJson, Origins};
use crate::stats::{KeyStats, Stats};

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

/// A pool at a moment.
pub(super) struct Picture<'a> {
    setup: &'a Setup,
    stats: &'a Stats,
    count: Count,
    /// Of the database, in bytes.
    size: u64,
    at: SystemTime,
}

pub(crate) fn run(args: &Args, setup: &Setup) -> Result<Ending, Failure> {
    let stats = &*setup.picture()?;
    let picture = Picture::new(setup, stats)?;
    if setup.output.is_json() {
        let origins = if args.detailed { Some(Origins::read(setup)?) } else { None };
        let detailed = origins.map(|origins| stats.keys.iter().map(|key| KeyJson::new(key, &origins)).collect());
        Output::json(&picture.json(detailed))?;
    } else {
        let mut text = picture.text();
        if args.detailed && !stats.keys.is_empty() {
            text.push('\n');
            text += &details(stats, picture.at);
        }
        Output::text(&text)?;
    }
    Ok(if picture.count.available > 0 { Ending::Fine } else { Ending::NoUsableKey })
}

impl<'a> Picture<'a> {
    pub(super) fn new(setup: &'a Setup, stats: &'a Stats) -> Result<Self, Failure> {
        let size = setup.look_at_db()?.size();
        Ok(Self { setup, stats, count: Count::of(&stats.keys), size, at: SystemTime::now() })
    }

    pub(super) fn json(&self, detailed: Option<Vec<KeyJson<'a>>>) -> StatsJson<'a> {
        let (stats, weights) = (self.stats, Weights::of(self.stats));
        StatsJson {
            at: Utc(self.at),
            database: DatabaseJson { path: self.setup.db.display().to_string(), size_bytes: self.size },
            keys: self.count,
            calls: stats.calls(),
            uses: stats.uses(),
            successes: stats.successes(),
            failures: stats.failures(),
            throttled: stats.throttled(),
            success_rate: stats.success_rate(),
            weight: WeightJson {
                total: weights.total,
                average: weights.average(self.count.total),
                effective_total: weights.effective,
            },
            last_used: last_used(stats).map(Utc),
            session_capacity: stats.sessions.capacity,
            detailed,
        }
    }

    pub(super) fn text(&self) -> String {
        let (stats, count, weights) = (self.stats, self.count, Weights::of(self.stats));
        let mut lines = Vec::new();
        let mut line = |name: &str, figure: String, more: String| {
            let (dim, bold) = (style::DIM, style::BOLD);
            let gap = if more.is_empty() { "" } else { "  " };
            lines.push(format!("{dim}{name:<9}{dim:#}  {bold}{figure}{bold:#}{gap}{more}\n"));
        };
        line("keys", number(count.total as u64), count.words());
        let average = weights.average(count.total).map_or_else(String::new, |average| {
            format!("{} on average, {} in effect", style::weight(average), style::weight(weights.effective))
        });
        line("weight", style::weight(weights.total), average);
        let retried = stats.uses() > stats.calls();
        let uses = if retried { format!("{} uses of keys, with retries", number(stats.uses())) } else { String::new() };
        line("calls", number(stats.calls()), uses);
        let ended = format!("{} succeeded, {} failed", number(stats.successes()), number(stats.failures()));
        match stats.success_rate() {
            Some(rate) => line("success", style::percent(rate), ended),
            None => line("success", "-".to_owned(), "no call has ended".to_owned()),
        }
        line("429s", number(stats.throttled()), String::new());
        line("last use", ago(last_used(stats), self.at), String::new());
        line("database", style::bytes(self.size), shown(&self.setup.db.display().to_string()));
        let sessions = "sessions that each program remembers at most".to_owned();
        line("cache", number(stats.sessions.capacity as u64), sessions);
        lines.concat()
    }
}

struct Weights {
    total: f64,
    effective: f64,
}

impl Weights {
    fn of(stats: &Stats) -> Self {
        // A sum of nothing is -0.
        let sum = |weight: fn(&KeyStats) -> f64| stats.keys.iter().map(weight).sum::<f64>() + 0.0;
        Self { total: sum(|key| key.health.weight()), effective: sum(|key| key.health.effective_weight()) }
    }

    fn average(&self, keys: usize) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 keys")]
        let average = self.total / keys as f64;
        (keys > 0).then_some(average)
    }
}

fn last_used(stats: &Stats) -> Option<SystemTime> {
    stats.keys.iter().filter_map(|key| key.last_used).max()
}

fn details(stats: &Stats, now: SystemTime) -> String {
    let digits = rows::digits(&stats.keys);
    let mut table = table::table(&["KEY", "~NAME", "STATE", ">WEIGHT", ">CALLS", ">SUCCESS", ">429S", "LAST USED"]);
    for key in &stats.keys {
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
