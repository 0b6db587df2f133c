//! `egb cleanup`: what was not used for long. Removes added keys, forgets what is known of keys that are gone, and names
//! lines of keys files; only with `--yes`, and only what was not used meanwhile either.

use std::time::{Duration, SystemTime};

use comfy_table::Cell;
use jiff::{Span, SpanRelativeTo};
use serde::Serialize;

use crate::cli::Ending;
use crate::cli::failure::Failure;
use crate::cli::open::Setup;
use crate::cli::output::style::number;
use crate::cli::output::time::{Utc, ago, span};
use crate::cli::output::{Output, table};
use crate::cli::rows::{self, Origin, Origins};
use crate::key::Fingerprint;
use crate::keyfile;
use crate::stats::{KeyStats, Stats};

const EXAMPLES: &str = "\
Examples:
  egb cleanup --unused 30d              what would be done
  egb cleanup --unused 30d --yes        do it
  egb --keys-file keys.txt cleanup --unused 2w

Keys that were added are removed, and keys that no source gives any more are forgotten; which those are can only be told
with all keys files of the pool (--keys-file). Keys of a keys file are not touched: their lines are named.";

/// Remove what was not used for long; without --yes, say what that is
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// How long: 30d, 2w, 36h
    #[arg(long, value_name = "SPAN", value_parser = parse)]
    unused: Duration,
    /// Do it
    #[arg(short, long)]
    yes: bool,
}

fn parse(text: &str) -> Result<Duration, &'static str> {
    const PROBLEM: &str = "a span is a number and a unit, as 30d, 2w or 36h";
    let span: Span = text.parse().map_err(|_| PROBLEM)?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| PROBLEM)?;
    Duration::try_from(duration).map_err(|_| PROBLEM)
}

/// What is to be done about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    /// It was added: out of the pool.
    Remove,
    /// It is in no pool: what is known of it goes.
    Forget,
    /// A keys file, or a variable, gives it: nothing is done.
    Edit,
    /// Nobody here knows what gives it: nothing is done.
    Leave,
}

struct Unused {
    action: Action,
    fingerprint: Fingerprint,
    name: String,
    source: Option<String>,
    line: Option<usize>,
    last_used: Option<SystemTime>,
}

#[derive(Serialize)]
struct CleanupJson {
    unused_since: Utc,
    /// Whether it was done.
    done: bool,
    removed: usize,
    forgotten: usize,
    keys: Vec<UnusedJson>,
}

#[derive(Serialize)]
struct UnusedJson {
    action: Action,
    fingerprint: String,
    source: Option<String>,
    line: Option<usize>,
    last_used: Option<Utc>,
}

pub(crate) fn run(args: &Args, setup: &Setup) -> Result<Ending, Failure> {
    let now = SystemTime::now();
    let since = now.checked_sub(args.unused).unwrap_or(SystemTime::UNIX_EPOCH);
    let stats = setup.picture()?;
    let mut keys = unused(stats, setup, since)?;
    keys.extend(gone(stats, setup, since)?);
    let of = |action| -> Vec<Fingerprint> {
        keys.iter().filter(|key| key.action == action).map(|key| key.fingerprint).collect()
    };
    let (remove, forget) = (of(Action::Remove), of(Action::Forget));
    let (mut removed, mut forgotten) = (remove.len(), forget.len());
    if args.yes && !(remove.is_empty() && forget.is_empty()) {
        let mut db = setup.edit_db()?;
        removed = db.remove_unused(&remove, since)?;
        forgotten = db.forget_unused(&forget, since)?;
    }
    if setup.output.is_json() {
        let keys = keys.into_iter().map(json).collect();
        Output::json(&CleanupJson { unused_since: Utc(since), done: args.yes, removed, forgotten, keys })?;
        return Ok(Ending::Fine);
    }
    if keys.is_empty() {
        Output::text(&format!("no key was left unused for {}\n", span(args.unused)))?;
        return Ok(Ending::Fine);
    }
    let counts = format!("{}, {}", counted(removed, "remove"), counted(forgotten, "forget"));
    let done = match (args.yes, removed + forgotten) {
        (_, 0) => "nothing to remove or forget\n".to_owned(),
        (true, _) => format!("done: {counts}\n"),
        (false, _) => format!("to be done: {counts}; add --yes to do it\n"),
    };
    Output::text(&(rows_of(&keys, now) + "\n" + &done))?;
    if keys.iter().any(|key| key.action == Action::Leave) {
        setup.output.note("keys to leave: a program may still give them; name its keys file with --keys-file to know");
    }
    Ok(Ending::Fine)
}

