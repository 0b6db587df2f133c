//! The state of keys in an SQLite file that several processes share. Writes what it is told; when and
//! in which groups is the writer's business.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{self, Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, TransactionBehavior};

use super::added::SealedKeys;
use super::connection::{connect, forget_log, kind_of};
use super::file::{Origin, make, make_private, warn_if_readable_by_others};
use super::file_id::FileId;
use super::row::{self, Reader};
use super::schema::{self, Before, Refusal};
use super::seal::{Seal, Sealer};
use super::{Change, Edit, Record, Store, StoreError, StoreErrorKind, Usage, added, usage};
use crate::clock::{Clock, SystemClock};
use crate::config::KeyConfig;
use crate::key::Fingerprint;

/// What names a row: the key, and the scope or none.
type RowName = (Fingerprint, Option<Arc<str>>);

/// What becomes of a database that has no seal when one is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sealing {
    /// Its keys are sealed from now on.
    Made,
    /// It stays as it is: the seal only opens what is sealed.
    #[cfg(feature = "cli")]
    Opened,
}

/// An open database.
#[derive(Debug)]
pub(crate) struct Sqlite {
    path: PathBuf,
    /// The same, absolute, and which file it was when it was opened.
    file: PathBuf,
    id: Option<FileId>,
    was_replaced: bool,
    connection: Connection,
    /// Opens it once more, for a second thread that reads.
    opener: Option<load::Opener>,
    clock: Arc<dyn Clock>,
    /// The revision up to which everything is known: given out, in `touched`, or written by this store.
    seen: i64,
    /// Keys that others changed up to `seen` and that were not given out yet.
    touched: BTreeSet<RowName>,
    /// `PRAGMA data_version` at the last look: it changes when another connection commits.
    data_version: Option<i64>,
    /// What added keys are sealed with.
    seal: Option<Seal>,
    sealing: Sealing,
    sealer: Option<Sealer>,
    /// The copy of the Python tool's database, if this took over one.
    #[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "the command tells of it"))]
    backup: Option<PathBuf>,
    /// What is done about sealed keys when there is no seal.
    sealed: SealedKeys,
    /// How often keys had been added or removed when they were read last.
    added: Option<i64>,
}

