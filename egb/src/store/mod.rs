//! Where state outlives the process: the [`Store`] trait, what it keeps, and the thread that writes it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::config::KeyConfig;
use crate::health::Health;
use crate::key::Fingerprint;
use crate::keyfile::{shown_file, without_file};

mod ack;
mod added;
mod connection;
#[cfg(all(test, unix))]
mod crash_tests;
mod exit;
mod file;
mod file_id;
mod python;
mod row;
mod schema;
#[cfg_attr(not(feature = "seal"), path = "no_seal.rs")]
mod seal;
mod sqlite;
#[cfg(test)]
mod testing;
mod usage;
mod writer;

pub(crate) use ack::Ack;
pub(crate) use added::Edit;
pub(crate) use file_id::FileId;
#[cfg(feature = "seal")]
pub use seal::Seal;
#[cfg(not(feature = "seal"))]
pub(crate) use seal::Seal;
pub(crate) use sqlite::Sqlite;
#[cfg(feature = "cli")]
pub(crate) use sqlite::{AddedKey, DatabaseFacts, Import, Imported, Standing};
pub(crate) use usage::{SpentTokens, Usage};
pub(crate) use writer::{Bell, Journal, Writer};

/// A place that keeps the state of keys. Called by one thread, the writer's; [`load`](Store::load)
/// once before it.
pub(crate) trait Store: fmt::Debug + Send + 'static {
    /// What errors name it by.
    fn path(&self) -> &Path;

    /// The state of every key known to the store.
    fn load(&mut self) -> Result<Vec<Record>, StoreError>;

    /// Applies all changes in one transaction, durably: when it returns `Ok` they survive a crash.
    /// On `Err` none is applied.
    fn apply(&mut self, changes: &[Change]) -> Result<(), StoreError>;

    /// The records that other processes changed since the last `load` or `changes_by_others`, as they
    /// are now. One that this store wrote to later is among them; one that only it wrote is not.
    fn changes_by_others(&mut self) -> Result<Vec<Record>, StoreError>;

    /// Whether another database took the place of the one that was open. It knows nothing of what that one knew.
    fn was_replaced(&mut self) -> bool;

    /// Adds or removes keys that no file holds, durably.
    fn edit(&mut self, edit: &Edit) -> Result<(), StoreError>;

    /// The keys that were added, if that changed since the last time, whoever did it.
    fn added_keys(&mut self) -> Result<Option<Vec<KeyConfig>>, StoreError>;
}

/// Calls that a key served. In a [`Record`] totals over all processes and time, in a [`Change`]
/// what is to be added, which may be below zero: a success that was counted early and then contradicted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) calls: i64,
    /// Those of `calls` that began one, rather than being a retry or a further key.
    pub(crate) begun: i64,
    pub(crate) successes: i64,
    pub(crate) failures: i64,
    /// Those of `failures` that were a 429.
    pub(crate) throttled: i64,
}

/// What several processes share of one key. All instants are wall-clock UTC.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SharedState {
    pub(crate) health: Health,
    /// Raised by every reset, enable and disable by hand: a higher one replaces the health of a lower
    /// one whole; equal ones are joined (disabled if either is, the later cooldown).
    pub(crate) epoch: u64,
    pub(crate) last_used: Option<SystemTime>,
}

/// One key as the store knows it, for all calls or for those of one scope.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) fingerprint: Fingerprint,
    /// `None` is all calls. Counters and the last use are kept there alone.
    pub(crate) scope: Option<Arc<str>>,
    pub(crate) state: SharedState,
    pub(crate) counters: Counters,
}

/// What happened to one key since it was written last.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    pub(crate) fingerprint: Fingerprint,
    /// As in a [`Record`].
    pub(crate) scope: Option<Arc<str>>,
    pub(crate) state: SharedState,
    pub(crate) added: Counters,
    /// Whether the health changed since it was written last. If not, what others wrote of it stays.
    pub(crate) is_news: bool,
    /// Of a key that was removed: nobody waits for what it counts.
    pub(crate) is_farewell: bool,
    /// What was used of the key's limits, or of its group's: as it is now, not what is to be added.
    pub(crate) usage: Vec<Usage>,
}

