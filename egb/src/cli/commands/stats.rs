//! `egb stats`: how the pool is, in a few lines.

use std::time::SystemTime;

use comfy_table::Cell;
use serde::Serialize;

use crate::cli::Ending;
use crate::cli::failure::Failure;
use crate::cli::open::Setup;
use crate::cli::output::style::{self, number};
use crate::cli::output::time::{Utc, ago};
use crate::cli::output::{Output, table};
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
struct StatsJson<'a> {
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

pub(crate) fn run(args: &Args, setup: &Setup) -> Result<Ending, Failure> {
    let stats = setup.look()?.stats();
    let size = setup.look_at_db()?.facts()?.size;
    let now = SystemTime::now();
    let count = Count::of(&stats.keys);
    if setup.output.is_json() {
        let origins = if args.detailed { Some(Origins::read(setup)?) } else { None };
        let detailed = origins.map(|origins| stats.keys.iter().map(|key| KeyJson::new(key, &origins)).collect());
        Output::json(&json(setup, &stats, count, size, now, detailed))?;
    } else {
        let mut lines = text(setup, &stats, count, size, now);
        if args.detailed && !stats.keys.is_empty() {
            lines.push('\n');
            lines += &details(&stats, now);
        }
        Output::text(&lines)?;
    }
    Ok(if count.available > 0 { Ending::Fine } else { Ending::NoUsableKey })
}

fn json<'a>(
    setup: &Setup,
    stats: &'a Stats,
    keys: Count,
    size: u64,
    now: SystemTime,
    detailed: Option<Vec<KeyJson<'a>>>,
) -> StatsJson<'a> {
    let Weights { total, effective } = weights(stats);
    StatsJson {
        at: Utc(now),
        database: DatabaseJson { path: setup.db.display().to_string(), size_bytes: size },
        keys,
        calls: stats.calls(),
        uses: stats.uses(),
        successes: stats.successes(),
        failures: stats.failures(),
        throttled: stats.throttled(),
        success_rate: stats.success_rate(),
        weight: WeightJson { total, average: average(total, keys.total), effective_total: effective },
        last_used: last_used(stats).map(Utc),
        session_capacity: stats.sessions.capacity,
        detailed,
    }
}

struct Weights {
    total: f64,
    effective: f64,
}

fn weights(stats: &Stats) -> Weights {
    let sum = |weight: fn(&KeyStats) -> f64| stats.keys.iter().map(weight).sum();
    Weights { total: sum(|key| key.health.weight()), effective: sum(|key| key.health.effective_weight()) }
}

fn average(total: f64, keys: usize) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 keys")]
    let average = total / keys as f64;
    (keys > 0).then_some(average)
}

fn last_used(stats: &Stats) -> Option<SystemTime> {
    stats.keys.iter().filter_map(|key| key.last_used).max()
}

fn text(setup: &Setup, stats: &Stats, count: Count, size: u64, now: SystemTime) -> String {
    let Weights { total, effective } = weights(stats);
    let mut lines = String::new();
    let mut line = |name: &str, figure: String, more: String| {
        let (dim, bold) = (style::DIM, style::BOLD);
        lines += &format!("{dim}{name:<9}{dim:#}  {bold}{figure}{bold:#}{more}\n");
    };
    let words = count.words();
    line("keys", number(count.total as u64), if words.is_empty() { words } else { format!("  {words}") });
    let average = average(total, count.total).map_or_else(String::new, |average| {
        format!("  {} on average, {} in effect", style::weight(average), style::weight(effective))
    });
    line("weight", style::weight(total), average);
    let uses = if stats.uses() == stats.calls() {
        String::new()
    } else {
        format!("  {} uses of keys, with retries", number(stats.uses()))
    };
    line("calls", number(stats.calls()), uses);
    let ended = format!("  {} succeeded, {} failed", number(stats.successes()), number(stats.failures()));
    let rate = stats.success_rate();
    line("success", rate.map_or("-".to_owned(), style::percent), rate.map_or_else(String::new, |_| ended));
    line("429s", number(stats.throttled()), String::new());
    line("last use", ago(last_used(stats), now), String::new());
    line("database", style::bytes(size), format!("  {}", setup.db.display()));
    let sessions = "  sessions that each program can remember".to_owned();
    line("cache", number(stats.sessions.capacity as u64), sessions);
    lines
}

fn details(stats: &Stats, now: SystemTime) -> String {
    let digits = rows::digits(&stats.keys);
    let mut table = table::table(&["KEY", "NAME", "STATE", ">WEIGHT", ">CALLS", ">SUCCESS", ">429S", "LAST USED"]);
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
