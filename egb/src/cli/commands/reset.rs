//! `egb reset`: full health for all keys, or for some.

use serde::Serialize;

use crate::cli::Ending;
use crate::cli::failure::Failure;
use crate::cli::find;
use crate::cli::open::Setup;
use crate::cli::output::ask;
use crate::cli::output::style::number;
use crate::cli::rows::{ChangedJson, Count, changed};

const EXAMPLES: &str = "\
Examples:
  egb reset work-3            this key
  egb reset                   all keys, once you said yes
  egb reset --yes             all keys

Keys are enabled, rested and have their full share again, in running programs within a second. What they counted
stays, and limits hold on.";

/// Give all keys, or some, their full share back: enabled, rested, healthy
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Labels, fingerprints, or beginnings of those; without one, all keys
    #[arg(value_name = "KEY")]
    keys: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

#[derive(Serialize)]
struct ResetJson<'a> {
    /// How many keys were reset.
    total: usize,
    /// Those that were named.
    keys: Vec<ChangedJson<'a>>,
}

pub(crate) fn run(args: &Args, setup: &Setup) -> Result<Ending, Failure> {
    let balancer = setup.edit()?;
    let stats = balancer.stats();
    let keys = find::keys(&stats, &args.keys)?;
    if !keys.is_empty() {
        for key in &keys {
            balancer.pool().reset_key(key.fingerprint);
        }
        balancer.flush()?;
        let json = ResetJson { total: keys.len(), keys: ChangedJson::all(&keys) };
        setup.output.result(&json, || changed("reset", &keys))?;
        return Ok(Ending::Fine);
    }
    let count = Count::of(&stats.keys);
    let all = match count.total {
        0 => "no key: there is none".to_owned(),
        1 => "the only key".to_owned(),
        total => format!("all {} keys", number(total as u64)),
    };
    if !args.yes && count.total > 0 {
        let question = format!("Reset {all} ({})?", count.words());
        if !ask(&question, "--yes resets all keys, and a KEY that one alone")? {
            setup.output.note("nothing was changed");
            return Ok(Ending::Failed);
        }
    }
    balancer.reset()?;
    setup.output.result(&ResetJson { total: count.total, keys: Vec::new() }, || format!("reset {all}\n"))?;
    Ok(Ending::Fine)
}
