//! What the `egb` command does to a database besides the state of keys: imports and their history, where added keys
//! came from, forgetting, and the care of the file itself.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use rusqlite::{Transaction, TransactionBehavior, params};

use super::super::added::{self, Outcome};
use super::super::connection::{forget_log, kind_of};
use super::super::row::{fingerprint, from_micros, to_micros};
use super::super::schema::Refusal;
use super::super::{Edit, StoreError, StoreErrorKind};
use super::Sqlite;
use crate::config::KeyConfig;
use crate::key::{ByFingerprint, Fingerprint};

/// Keys that come in together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Import<'a> {
    pub(crate) configs: &'a [KeyConfig],
    /// Kept with each key.
    pub(crate) source: &'a str,
    /// For the history; without it there is no entry.
    pub(crate) file: Option<&'a str>,
}

/// What an import came to, or one that was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Imported {
    pub(crate) at: SystemTime,
    pub(crate) file: String,
    pub(crate) source: String,
    pub(crate) entries: u32,
    pub(crate) new: u32,
    pub(crate) updated: u32,
    pub(crate) skipped: u32,
}

/// Where an added key came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AddedKey {
    pub(crate) source: Option<Arc<str>>,
    pub(crate) at: SystemTime,
}

/// What the file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DatabaseFacts {
    pub(crate) schema: i64,
    /// In bytes, its log included.
    pub(crate) size: u64,
    /// Bytes that vacuuming would free.
    pub(crate) free: u64,
    /// Rows with the state of a key.
    pub(crate) keys: u64,
    pub(crate) added_keys: u64,
    pub(crate) sealed: bool,
}

impl Sqlite {
    /// Adds keys in one transaction. `progress` is told how many are done.
    pub(crate) fn import(&mut self, import: Import<'_>, progress: impl FnMut(u64)) -> Result<Imported, StoreError> {
        let imported = self.try_import(import, progress);
        imported.map_err(|refusal| StoreError::new(&self.path, refusal.into_kind()))
    }

    fn try_import(&mut self, import: Import<'_>, mut progress: impl FnMut(u64)) -> Result<Imported, Refusal> {
        let Import { configs, source, file } = import;
        let now = self.clock.utc();
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut imported = Imported {
            at: now,
            file: file.unwrap_or_default().to_owned(),
            source: source.to_owned(),
            entries: u32::try_from(configs.len()).unwrap_or(u32::MAX),
            new: 0,
            updated: 0,
            skipped: 0,
        };
        added::begin(&transaction, self.sealer.as_ref())?;
        for (at, config) in (0..).zip(configs) {
            let outcome = added::add(&transaction, config, Some(source), self.sealer.as_ref(), to_micros(now) + at)?;
            match outcome {
                Outcome::New => imported.new += 1,
                Outcome::Updated => imported.updated += 1,
                Outcome::Unchanged => imported.skipped += 1,
            }
            progress(at.unsigned_abs() + 1);
        }
        if file.is_some() {
            let sql = "INSERT INTO imports (imported_at, file, source, entries, new, updated, skipped)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            let Imported { at, file, source, entries, new, updated, skipped } = &imported;
            transaction.execute(sql, params![to_micros(*at), file, source, entries, new, updated, skipped])?;
        }
        transaction.commit()?;
        Ok(imported)
    }

    /// Changes the weight of an added key. False if there is none of that name.
    pub(crate) fn set_weight(&mut self, name: Fingerprint, weight: f64) -> Result<bool, StoreError> {
        let mut run = || -> rusqlite::Result<bool> {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let sql = "UPDATE added_keys SET weight = ?2 WHERE fingerprint = ?1";
            let is_there = transaction.execute(sql, params![name.as_bytes(), weight])? > 0;
            transaction.execute(added::TOUCH, [])?;
            transaction.commit()?;
            Ok(is_there)
        };
        run().map_err(|error| self.error(error))
    }

    /// All imports, the first one first.
    pub(crate) fn imports(&self) -> Result<Vec<Imported>, StoreError> {
        let read = || -> rusqlite::Result<Vec<Imported>> {
            let sql = "SELECT imported_at, file, source, entries, new, updated, skipped FROM imports ORDER BY number";
            let mut statement = self.connection.prepare(sql)?;
            let rows = statement.query_map([], |row| {
                Ok(Imported {
                    at: from_micros(row.get(0)?),
                    file: row.get(1)?,
                    source: row.get(2)?,
                    entries: row.get(3)?,
                    new: row.get(4)?,
                    updated: row.get(5)?,
                    skipped: row.get(6)?,
                })
            })?;
            rows.collect()
        };
        read().map_err(|error| self.error(error))
    }

