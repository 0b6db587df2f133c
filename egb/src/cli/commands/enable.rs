//! `egb enable`: disabled keys back in use.

use serde::Serialize;

use crate::cli::Ending;
use crate::cli::failure::Failure;
use crate::cli::find;
use crate::cli::open::Setup;
use crate::cli::rows::{ChangedJson, changed};
use crate::stats::KeyState;

const EXAMPLES: &str = "\
Examples:
  egb enable work-3
  egb enable $(egb list --filter disabled --json | jq -r '.keys[].fingerprint')

A key that is enabled has the share that it had, and its cooldown ends; `egb reset` restores full health too.
It is in force in running programs within a second.";

/// Put disabled keys back in use
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Labels, fingerprints, or beginnings of those
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
}

#[derive(Serialize)]
struct EnabledJson<'a> {
    enabled: Vec<ChangedJson<'a>>,
    unchanged: Vec<ChangedJson<'a>>,
}

pub(crate) fn run(args: &Args, setup: &Setup) -> Result<Ending, Failure> {
    let balancer = setup.edit()?;
    let stats = balancer.stats();
    let keys = find::keys(&stats, &args.keys)?;
    // One that is cooling down or at work as it should is no less enabled, but its cooldown ends.
    let (wanted, unchanged): (Vec<_>, Vec<_>) =
        keys.into_iter().partition(|key| matches!(key.state, KeyState::Disabled | KeyState::CoolingDown));
    for key in &wanted {
        balancer.pool().set_enabled(key.fingerprint, true);
    }
    balancer.flush()?;
    let json = EnabledJson { enabled: ChangedJson::all(&wanted), unchanged: ChangedJson::all(&unchanged) };
    setup.output.result(&json, || changed("enabled", &wanted) + &changed("was enabled already:", &unchanged))?;
    Ok(Ending::Fine)
}