/// Why the state could not be read or written. Nothing was changed.
///
/// The name of a file that is not there is not shown if it may be a key.
#[derive(thiserror::Error)]
#[error("{path}: {kind}", path = shown_file(path), kind = without_file(&kind.to_string(), path))]
pub struct StoreError {
    path: PathBuf,
    kind: StoreErrorKind,
}

/// What is wrong with the database.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The file belongs to another program.
    #[error("this SQLite database was not made by egb; choose another path for the state")]
    Foreign,
    /// The file is damaged, or not a database at all.
    #[error("not a usable SQLite database ({0}); restore it from a backup, or move it away and egb starts a new one")]
    Corrupt(#[source] rusqlite::Error),
    /// A newer egb wrote it.
    #[error("the state has schema version {found}, this egb knows up to {known}; upgrade egb")]
    Newer {
        /// The version in the file.
        found: i64,
        /// The newest version that this egb can read.
        known: i64,
    },
    /// Another program holds the database.
    #[error("the database stays locked ({0}); end the program that holds it, or choose another path for the state")]
    Locked(#[source] rusqlite::Error),
    /// The folder does not exist, is read-only, the disk is full, ..
    #[error("can't use the database: {0}; check that the folder exists, may be written and has room")]
    Unusable(#[source] rusqlite::Error),
    /// The file could not be made.
    #[error("can't make the database: {0}; give the path of a file in a folder that exists and may be written")]
    Io(#[source] std::io::Error),
    /// Keys in the database are sealed, and nothing was given to open them.
    #[error(
        "the keys in the database are sealed; give the passphrase or key file with the builder's `.seal(..)` (feature `seal`)"
    )]
    Sealed,
    /// The passphrase or key file is not the one that the keys were sealed with.
    #[error("the passphrase or key file is not the one that the keys in the database were sealed with; give that one")]
    WrongSeal,
    /// The key file can't be used.
    #[error("can't use the key file: {0}; make one with `egb::Seal::make_key_file`")]
    KeyFile(#[source] std::io::Error),
    /// The file is no longer where it was when it was opened.
    #[error(
        "the database was moved or deleted while it was in use; put it back with its -wal file, or restart the program to \
         begin a new one; the state stays in memory"
    )]
    Moved,
    /// The operating system gave no random numbers to seal with.
    #[error("the operating system gives no random numbers; the keys were not sealed, and nothing was changed")]
    NoRandomness,
    /// The operating system gave no thread to write with.
    #[error("can't start the thread that writes the database: {0}; allow the process more threads")]
    Thread(#[source] std::io::Error),
    /// The disk did not answer in time.
    #[error("the disk does not answer; the state stays in memory and is written when it does")]
    Slow,
    /// It was to be written on the thread that writes itself.
    #[error(
        "the thread that writes the database can't wait for itself; what changed is written as soon as it goes on, from \
         whatever it called: a `tracing` subscriber or a waker; use another thread there"
    )]
    OwnThread,
    /// Code of the program's own panicked on the thread that writes.
    #[error(
        "code that the thread that writes the database called panicked, a `tracing` subscriber or a waker; what was not \
         written stays in memory and is tried again"
    )]
    Panicked,
    /// The thread that writes has ended.
    #[error(
        "the thread that writes the database has ended; what changed since is lost with this process, build the balancer anew"
    )]
    Stopped,
}

/// As it is displayed.
impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StoreError {
    pub(crate) fn new(path: &Path, kind: StoreErrorKind) -> Self {
        Self { path: path.to_owned(), kind }
    }

    /// The database.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is wrong with it.
    pub fn kind(&self) -> &StoreErrorKind {
        &self.kind
    }
}