    /// Where each added key came from.
    pub(crate) fn added_from(&self) -> Result<ByFingerprint<AddedKey>, StoreError> {
        let read = || -> rusqlite::Result<ByFingerprint<AddedKey>> {
            let mut statement = self.connection.prepare("SELECT fingerprint, source, added_at FROM added_keys")?;
            let mut rows = statement.query([])?;
            let (mut keys, mut sources) = (ByFingerprint::default(), HashSet::<Arc<str>>::new());
            while let Some(row) = rows.next()? {
                let source = row.get_ref(1)?.as_str().ok().map(|name| {
                    sources.get(name).cloned().unwrap_or_else(|| {
                        let name: Arc<str> = name.into();
                        sources.insert(Arc::clone(&name));
                        name
                    })
                });
                let at = from_micros(row.get(2)?);
                keys.extend(fingerprint(row.get_ref(0)?).map(|name| (name, AddedKey { source, at })));
            }
            Ok(keys)
        };
        read().map_err(|error| self.error(error))
    }

    /// Whether a key of that name, in the pool or not, is known and disabled.
    pub(crate) fn is_disabled(&self, name: Fingerprint) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM keys WHERE fingerprint = ?1 AND scope = '' AND disabled)";
        self.connection.query_one(sql, [name.as_bytes()], |row| row.get(0)).map_err(|error| self.error(error))
    }

    /// When each key that was added and removed was removed.
    pub(crate) fn removed_keys(&self) -> Result<ByFingerprint<SystemTime>, StoreError> {
        self.times("SELECT fingerprint, removed_at FROM removed_keys")
    }

    /// When something was last done with each key: it was seen first, its state changed, it was added or removed.
    pub(crate) fn last_changes(&self) -> Result<ByFingerprint<SystemTime>, StoreError> {
        self.times(
            "SELECT fingerprint, max(at) FROM (
                SELECT fingerprint, max(added_at, updated_at) AS at FROM keys WHERE scope = ''
                UNION ALL SELECT fingerprint, added_at FROM added_keys
                UNION ALL SELECT fingerprint, removed_at FROM removed_keys) GROUP BY fingerprint",
        )
    }

    /// When each key of which there is a state was used last, in the order of their names.
    pub(crate) fn last_uses(&self) -> Result<Vec<(Fingerprint, Option<SystemTime>)>, StoreError> {
        let read = || -> rusqlite::Result<Vec<(Fingerprint, Option<SystemTime>)>> {
            let sql = "SELECT fingerprint, last_used FROM keys WHERE scope = '' ORDER BY fingerprint";
            let mut statement = self.connection.prepare(sql)?;
            let mut rows = statement.query([])?;
            let mut uses = Vec::new();
            while let Some(row) = rows.next()? {
                let last_used: Option<i64> = row.get(1)?;
                uses.extend(fingerprint(row.get_ref(0)?).map(|name| (name, last_used.map(from_micros))));
            }
            Ok(uses)
        };
        read().map_err(|error| self.error(error))
    }

    fn times(&self, sql: &str) -> Result<ByFingerprint<SystemTime>, StoreError> {
        let read = || -> rusqlite::Result<ByFingerprint<SystemTime>> {
            let mut statement = self.connection.prepare(sql)?;
            let mut rows = statement.query([])?;
            let mut times = ByFingerprint::default();
            while let Some(row) = rows.next()? {
                let at = from_micros(row.get(1)?);
                times.extend(fingerprint(row.get_ref(0)?).map(|name| (name, at)));
            }
            Ok(times)
        };
        read().map_err(|error| self.error(error))
    }

    /// Removes those of these added keys that were not used since an instant, and returns how many. One that was never
    /// used counts from the last change.
    pub(crate) fn remove_unused(&mut self, names: &[Fingerprint], since: SystemTime) -> Result<usize, StoreError> {
        let mut run = || -> Result<usize, Refusal> {
            let now = self.clock.utc();
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let unused = unused(&transaction, USED_SINCE, names, since)?;
            let removed = unused.len();
            added::edit(&transaction, &Edit::Remove(unused), self.sealer.as_ref(), now)?;
            transaction.commit()?;
            forget_log(&self.connection);
            Ok(removed)
        };
        run().map_err(|refusal| StoreError::new(&self.path, refusal.into_kind()))
    }

    /// Deletes all that is known of those of these keys that were neither used nor changed since an instant, and returns
    /// how many.
    pub(crate) fn forget_unused(&mut self, names: &[Fingerprint], since: SystemTime) -> Result<usize, StoreError> {
        let mut run = || -> rusqlite::Result<usize> {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let unused = unused(&transaction, TOUCHED_SINCE, names, since)?;
            for name in &unused {
                for table in ["keys WHERE fingerprint", "usage WHERE holder", "removed_keys WHERE fingerprint"] {
                    transaction.prepare_cached(&format!("DELETE FROM {table} = ?1"))?.execute([name.as_bytes()])?;
                }
            }
            transaction.commit()?;
            Ok(unused.len())
        };
        run().map_err(|error| self.error(error))
    }

    /// The bytes of the file, its log included.
    pub(crate) fn size(&self) -> u64 {
        let mut log = self.file.as_os_str().to_owned();
        log.push("-wal");
        let bytes = |file: &Path| file.metadata().map_or(0, |found| found.len());
        bytes(&self.file) + bytes(Path::new(&log))
    }

    /// Whether keys in it are sealed.
    pub(crate) fn is_sealed(&self) -> Result<bool, StoreError> {
        added::is_sealed(&self.connection).map_err(|error| self.error(error))
    }

    /// The copy of the Python tool's database, if opening this one took over that.
    pub(crate) fn backup(&self) -> Option<&Path> {
        self.backup.as_deref()
    }

    pub(crate) fn facts(&self) -> Result<DatabaseFacts, StoreError> {
        let read = || -> rusqlite::Result<DatabaseFacts> {
            let number =
                |sql: &str| self.connection.query_one(sql, [], |row| row.get::<_, i64>(0).map(i64::unsigned_abs));
            Ok(DatabaseFacts {
                schema: self.connection.query_one("PRAGMA user_version", [], |row| row.get(0))?,
                size: self.size(),
                free: number("PRAGMA freelist_count")?.saturating_mul(number("PRAGMA page_size")?),
                keys: number("SELECT count(*) FROM keys WHERE scope = ''")?,
                added_keys: number("SELECT count(*) FROM added_keys")?,
                sealed: added::is_sealed(&self.connection)?,
            })
        };
        read().map_err(|error| self.error(error))
    }

    /// What is damaged, by a look at all of the file; nothing if all is well.
    pub(crate) fn damage(&self) -> Result<Vec<String>, StoreError> {
        let read = || -> rusqlite::Result<Vec<String>> {
            let mut statement = self.connection.prepare("PRAGMA integrity_check(20)")?;
            let lines = statement.query_map([], |row| row.get(0))?;
            lines.collect()
        };
        match read().map_err(kind_of) {
            Ok(lines) => Ok(lines.into_iter().filter(|line| line != "ok").collect()),
            // So damaged that the look itself fails.
            Err(StoreErrorKind::Corrupt(error)) => Ok(vec![error.to_string()]),
            Err(kind) => Err(StoreError::new(&self.path, kind)),
        }
    }

    /// Writes a copy of the database as it is now into an empty file.
    pub(crate) fn copy_to(&self, file: &Path) -> Result<(), StoreError> {
        let fail = |kind| StoreError::new(file, kind);
        let name = file.to_str().ok_or_else(|| fail(StoreErrorKind::Io(std::io::ErrorKind::InvalidFilename.into())))?;
        self.connection.execute("VACUUM INTO ?1", [name]).map_err(|error| match kind_of(error) {
            // That is this database; the copy is new.
            kind @ StoreErrorKind::Corrupt(_) => StoreError::new(&self.path, kind),
            kind => fail(kind),
        })?;
        Ok(())
    }

    /// Gives free pages back to the file system.
    pub(crate) fn vacuum(&mut self) -> Result<(), StoreError> {
        self.connection.execute("VACUUM", []).map_err(|error| self.error(error))?;
        forget_log(&self.connection);
        Ok(())
    }
}

