//! `egb export`: the pool as JSON, CSV or text, to a file or to stdout.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::ValueEnum;
use serde::Serialize;

use super::list;
use super::stats::Summary;
use crate::cli::Ending;
use crate::cli::failure::Failure;
use crate::cli::open::Setup;
use crate::cli::output::{Output, file, shown, style, time};
use crate::cli::rows::{self, KeyJson, Origin, Origins, Totals};
use crate::keyfile::descriptor;
use crate::limits::Limits;
use crate::stats::{KeyStats, Stats};

const EXAMPLES: &str = "\
Examples:
  egb export > pool.json
  egb export --format csv --output keys.csv
  egb export --output report.txt

A file is written whole or not at all, and readable by you alone. Its format follows from its name, unless given.";

/// The number of stdout among the open files.
const STDOUT: u32 = 1;

/// Write the pool as JSON, CSV or text
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Else as the file's name ends, or JSON
    #[arg(short, long, value_enum)]
    format: Option<Format>,
    /// The file; without it, stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write the keys themselves, where they are known
    #[arg(long)]
    reveal: bool,
    /// Let --reveal write them in JSON too
    #[arg(long, requires = "reveal")]
    reveal_in_json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// As `egb stats --detailed --json` prints
    Json,
    /// A line a key, with a header
    Csv,
    /// For people: `egb stats`, and a line a key
    Txt,
}

#[derive(Serialize)]
struct ExportedJson {
    file: String,
    format: Format,
    keys: usize,
}

impl Serialize for Format {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Txt => "txt",
        })
    }
}

pub(crate) fn run(args: &Args, setup: &Setup) -> Result<Ending, Failure> {
    let format = args.format.or_else(|| args.output.as_deref().and_then(format_of)).unwrap_or(Format::Json);
    if format == Format::Json && args.reveal && !args.reveal_in_json {
        let problem = "JSON with the keys themselves has to be asked for in so many words";
        return Err(Failure::usage(problem, "add --reveal-in-json"));
    }
    let (bytes, keys) = render(args, format, setup)?;
    let Some(path) = args.output.as_deref().filter(|path| descriptor(path) != Some(STDOUT)) else {
        Output::bytes(&bytes)?;
        return Ok(Ending::Fine);
    };
    file::replace(path, &bytes)?;
    let json = ExportedJson { file: path.display().to_string(), format, keys };
    let name = shown(&json.file);
    setup.output.result(&json, || format!("wrote {} keys to {name}\n", style::number(keys as u64)))?;
    Ok(Ending::Fine)
}

fn format_of(path: &Path) -> Option<Format> {
    let ending = path.extension()?.to_str()?;
    Format::from_str(ending, true).ok()
}

fn render(args: &Args, format: Format, setup: &Setup) -> Result<(Vec<u8>, usize), Failure> {
    let Stats { keys, sessions } = setup.picture()?;
    let secrets = setup.secrets(args.reveal, keys)?;
    let origins = Origins::read(setup)?;
    let totals = Totals::of(keys);
    let summary = Summary::new(setup, &totals, *sessions)?;
    let now = SystemTime::now();
    let rows = keys.iter().map(|key| (key, secrets.of(key)));
    let failed = |error: &dyn std::fmt::Display| Failure::Output(std::io::Error::other(error.to_string()));
    let bytes = match format {
        Format::Json => {
            let rows = rows.map(|(key, secret)| KeyJson::new(key, &origins).revealing(secret));
            let value = summary.json(Some(rows.collect()));
            let mut bytes = serde_json::to_vec_pretty(&value).map_err(|error| failed(&error))?;
            bytes.push(b'\n');
            bytes
        }
        Format::Csv => csv(rows, args.reveal, &origins).map_err(|error| failed(&error))?,
        Format::Txt => {
            let rows_of: Vec<_> = rows.collect();
            let digits = rows::digits(keys.iter().map(|key| key.fingerprint));
            let text = format!(
                "egb, {}\n\n{}\n{}",
                time::rfc3339(now),
                summary.text(),
                list::uncut_table(&rows_of, digits, now)
            );
            anstream::adapter::strip_str(&text).to_string().into_bytes()
        }
    };
    Ok((bytes, keys.len()))
}

/// A key, and where it came from.
type Row<'a> = (&'a KeyStats, &'a Origin, Option<SystemTime>);
/// A name, and what is below it; where there is nothing the cell is empty.
type Column = (&'static str, fn(&Row<'_>) -> Option<String>);

const COLUMNS: [Column; 26] = [
    ("fingerprint", |(key, ..)| Some(key.fingerprint.to_string())),
    ("masked", |(key, ..)| Some(key.masked.clone())),
    ("label", |(key, ..)| key.label.clone()),
    ("group", |(key, ..)| key.group.clone()),
    ("source", |(_, origin, _)| origin.source()),
    ("state", |(key, ..)| Some(style::state_name(key.state).to_owned())),
    ("back_at", |(key, ..)| rows::back_at(key).map(time::rfc3339)),
    ("weight", |(key, ..)| Some(key.health.weight().to_string())),
    ("effective_weight", |(key, ..)| Some(key.health.effective_weight().to_string())),
    ("health", |(key, ..)| Some(key.health.factor().to_string())),
    ("error_count", |(key, ..)| Some(key.health.error_count().to_string())),
    ("consecutive_errors", |(key, ..)| Some(key.health.consecutive_errors().to_string())),
    ("last_error_at", |(key, ..)| key.health.last_failure().map(|last| time::rfc3339(last.at))),
    ("last_error_status", |(key, ..)| key.health.last_failure()?.status.map(|status| status.to_string())),
    ("last_error_reason", |(key, ..)| key.health.last_failure().map(|last| last.reason.name().to_owned())),
    ("calls", |(key, ..)| Some(key.begun.to_string())),
    ("uses", |(key, ..)| Some(key.calls.to_string())),
    ("successes", |(key, ..)| Some(key.successes.to_string())),
    ("failures", |(key, ..)| Some(key.failures.to_string())),
    ("throttled", |(key, ..)| Some(key.throttled.to_string())),
    ("rpm", |(key, ..)| limit(key, |limits| limits.rpm)),
    ("rpd", |(key, ..)| limit(key, |limits| limits.rpd)),
    ("tpm", |(key, ..)| limit(key, |limits| limits.tpm)),
    ("concurrency", |(key, ..)| limit(key, |limits| limits.concurrency)),
    ("last_used", |(key, ..)| key.last_used.map(time::rfc3339)),
    ("added_at", |(.., added_at)| added_at.map(time::rfc3339)),
];

fn limit(key: &KeyStats, which: fn(&Limits) -> Option<NonZeroU32>) -> Option<String> {
    which(&key.limits).map(|limit| limit.to_string())
}

fn csv<'a>(
    rows: impl Iterator<Item = (&'a KeyStats, Option<&'a str>)>,
    reveal: bool,
    origins: &Origins,
) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let names = COLUMNS.iter().map(|(name, _)| *name).chain(reveal.then_some("key"));
    writer.write_record(names)?;
    for (key, secret) in rows {
        let (origin, added_at) = (origins.of(key.fingerprint), origins.added_at(key.fingerprint));
        let row = (key, &origin, added_at);
        for (_, cell) in &COLUMNS {
            writer.write_field(cell(&row).unwrap_or_default())?;
        }
        if reveal {
            writer.write_field(secret.unwrap_or_default())?;
        }
        writer.write_record(None::<&[u8]>)?;
    }
    Ok(writer.into_inner()?)
}
