//! Where the pool of a command is, and opening it: to look at it, which changes no file, or to edit it.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;
use zeroize::Zeroizing;

use super::args::Global;
use super::failure::Failure;
use super::output::{Output, shown_path};
use super::rows::{Origin, Selected, Selection, Wanted};
use crate::balancer::Balancer;
use crate::builder::{self, Access, BalancerBuilder, Gather, Picture};
use crate::config::KeyConfig;
use crate::error::Error;
use crate::key::{ByFingerprint, Fingerprint, Key};
use crate::keyfile;
use crate::stats::{KeyStats, Stats};
use crate::store::{Seal, Sqlite, Standing};

const KEYS_VARIABLE: &str = "EGB_KEYS";

/// Texts of keys.
#[derive(Default)]
pub(crate) struct Secrets(ByFingerprint<Key>);

impl Secrets {
    pub(crate) fn of(&self, key: &KeyStats) -> Option<&str> {
        self.0.get(&key.fingerprint).map(Key::expose_secret)
    }
}

/// Where things are, as the options and the environment say, and how to print.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) db: PathBuf,
    pub(crate) keys_files: Vec<PathBuf>,
    /// Whether the variable `EGB_KEYS` gives keys.
    pub(crate) has_keys_variable: bool,
    seal: Option<Seal>,
    pub(crate) output: Output,
}

impl Setup {
    pub(crate) fn new(global: Global) -> Result<Self, Failure> {
        let Global { db, keys_files, passphrase_file, key_file, json, verbose: _ } = global;
        // A variable that is set to nothing names nothing.
        let named = |path: Option<OsString>| path.filter(|path| !path.is_empty()).map(PathBuf::from);
        let db = match named(db) {
            Some(db) => db,
            None => default_db()?,
        };
        let seal = match (named(passphrase_file), named(key_file)) {
            (Some(_), Some(_)) => {
                let hint = "give one of --passphrase-file and --key-file, or of EGB_PASSPHRASE_FILE and EGB_KEY_FILE";
                return Err(Failure::usage("a passphrase and a key file can't both seal the keys", hint));
            }
            (Some(path), None) => Some(Seal::passphrase(read_passphrase(&path)?.as_str())),
            (None, Some(path)) => Some(Seal::key_file(path)?),
            (None, None) => None,
        };
        let keys_files: Vec<PathBuf> = keys_files.into_iter().filter_map(|path| named(Some(path))).collect();
        // A name of no file may be a key that was typed.
        for (what, path) in [("database", &db)].into_iter().chain(keys_files.iter().map(|file| ("keys file", file))) {
            if path.exists() {
                tracing::info!(target: "egb", "{what} {}", shown_path(path));
            }
        }
        Ok(Self {
            db,
            keys_files,
            has_keys_variable: env::var_os(KEYS_VARIABLE).is_some_and(|keys| !keys.is_empty()),
            seal,
            output: Output::new(json),
        })
    }

    /// Whether keys in the database are sealed, and nothing is given to open them.
    pub(crate) fn lacks_seal(&self) -> Result<bool, Failure> {
        Ok(self.seal.is_none() && self.look_at_db()?.facts()?.sealed)
    }

    /// Whether keys are given beside the database.
    pub(crate) fn has_sources(&self) -> bool {
        !self.keys_files.is_empty() || self.has_keys_variable
    }

