//! `egb weight`: the share of traffic of a key that was added.

use serde::Serialize;

use crate::cli::Ending;
use crate::cli::failure::Failure;
use crate::cli::find;
use crate::cli::open::Setup;
use crate::cli::output::style;
use crate::cli::rows::{self, Origins};

const EXAMPLES: &str = "\
Examples:
  egb weight work-3 2          twice the traffic of a key of weight 1
  egb weight 19fd7846 0.5

Keys of a keys file have their weights there: `key:2`. Programs take a changed file over when they reload it.";

/// Change the weight of a key
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Its label, its fingerprint, or the beginning of that
    key: String,
    /// A number from 0.000001 to 1000000000
    #[arg(value_name = "N", value_parser = parse)]
    weight: f64,
}

#[derive(Serialize)]
struct WeightJson<'a> {
    fingerprint: String,
    label: Option<&'a str>,
    weight: f64,
    was: f64,
}

/// Reads a weight. One beyond these bounds is a slip: its key would get all calls, or none in a lifetime.
pub(crate) fn parse(text: &str) -> Result<f64, &'static str> {
    let weight: Option<f64> = text.parse().ok();
    weight.filter(|weight| (1e-6..=1e9).contains(weight)).ok_or("a weight is a number from 0.000001 to 1000000000")
}

pub(crate) fn run(args: &Args, setup: &Setup) -> Result<Ending, Failure> {
    let stats = setup.picture()?;
    let key = find::key(stats, &args.key)?;
    Origins::read(setup)?.require_added(key, "change its weight")?;
    if !setup.edit_db()?.set_weight(key.fingerprint, args.weight)? {
        return Err(Failure::Key("the key was removed a moment ago".to_owned()));
    }
    let was = key.health.weight();
    let json =
        WeightJson { fingerprint: key.fingerprint.to_string(), label: key.label.as_deref(), weight: args.weight, was };
    let name = rows::named(key.fingerprint, key.label.as_deref());
    let (weight, was) = (style::weight(args.weight), style::weight(was));
    setup.output.result(&json, || format!("{name} has weight {weight} now; it was {was}\n"))?;
    Ok(Ending::Fine)
}