fn counted(count: usize, what: &str) -> String {
    format!("{what} {}", number(count as u64))
}

/// Keys of the pool that were not used since. One that was never used counts from the last change of it.
fn unused(stats: &Stats, setup: &Setup, since: SystemTime) -> Result<Vec<Unused>, Failure> {
    let origins = Origins::read(setup)?;
    let changes = setup.look_at_db()?.last_changes()?;
    let digits = rows::digits(stats.keys.iter().map(|key| key.fingerprint));
    let is_unused = |key: &&KeyStats| {
        let last_change = changes.get(&key.fingerprint).copied();
        key.last_used.or(last_change).is_none_or(|time| time <= since)
    };
    let row = |key: &KeyStats| {
        let origin = origins.of(key.fingerprint);
        let action = match origin {
            Origin::Added(_) => Action::Remove,
            Origin::KeysFile(_) | Origin::Variable => Action::Edit,
            Origin::Elsewhere => Action::Leave,
        };
        Unused {
            action,
            fingerprint: key.fingerprint,
            name: rows::name(key, digits),
            source: origin.source(),
            line: None,
            last_used: key.last_used,
        }
    };
    let mut keys: Vec<Unused> = stats.keys.iter().filter(is_unused).map(row).collect();
    for file in &setup.keys_files {
        let lines = keyfile::lines_of(file).map_err(crate::Error::from)?;
        for key in keys.iter_mut().filter(|key| key.action == Action::Edit && key.line.is_none()) {
            key.line = lines.get(&key.fingerprint).copied();
        }
    }
    Ok(keys)
}

/// Keys that are in no pool any more and of which nothing was heard since: they were removed, or, when sources are given,
/// these don't give them.
fn gone(stats: &Stats, setup: &Setup, since: SystemTime) -> Result<Vec<Unused>, Failure> {
    let db = setup.look_at_db()?;
    let in_pool: std::collections::HashSet<Fingerprint> = stats.keys.iter().map(|key| key.fingerprint).collect();
    let (removed, changes) = (db.removed_keys()?, db.last_changes()?);
    let is_gone = |name: &Fingerprint| setup.has_sources() || removed.contains_key(name);
    let mut gone: Vec<Unused> = Vec::new();
    for (name, last_used) in db.last_uses()? {
        let last = last_used.max(changes.get(&name).copied());
        if !in_pool.contains(&name) && is_gone(&name) && last.is_none_or(|time| time <= since) {
            let (name, fingerprint) = (rows::named(name, None), name);
            gone.push(Unused { action: Action::Forget, fingerprint, name, source: None, line: None, last_used });
        }
    }
    Ok(gone)
}

fn json(key: Unused) -> UnusedJson {
    let Unused { action, fingerprint, source, line, last_used, .. } = key;
    UnusedJson { action, fingerprint: fingerprint.to_string(), source, line, last_used: last_used.map(Utc) }
}

fn rows_of(keys: &[Unused], now: SystemTime) -> String {
    let mut table = table::table(&["ACTION", "KEY", "~NAME", "~SOURCE", "LAST USED"]);
    for key in keys {
        let action = match key.action {
            Action::Remove => "remove",
            Action::Forget => "forget",
            Action::Edit => "edit file",
            Action::Leave => "leave",
        };
        let line = key.line.map_or_else(String::new, |line| format!(":{line}"));
        let source = key.source.as_ref().map_or_else(|| "-".to_owned(), |source| format!("{source}{line}"));
        let cells = vec![
            Cell::new(action),
            Cell::new(rows::named(key.fingerprint, None)),
            Cell::new(&key.name),
            Cell::new(source),
            Cell::new(ago(key.last_used, now)),
        ];
        table::add(&mut table, cells);
    }
    table::text(&table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_numbers_with_units() {
        let hours = |text| parse(text).map(|span| span.as_secs() / 3_600);
        assert_eq!([hours("30d"), hours("2w"), hours("36h"), hours("1d 12h")], [Ok(720), Ok(336), Ok(36), Ok(36)]);
        for bad in ["", "30", "1 month", "-3d", "soon"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
