//! `egb disable`: keys out of use, until they are enabled.

use serde::Serialize;

use crate::cli::Ending;
use crate::cli::failure::Failure;
use crate::cli::find;
use crate::cli::open::Setup;
use crate::cli::rows::{ChangedJson, changed};
use crate::stats::KeyState;

const EXAMPLES: &str = "\
Examples:
  egb disable work-3
  egb disable 19fd7846 5d41402a

Running programs that share the database stop using the key within a second; calls that hold it go on.
`egb enable` puts it back.";

/// Take keys out of use, in running programs too
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Labels, fingerprints, or beginnings of those
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
}

#[derive(Serialize)]
struct DisabledJson<'a> {
    disabled: Vec<ChangedJson<'a>>,
    unchanged: Vec<ChangedJson<'a>>,
}

pub(crate) fn run(args: &Args, setup: &Setup) -> Result<Ending, Failure> {
    let balancer = setup.edit()?;
    let stats = balancer.stats();
    let keys = find::keys(&stats, &args.keys)?;
    let (unchanged, wanted): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| key.state == KeyState::Disabled);
    for key in &wanted {
        balancer.pool().set_enabled(key.fingerprint, false);
    }
    balancer.flush()?;
    let json = DisabledJson { disabled: ChangedJson::all(&wanted), unchanged: ChangedJson::all(&unchanged) };
    setup.output.result(&json, || changed("disabled", &wanted) + &changed("was disabled already:", &unchanged))?;
    Ok(Ending::Fine)
}
