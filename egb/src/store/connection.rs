//! A connection to a database: opened with all that durability takes, closed to what is not egb's, and what its errors
//! mean. What it reads and writes is for `sqlite.rs`.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

use super::StoreErrorKind;
use super::schema::{self, Before, Refusal};
use crate::config::KeyConfig;

/// How long another process may hold the database before an attempt fails. Tests have more of them at once, and perhaps a slower
/// disk.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(if cfg!(test) { 60 } else { 5 });
/// The change to WAL does not heed the busy timeout when two processes try it at once.
const WAL_ATTEMPTS: u128 = BUSY_TIMEOUT.as_millis() / WAL_PAUSE.as_millis();
const WAL_PAUSE: Duration = Duration::from_millis(50);

/// Opens a file that exists, refuses what is not egb's, and brings the rest to the newest schema. Returns what was there
/// before.
pub(super) fn connect(file: &Path, configs: &[KeyConfig]) -> Result<(Connection, Before), Refusal> {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    let has_log = fs::metadata(log).is_ok_and(|log| log.len() > 0);
    // SQLite takes a file of one byte for an empty one, and would overwrite it.
    if fs::metadata(file).is_ok_and(|file| file.len() == 1) {
        return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_NOTADB), None).into());
    }
    let mut connection =
        Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // Else a look at another program's database could move its write-ahead log into it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, has_log)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    let before = schema::migrate(&mut connection, file, configs)?;
    check(&connection)?;
    write_ahead(&connection)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    Ok((connection, before))
}

/// Finds damage before it is built upon: reading the table alone would not see that of its index.
fn check(connection: &Connection) -> rusqlite::Result<()> {
    let verdict: String = connection.query_one("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CORRUPT), Some(verdict)))
}

/// Switches to a write-ahead log, with which readers and the writer do not wait for each other.
fn write_ahead(connection: &Connection) -> rusqlite::Result<()> {
    let mut attempts = 1..WAL_ATTEMPTS;
    loop {
        let mode: rusqlite::Result<String> =
            connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0));
        match mode {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => {
                tracing::warn!(
                    target: "egb",
                    "the database has no write-ahead log here (journal mode {mode}); keep it on a local disk"
                );
                return Ok(());
            }
            Err(error) if is_busy(&error) && attempts.next().is_some() => thread::sleep(WAL_PAUSE),
            Err(error) => return Err(error),
        }
    }
}

/// Moves the write-ahead log into the database and empties it, so that it holds no key that was removed or
/// sealed. Another process that reads may prevent it; the log is overwritten in time then.
pub(super) fn forget_log(connection: &Connection) {
    let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
}

impl Refusal {
    pub(super) fn into_kind(self) -> StoreErrorKind {
        match self {
            Self::Kind(kind) => kind,
            Self::Sqlite(error) => kind_of(error),
        }
    }
}

pub(super) fn kind_of(error: rusqlite::Error) -> StoreErrorKind {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreErrorKind::Locked(error),
        // `Unknown`, and an error that is not SQLite's but about what it returned: a table, a column or
        // a row that this version always has is not there.
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt | ErrorCode::Unknown) | None => {
            StoreErrorKind::Corrupt(error)
        }
        Some(_) => StoreErrorKind::Unusable(error),
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}
