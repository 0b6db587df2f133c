//! The monitor where there is no terminal: a block of lines for each look, or a line of JSON.

use std::collections::HashSet;
use std::thread;

use comfy_table::Cell;
use serde::Serialize;

use super::model::Model;
use super::{Args, Source};
use crate::cli::commands::monitor::happening::{EventJson, Happening};
use crate::cli::failure::Failure;
use crate::cli::open::Setup;
use crate::cli::output::style::{self, number, percent};
use crate::cli::output::time::{Utc, clock, left, moment};
use crate::cli::output::{Output, table};
use crate::cli::rows::{self, Count, KeyJson, Origins};
use crate::clock::Clock;
use crate::key::Fingerprint;
use crate::stats::KeyStats;

/// One look.
#[derive(Serialize)]
struct LookJson<'a> {
    at: Utc,
    keys: Count,
    calls: u64,
    successes: u64,
    failures: u64,
    throttled: u64,
    /// Over the last ten seconds; unknown at the first look.
    calls_per_second: Option<f64>,
    throttled_per_second: Option<f64>,
    /// Over the last sixty looks.
    success_rate: Option<f64>,
    /// What happened since the look before.
    events: Vec<EventJson<'a>>,
    /// The first keys in the order that was asked for.
    detailed: Vec<KeyJson<'a>>,
}

pub(super) fn run(mut model: Model, mut source: Source, args: &Args, setup: &Setup) -> Result<(), Failure> {
    model.set_page(args.limit.max(1));
    let mut origins = if setup.output.is_json() { Some(Origins::read(setup)?) } else { None };
    let mut known: HashSet<Fingerprint> = source.balancer.stats().keys.iter().map(|key| key.fingerprint).collect();
    let mut looks = 0;
    loop {
        let next = source.clock.monotonic() + model.interval;
        source.show(&mut model);
        let happenings: Vec<Happening> = std::mem::take(&mut model.happenings).into();
        if let Some(origins) = &mut origins {
            let is_new = |key: &&KeyStats| known.insert(key.fingerprint);
            // Added since, or in a keys file that changed.
            if model.visible().1.take(args.limit).filter(is_new).count() > 0 {
                *origins = Origins::read(setup)?;
            }
        }
        match &origins {
            Some(origins) => Output::json_line(&json(&model, &happenings, args.limit, origins))?,
            None => Output::text(&block(&model, &happenings, args.limit))?,
        }
        looks += 1;
        if args.count.is_some_and(|count| looks >= count) {
            return Ok(());
        }
        // In real time, for a person or a pipe: tests look with `--count`.
        thread::sleep(next.saturating_sub(source.clock.monotonic()));
    }
}

fn json<'a>(model: &'a Model, happenings: &'a [Happening], limit: usize, origins: &Origins) -> LookJson<'a> {
    let (sums, speed) = (model.flow.sums(), model.flow.speed());
    let (_, rows) = model.visible();
    LookJson {
        at: Utc(model.now),
        keys: model.count,
        calls: sums.calls,
        successes: sums.successes,
        failures: sums.failures,
        throttled: sums.throttled,
        calls_per_second: speed.map(|(calls, _)| calls),
        throttled_per_second: speed.map(|(_, throttled)| throttled),
        success_rate: model.flow.success_rate(),
        events: happenings.iter().filter_map(Happening::json).collect(),
        detailed: rows.take(limit).map(|key| KeyJson::new(key, origins)).collect(),
    }
}

fn block(model: &Model, happenings: &[Happening], limit: usize) -> String {
    let (speed, throttled) = model.flow.speed().unwrap_or_default();
    let success = model.flow.success_rate().map_or_else(|| "-".to_owned(), percent);
    let words = model.count.words();
    let words = if words.is_empty() { words } else { format!(": {words}") };
    let (bold, total) = (style::BOLD, number(model.count.total as u64));
    let mut text = format!(
        "{bold}{}{bold:#}  {total} keys{words}; {speed:.1} calls/s, success {success}, 429s {throttled:.1}/s\n",
        moment(model.now)
    );
    let (_, rows) = model.visible();
    let mut rows = rows.take(limit).peekable();
    if rows.peek().is_some() {
        let mut table = table::table(&["KEY", "~NAME", "STATE", "BACK IN", ">CALLS", ">FAILED", ">429S", "LAST ERROR"]);
        for key in rows {
            let cells = vec![
                Cell::new(rows::short(key.fingerprint, model.digits)),
                Cell::new(rows::own_name(key)),
                Cell::new(style::state_words(key.state)).fg(style::state_color(key.state)),
                Cell::new(left(rows::back_at(key), model.now)),
                Cell::new(number(key.calls)),
                Cell::new(number(key.failures)),
                Cell::new(number(key.throttled)),
                Cell::new(rows::failure(key).unwrap_or_default()),
            ];
            table::add(&mut table, cells);
        }
        text += &table::text(&table);
    }
    text.extend(happenings.iter().map(line));
    text + "\n"
}

fn line(happening: &Happening) -> String {
    let name = happening.name.as_deref().map(|name| format!("{name}  ")).unwrap_or_default();
    format!("{}  {name}{}\n", clock(happening.at), happening.text)
}