const USED_SINCE: &str = "SELECT
    EXISTS (SELECT 1 FROM keys WHERE fingerprint = ?1 AND scope = ''
        AND coalesce(last_used, max(added_at, updated_at)) > ?2)
    OR NOT EXISTS (SELECT 1 FROM keys WHERE fingerprint = ?1 AND scope = '' AND last_used IS NOT NULL)
        AND EXISTS (SELECT 1 FROM added_keys WHERE fingerprint = ?1 AND added_at > ?2)";
const TOUCHED_SINCE: &str = "SELECT
    EXISTS (SELECT 1 FROM keys WHERE fingerprint = ?1 AND scope = ''
        AND max(coalesce(last_used, 0), added_at, updated_at) > ?2)
    OR EXISTS (SELECT 1 FROM removed_keys WHERE fingerprint = ?1 AND removed_at > ?2)";

/// Those of the keys of which a query does not say that something happened since an instant.
fn unused(
    transaction: &Transaction<'_>,
    happened: &str,
    names: &[Fingerprint],
    since: SystemTime,
) -> rusqlite::Result<Vec<Fingerprint>> {
    let mut happened = transaction.prepare(happened)?;
    let mut unused = Vec::new();
    for name in names {
        if !happened.query_one(params![name.as_bytes(), to_micros(since)], |row| row.get(0))? {
            unused.push(*name);
        }
    }
    Ok(unused)
}
