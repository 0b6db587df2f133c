//! `egb db`: the database file itself: what it is, whether it is intact, and its care.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::Ending;
use crate::cli::failure::Failure;
use crate::cli::open::Setup;
use crate::cli::output::style::{self, bytes, number};
use crate::cli::output::{file, shown_path};
use crate::store::{DatabaseFacts, Standing};

const EXAMPLES: &str = "\
Examples:
  egb db                              path, size, schema; and whether it is intact
  egb db --backup keys-backup.db      a copy, while programs go on
  egb db --vacuum                     give free pages back
  egb db --upgrade                    from an older egb, or from easy-gemini-balance
  egb db --seal --passphrase-file FILE   seal its keys; all programs need the passphrase from then on

Exit code 1: the database is damaged.";

/// The database: path, size, schema, integrity, backup
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Write a copy, as it is now
    #[arg(long, value_name = "FILE", group = "what")]
    backup: Option<PathBuf>,
    /// Make the file as small as it can be
    #[arg(long, group = "what")]
    vacuum: bool,
    /// Bring a database of an older egb, or of the Python tool, up to date, after a copy beside it
    #[arg(long, group = "what")]
    upgrade: bool,
    /// Seal the keys in it with the passphrase or the key file that is given, which all programs need from then on
    #[arg(long, group = "what")]
    seal: bool,
}

#[derive(Serialize)]
struct DbJson<'a> {
    path: String,
    size_bytes: u64,
    /// From here on `None` where damage hides it.
    free_bytes: Option<u64>,
    schema_version: Option<i64>,
    /// Keys of which there is a state.
    keys: Option<u64>,
    added_keys: Option<u64>,
    sealed: Option<bool>,
    intact: bool,
    damage: &'a [String],
}

#[derive(Serialize)]
struct BackupJson {
    backup: String,
    size_bytes: u64,
}

#[derive(Serialize)]
struct VacuumJson {
    path: String,
    size_bytes_before: u64,
    size_bytes: u64,
}

#[derive(Serialize)]
struct UpgradeJson {
    path: String,
    from_version: Option<i64>,
    schema_version: i64,
    backup: Option<String>,
}

#[derive(Serialize)]
struct SealJson {
    path: String,
    added_keys: u64,
    was_sealed: bool,
}

pub(crate) fn run(args: &Args, setup: &Setup) -> Result<Ending, Failure> {
    match &args.backup {
        Some(backup) => back_up(setup, backup)?,
        None if args.vacuum => vacuum(setup)?,
        None if args.upgrade => upgrade(setup)?,
        None if args.seal => seal(setup)?,
        None => return show(setup),
    }
    Ok(Ending::Fine)
}

fn show(setup: &Setup) -> Result<Ending, Failure> {
    let db = setup.look_at_db()?;
    let damage = db.damage()?;
    let facts = match db.facts() {
        Err(_) if !damage.is_empty() => None,
        facts => Some(facts?),
    };
    let size = db.size();
    let json = DbJson {
        path: setup.db.display().to_string(),
        size_bytes: size,
        free_bytes: facts.map(|facts| facts.free),
        schema_version: facts.map(|facts| facts.schema),
        keys: facts.map(|facts| facts.keys),
        added_keys: facts.map(|facts| facts.added_keys),
        sealed: facts.map(|facts| facts.sealed),
        intact: damage.is_empty(),
        damage: &damage,
    };
    setup.output.result(&json, || text(setup, size, facts, &damage))?;
    Ok(if damage.is_empty() { Ending::Fine } else { Ending::Failed })
}

fn text(setup: &Setup, size: u64, facts: Option<DatabaseFacts>, damage: &[String]) -> String {
    let intact = match damage {
        [] => "intact".to_owned(),
        damage => format!("damaged: {}", damage.join("; ")),
    };
    let free = facts.map(|facts| facts.free).filter(|free| *free > 0);
    let free = free.map_or_else(String::new, |free| format!(", {} of it free", bytes(free)));
    let mut lines = vec![("path", shown_path(&setup.db)), ("size", format!("{}{free}", bytes(size)))];
    if let Some(DatabaseFacts { schema, keys, added_keys, sealed, .. }) = facts {
        let added = match (added_keys, sealed) {
            (0, _) => "none".to_owned(),
            (count, true) => format!("{}, sealed", number(count)),
            (count, false) => format!("{}, in the clear", number(count)),
        };
        lines.push(("schema", format!("version {schema}")));
        lines.push(("keys", format!("{} with a state", number(keys))));
        lines.push(("added", added));
    }
    lines.push(("integrity", intact));
    let dim = style::DIM;
    let lines: Vec<String> =
        lines.into_iter().map(|(name, value)| format!("{dim}{name:<9}{dim:#}  {value}\n")).collect();
    lines.concat()
}

