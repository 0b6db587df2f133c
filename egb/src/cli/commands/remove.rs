//! `egb remove`: keys that were added, out of the database.

use serde::Serialize;

use crate::cli::Ending;
use crate::cli::failure::Failure;
use crate::cli::find;
use crate::cli::open::Setup;
use crate::cli::rows::{ChangedJson, Origins, changed};
use crate::store::{Edit, Store as _};

const EXAMPLES: &str = "\
Examples:
  egb remove work-3
  egb remove 19fd7846 5d41402a

The text of the key is deleted from the database, and running programs stop using it within a second; calls that hold
it go on. What the key did stays on record until `egb cleanup`. Keys of a keys file are removed there.";

/// Remove keys that were added
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Labels, fingerprints, or beginnings of those
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
}

#[derive(Serialize)]
struct RemovedJson<'a> {
    removed: Vec<ChangedJson<'a>>,
}

pub(crate) fn run(args: &Args, setup: &Setup) -> Result<Ending, Failure> {
    let stats = setup.picture()?;
    let keys = find::keys(stats, &args.keys)?;
    let origins = Origins::read(setup)?;
    for key in &keys {
        origins.require_added(key, "delete the line")?;
    }
    setup.edit_db()?.edit(&Edit::Remove(keys.iter().map(|key| key.fingerprint).collect()))?;
    let json = RemovedJson { removed: ChangedJson::all(&keys) };
    setup.output.result(&json, || changed("removed", &keys))?;
    Ok(Ending::Fine)
}