impl Sqlite {
    /// Opens the database, and makes it (readable by its owner alone) when there is none.
    ///
    /// On an error the file is as it was.
    #[cfg(test)]
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_for(path, &[], None)
    }

    /// As `open`, for these keys: the Python tool kept no configured weight beside the effective one.
    /// With a seal the keys in the database are sealed from now on.
    pub(crate) fn open_for(path: &Path, configs: &[KeyConfig], seal: Option<&Seal>) -> Result<Self, StoreError> {
        Self::open_sealed(path, configs, seal, Sealing::Made)
    }

    /// As `open_for`; but keys that are in the clear stay so.
    #[cfg(feature = "cli")]
    pub(crate) fn open_as_it_is(path: &Path, configs: &[KeyConfig], seal: Option<&Seal>) -> Result<Self, StoreError> {
        Self::open_sealed(path, configs, seal, Sealing::Opened)
    }

    fn open_sealed(
        path: &Path,
        configs: &[KeyConfig],
        seal: Option<&Seal>,
        sealing: Sealing,
    ) -> Result<Self, StoreError> {
        let fail = |kind| StoreError::new(path, kind);
        // Absolute, for SQLite gives some relative names a meaning of their own (":memory:").
        let file = path::absolute(path).map_err(|error| fail(StoreErrorKind::Io(error)))?;
        let origin = make(&file).map_err(|error| fail(StoreErrorKind::Io(error)))?;
        let refused = |refusal: Refusal| fail(refusal.into_kind());
        let (mut connection, before) = connect(&file, configs).map_err(refused)?;
        if origin == Origin::Found && !matches!(before, Before::Ours) {
            make_private(&file).map_err(|error| fail(StoreErrorKind::Io(error)))?;
        }
        let sealer = match (seal, sealing) {
            (Some(seal), Sealing::Made) => Some(seal.attach(&mut connection).map_err(refused)?),
            #[cfg(feature = "cli")]
            (Some(seal), Sealing::Opened) => seal.opened(&connection).map_err(refused)?,
            (None, _) => None,
        };
        if origin == Origin::Found {
            warn_if_readable_by_others(&file);
        }
        let backup = if let Before::PythonTool { backup } = before { Some(backup) } else { None };
        Ok(Self { backup, ..Self::over(path, file, (connection, None), (seal.cloned(), sealing, sealer)) })
    }

    fn over(
        path: &Path,
        file: PathBuf,
        (connection, opener): (Connection, Option<load::Opener>),
        (seal, sealing, sealer): (Option<Seal>, Sealing, Option<Sealer>),
    ) -> Self {
        Self {
            path: path.to_owned(),
            id: FileId::of(&file),
            file,
            was_replaced: false,
            connection,
            opener,
            clock: Arc::new(SystemClock::new()),
            seen: 0,
            touched: BTreeSet::new(),
            data_version: None,
            seal,
            sealing,
            sealer,
            backup: None,
            sealed: SealedKeys::Refused,
            added: None,
        }
    }

    /// Whether the file is a database of egb's by what its head says, so that opening it takes over nothing.
    pub(crate) fn is_ready(path: &Path) -> bool {
        let mut head = [0; schema::APPLICATION_ID_AT.end];
        let is_read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok();
        is_read && head[schema::APPLICATION_ID_AT] == schema::APPLICATION_ID.to_be_bytes()
    }

    /// What was used of limits, by whichever process.
    pub(crate) fn usage(&self) -> Result<Vec<Usage>, StoreError> {
        usage::load(&self.connection).map_err(|error| self.error(error))
    }

    /// Takes the times at which rows are added and updated from `clock`.
    #[cfg(test)]
    fn with_clock(self, clock: impl Clock) -> Self {
        Self { clock: Arc::new(clock), ..self }
    }

    /// Makes sure that what is open is the file of that name: an error while there is none, and another connection
    /// when there is a new one.
    fn stay_in_place(&mut self) -> Result<(), StoreError> {
        let found = FileId::of(&self.file);
        if found == self.id {
            return Ok(());
        }
        if found.is_none() {
            return Err(StoreError::new(&self.path, StoreErrorKind::Moved));
        }
        let fresh = Self::open_sealed(&self.path, &[], self.seal.as_ref(), self.sealing)?;
        *self = Self { clock: self.clock.clone(), sealed: self.sealed, was_replaced: true, ..fresh };
        tracing::warn!(
            target: "egb",
            path = %self.path.display(),
            "another database took the place of the one that was open; the state goes there from now on"
        );
        Ok(())
    }

    fn error(&self, error: rusqlite::Error) -> StoreError {
        StoreError::new(&self.path, kind_of(error))
    }

    /// What `work` makes of all records, which come in the order of their names: in one part, or in two threads a half each
    /// if this was opened to look.
    fn read_all<T: Send>(
        &mut self,
        work: impl Fn(u32, &mut dyn Iterator<Item = Record>) -> T + Sync,
    ) -> Result<Vec<T>, Refusal> {
        let data_version = data_version(&self.connection)?;
        let transaction = self.connection.transaction()?;
        // Before the rows: what is written meanwhile is seen again, which does no harm.
        let last = last_revision(&transaction)?;
        let (made, reader) = load::all(&transaction, &self.file, self.opener, work)?;
        transaction.commit()?;
        warn_if_repaired(&self.path, &reader);
        self.seen = last;
        self.touched.clear();
        self.data_version = Some(data_version);
        Ok(made)
    }

    fn apply_all(&mut self, changes: &[Change]) -> rusqlite::Result<()> {
        let now = self.clock.utc();
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let revision: i64 = transaction.prepare_cached(schema::NEXT_REVISION)?.query_one([], |row| row.get(0))?;
        // What others wrote since the last look gets a new revision by the writes below, which would
        // hide it from `changes_by_others`.
        let mut touched = Vec::new();
        if revision > self.seen + 1 {
            let mut names = transaction.prepare_cached(schema::SELECT_NEWER_NAMES)?;
            let mut rows = names.query([self.seen])?;
            while let Some(row) = rows.next()? {
                let scope = row::scope(row.get_ref(1)?);
                touched.extend(row::fingerprint(row.get_ref(0)?).map(|fingerprint| (fingerprint, scope)));
            }
        }
        let mut statement = transaction.prepare_cached(schema::UPSERT)?;
        // In the order of the tables' pages, which is several times as fast for a large pool. The sort is
        // stable: of two changes to one key the later stays the later.
        let mut ordered: Vec<&Change> = changes.iter().collect();
        ordered.sort_by(|a, b| (a.fingerprint, &a.scope).cmp(&(b.fingerprint, &b.scope)));
        for change in ordered {
            row::write(&mut statement, change, now, revision)?;
        }
        drop(statement);
        let mut statement = usage::prepare(&transaction)?;
        for usage in changes.iter().flat_map(|change| &change.usage) {
            usage::write(&mut statement, usage, now)?;
        }
        drop(statement);
        transaction.commit()?;
        self.seen = revision;
        self.touched.extend(touched);
        Ok(())
    }

    fn try_edit(&mut self, edit: &Edit) -> Result<(), Refusal> {
        let now = self.clock.utc();
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        added::edit(&transaction, edit, self.sealer.as_ref(), now)?;
        transaction.commit()?;
        if matches!(edit, Edit::Remove(_)) {
            forget_log(&self.connection);
        }
        Ok(())
    }

    fn read_added(&mut self) -> Result<Option<Vec<KeyConfig>>, Refusal> {
        let transaction = self.connection.transaction()?;
        let revision = added::revision(&transaction)?;
        if self.added == Some(revision) {
            return Ok(None);
        }
        let (configs, nonsense) = added::load(&transaction, self.sealer.as_ref(), self.sealed)?;
        drop(transaction);
        if nonsense > 0 {
            tracing::warn!(
                target: "egb",
                path = %self.path.display(),
                keys = nonsense,
                "keys in the database are damaged and left out; remove them and add them again"
            );
        }
        // Last: who is told may panic, and then they are read again.
        self.added = Some(revision);
        Ok(Some(configs))
    }

    fn read_others(&mut self) -> rusqlite::Result<Vec<Record>> {
        // Before the rows: what is committed in between is looked at once more, and not missed.
        let data_version = data_version(&self.connection)?;
        if self.data_version == Some(data_version) && self.touched.is_empty() {
            return Ok(Vec::new());
        }
        let transaction = self.connection.transaction()?;
        let last = last_revision(&transaction)?;
        let mut reader = Reader::default();
        let mut records = select(&transaction, &mut reader, schema::SELECT_NEWER, [self.seen])?;
        for record in &records {
            self.touched.remove(&(record.fingerprint, record.scope.clone()));
        }
        for (fingerprint, scope) in &self.touched {
            let name = (fingerprint.as_bytes(), scope.as_deref().unwrap_or_default());
            records.extend(select(&transaction, &mut reader, schema::SELECT_ONE, name)?);
        }
        transaction.commit()?;
        warn_if_repaired(&self.path, &reader);
        self.seen = last;
        self.touched.clear();
        self.data_version = Some(data_version);
        Ok(records)
    }
}