fn back_up(setup: &Setup, backup: &Path) -> Result<(), Failure> {
    let db = setup.look_at_db()?;
    file::make(backup, |half| Ok(db.copy_to(half)?))?;
    let size = backup.metadata().map_or(0, |found| found.len());
    let json = BackupJson { backup: backup.display().to_string(), size_bytes: size };
    setup.output.result(&json, || format!("wrote {}, {}\n", shown_path(backup), bytes(size)))?;
    let DatabaseFacts { added_keys, sealed, .. } = db.facts()?;
    if added_keys > 0 && !sealed {
        setup.output.note("it holds keys in the clear, as the database does; keep it where nobody else reads it");
    }
    Ok(())
}

fn vacuum(setup: &Setup) -> Result<(), Failure> {
    let mut db = setup.edit_db()?;
    let before = db.facts()?.size;
    db.vacuum()?;
    let after = db.facts()?.size;
    let path = setup.db.display().to_string();
    let json = VacuumJson { path, size_bytes_before: before, size_bytes: after };
    setup.output.result(&json, || format!("{} before, {} now\n", bytes(before), bytes(after)))
}

fn upgrade(setup: &Setup) -> Result<(), Failure> {
    let standing = Standing::of(&setup.db)?;
    let (from, backup) = match standing {
        Standing::Missing | Standing::Empty => return Err(Failure::NoDatabase { path: setup.db.clone() }),
        Standing::Older { found, .. } => (Some(found), Some(copy_of_older(setup, found)?)),
        // Of the Python tool's the library makes the copy, and warns of it.
        Standing::Ready | Standing::PythonTool => (None, None),
    };
    let db = setup.upgrade_db()?;
    let schema = db.facts()?.schema;
    let backup = backup.or_else(|| db.backup().and_then(|backup| Some(setup.db.with_file_name(backup.file_name()?))));
    let path = shown_path(&setup.db);
    let json = UpgradeJson {
        path: setup.db.display().to_string(),
        from_version: from,
        schema_version: schema,
        backup: backup.as_ref().map(|backup| backup.display().to_string()),
    };
    setup.output.result(&json, || match (from, &backup) {
        (Some(from), Some(backup)) => {
            format!("brought {path} from schema version {from} to {schema}; as it was: {}\n", shown_path(backup))
        }
        _ if standing == Standing::Ready => format!("{path} has schema version {schema} already\n"),
        _ => format!("took over {path}, which has schema version {schema} now\n"),
    })
}

fn seal(setup: &Setup) -> Result<(), Failure> {
    let was_sealed = setup.look_at_db()?.is_sealed()?;
    let added_keys = setup.seal_db()?.facts()?.added_keys;
    let path = shown_path(&setup.db);
    let json = SealJson { path: setup.db.display().to_string(), added_keys, was_sealed };
    setup.output.result(&json, || {
        if was_sealed {
            format!("the keys in {path} are sealed already\n")
        } else {
            format!("sealed the keys in {path}: {}\n", number(added_keys))
        }
    })?;
    if !was_sealed {
        setup.output.note(
            "all programs that share it need the passphrase or the key file from now on; keep a copy of that, and delete \
             older copies of the database, which hold keys in the clear",
        );
    }
    Ok(())
}

/// Copies a database that is to be upgraded to a name that was free.
fn copy_of_older(setup: &Setup, version: i64) -> Result<PathBuf, Failure> {
    let beside = |number: u32| {
        let mut name = setup.db.clone().into_os_string();
        name.push(format!(".v{version}-backup"));
        if number > 1 {
            name.push(format!("-{number}"));
        }
        PathBuf::from(name)
    };
    let free = (1..=u32::MAX).map(beside).find(|name| !name.exists()).unwrap_or_else(|| beside(1));
    let db = setup.look_at_any_db()?;
    file::make(&free, |half| Ok(db.copy_to(half)?))?;
    Ok(free)
}