    /// The pool, to look at and to call with. It is never given back: the process ends soon, and to free 100,000 keys takes
    /// a while.
    pub(crate) fn look(&self) -> Result<&'static Balancer, Failure> {
        self.require_db()?;
        Ok(Box::leak(Box::new(self.balancer(Access::Look)?)))
    }

    /// What is made of all keys.
    pub(crate) fn gather<G: Gather>(&self, new: impl Fn() -> G + Sync) -> Result<Picture<G>, Failure> {
        self.require_db()?;
        Ok(self.builder(Access::Look).picture(new)?)
    }

    /// The keys that are wanted, never given back either.
    pub(crate) fn select(&self, wanted: Wanted) -> Result<&'static Selected, Failure> {
        Ok(Box::leak(Box::new(self.gather(|| Selection::of(wanted))?.rows.finish())))
    }

    /// All keys.
    pub(crate) fn picture(&self) -> Result<&'static Stats, Failure> {
        let Picture { rows, sessions } = self.gather(|| Selection::of(Wanted::default()))?;
        Ok(Box::leak(Box::new(Stats { keys: rows.finish().keys, sessions })))
    }

    /// The texts of these keys, where they are known and to be revealed.
    pub(crate) fn secrets(&self, reveal: bool, keys: &[KeyStats]) -> Result<Secrets, Failure> {
        if !reveal {
            return Ok(Secrets::default());
        }
        let pool = self.look()?.pool();
        let secret = |key: &KeyStats| Some((key.fingerprint, pool.key(key.fingerprint).filter(Key::has_text)?));
        Ok(Secrets(keys.iter().filter_map(secret).collect()))
    }

    /// The pool, to change keys that are in it.
    pub(crate) fn edit(&self) -> Result<Balancer, Failure> {
        self.require_db()?;
        if self.seal.is_some() {
            self.note_if_clear(&Sqlite::look(&self.db, None)?)?;
        }
        self.balancer(Access::Edit)
    }

    /// The pool, to follow for as long as one likes.
    pub(crate) fn live(&self) -> Result<Balancer, Failure> {
        self.require_db()?;
        Ok(self.builder(Access::Edit).watch(true).build()?)
    }

    fn balancer(&self, access: Access) -> Result<Balancer, Failure> {
        Ok(self.builder(access).build()?)
    }

    fn builder(&self, access: Access) -> BalancerBuilder {
        let mut builder = Balancer::builder().db(&self.db).access(access);
        for file in &self.keys_files {
            builder = builder.keys_file(file);
        }
        if self.has_keys_variable {
            builder = builder.keys_env(KEYS_VARIABLE);
        }
        if let Some(seal) = &self.seal {
            builder = builder.seal(seal.clone());
        }
        builder
    }

    /// What gives which key, the database aside.
    pub(crate) fn given(&self) -> Result<ByFingerprint<Origin>, Failure> {
        let mut given = ByFingerprint::default();
        let mut take = |configs: Vec<KeyConfig>, origin: &Origin| {
            given.extend(configs.into_iter().map(|config| (config.key.fingerprint(), origin.clone())));
        };
        if self.has_keys_variable {
            take(builder::read_variable(KEYS_VARIABLE)?, &Origin::Variable);
        }
        for file in &self.keys_files {
            take(keyfile::read(file).map_err(Error::from)?, &Origin::KeysFile(file.as_path().into()));
        }
        Ok(given)
    }

    /// Tells if a source gives keys that were added as well: its settings prevail.
    pub(crate) fn note_if_given(&self, added: &[Fingerprint]) -> Result<(), Failure> {
        if !self.has_sources() {
            return Ok(());
        }
        let given = self.given()?;
        let both: Vec<&Origin> = added.iter().filter_map(|name| given.get(name)).collect();
        if let Some(source) = both.first().and_then(|origin| origin.source()) {
            let what = if added.len() == 1 { "it".to_owned() } else { format!("{} of them", both.len()) };
            self.output.note(&format!("{source} gives {what} too, and its settings prevail there"));
        }
        Ok(())
    }

    /// The database itself, to look at.
    pub(crate) fn look_at_db(&self) -> Result<Sqlite, Failure> {
        self.require_db()?;
        Ok(Sqlite::look(&self.db, self.seal.as_ref())?.with_sealed_keys_unread())
    }

    /// The database itself, to change it.
    pub(crate) fn edit_db(&self) -> Result<Sqlite, Failure> {
        self.require_db()?;
        let db = Sqlite::open_as_it_is(&self.db, &[], self.seal.as_ref())?;
        self.note_if_clear(&db)?;
        Ok(db.with_sealed_keys_unread())
    }

    /// The database itself, with a seal if it had none.
    pub(crate) fn seal_db(&self) -> Result<Sqlite, Failure> {
        let Some(seal) = &self.seal else {
            let hint = "give the passphrase with --passphrase-file, or the key file with --key-file";
            return Err(Failure::usage("it is not said what to seal the keys with", hint));
        };
        self.require_db()?;
        Ok(Sqlite::open_for(&self.db, &[], Some(seal))?)
    }

    /// Tells who gives a seal when the database has none: no command but one that is for it gives it one.
    fn note_if_clear(&self, db: &Sqlite) -> Result<(), Failure> {
        if self.seal.is_some() && !db.is_sealed()? {
            self.output.note("keys in the database are in the clear, and stay so; `egb db --seal` seals them");
        }
        Ok(())
    }

    /// As `edit_db`; one that is not there is made, its folder too if it is the default.
    pub(crate) fn make_db(&self) -> Result<Sqlite, Failure> {
        match Standing::of(&self.db)? {
            Standing::Missing | Standing::Empty => {}
            _ => return self.edit_db(),
        }
        if default_db().is_ok_and(|default| default == self.db)
            && let Some(folder) = self.db.parent()
        {
            make_private_folder(folder).map_err(Failure::file(folder, "make the folder"))?;
        }
        let made = Sqlite::open_for(&self.db, &[], self.seal.as_ref())?;
        self.output.note(&format!("made the database {}", self.db.display()));
        Ok(made.with_sealed_keys_unread())
    }

    /// The database itself, whatever its version, to look at.
    pub(crate) fn look_at_any_db(&self) -> Result<Sqlite, Failure> {
        Ok(Sqlite::look(&self.db, None)?)
    }

    /// The database itself, brought to this version.
    pub(crate) fn upgrade_db(&self) -> Result<Sqlite, Failure> {
        let mut configs = Vec::new();
        for file in &self.keys_files {
            configs.extend(keyfile::read(file).map_err(Error::from)?);
        }
        if self.has_keys_variable {
            configs.extend(builder::read_variable(KEYS_VARIABLE)?);
        }
        Ok(Sqlite::open_as_it_is(&self.db, &configs, self.seal.as_ref())?)
    }

    /// An error unless there is a database of this version.
    fn require_db(&self) -> Result<(), Failure> {
        let path = self.db.clone();
        match Standing::of(&path)? {
            Standing::Ready => Ok(()),
            Standing::Missing | Standing::Empty => Err(Failure::NoDatabase { path }),
            Standing::Older { found, known } => Err(Failure::OldDatabase { path, found, known }),
            Standing::PythonTool => Err(Failure::PythonDatabase { path }),
        }
    }
}

/// `egb/keys.db` where this system keeps the data of programs.
fn default_db() -> Result<PathBuf, Failure> {
    let base = etcetera::choose_base_strategy().map_err(|_| {
        Failure::usage("there is no home directory to keep a database in", "name the database with --db or EGB_DB")
    })?;
    Ok(base.data_dir().join("egb").join("keys.db"))
}

/// The passphrase is the first line.
fn read_passphrase(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let text = Zeroizing::new(fs::read_to_string(path).map_err(Failure::file(path, "read the passphrase"))?);
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        let problem = format!("{}: there is no passphrase in its first line", path.display());
        return Err(Failure::refused(problem, "write the passphrase into the first line"));
    }
    Ok(Zeroizing::new(line.to_owned()))
}

fn make_private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