impl Store for Sqlite {
    fn path(&self) -> &Path {
        &self.path
    }

    fn load(&mut self) -> Result<Vec<Record>, StoreError> {
        let parts = self.read_all(|_, records| records.collect::<Vec<_>>());
        let parts = parts.map_err(|refusal| StoreError::new(&self.path, refusal.into_kind()))?;
        Ok(parts.into_iter().reduce(|first, second| [first, second].concat()).unwrap_or_default())
    }

    fn apply(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        self.stay_in_place()?;
        self.apply_all(changes).map_err(|error| self.error(error))
    }

    fn changes_by_others(&mut self) -> Result<Vec<Record>, StoreError> {
        self.stay_in_place()?;
        self.read_others().map_err(|error| self.error(error))
    }

    fn was_replaced(&mut self) -> bool {
        std::mem::take(&mut self.was_replaced)
    }

    fn edit(&mut self, edit: &Edit) -> Result<(), StoreError> {
        self.stay_in_place()?;
        self.try_edit(edit).map_err(|refusal| StoreError::new(&self.path, refusal.into_kind()))
    }

    fn added_keys(&mut self) -> Result<Option<Vec<KeyConfig>>, StoreError> {
        self.stay_in_place()?;
        self.read_added().map_err(|refusal| StoreError::new(&self.path, refusal.into_kind()))
    }
}

fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("PRAGMA data_version")?.query_one([], |row| row.get(0))
}

fn last_revision(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached(schema::LAST_REVISION)?.query_one([], |row| row.get(0))
}

fn select(
    connection: &Connection,
    reader: &mut Reader,
    sql: &str,
    params: impl rusqlite::Params,
) -> rusqlite::Result<Vec<Record>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        records.extend(reader.record(row)?);
    }
    Ok(records)
}

fn warn_if_repaired(path: &Path, reader: &Reader) {
    if reader.repaired > 0 {
        tracing::warn!(
            target: "egb",
            path = %path.display(),
            keys = reader.repaired,
            "rows of the database make no sense, or come from a newer egb; safe values are used instead"
        );
    }
}

#[cfg(feature = "cli")]
mod admin;
mod load;
#[cfg(feature = "cli")]
mod look;
#[cfg(test)]
mod tests;

#[cfg(feature = "cli")]
pub(crate) use admin::{AddedKey, DatabaseFacts, Import, Imported};
#[cfg(feature = "cli")]
pub(crate) use look::Standing;
