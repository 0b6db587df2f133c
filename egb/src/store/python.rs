//! The database of the Python tool easy-gemini-balance, taken over in place: its state becomes rows of egb, its
//! tables, which hold keys in the clear, go; a copy as it was stays beside the file.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::tz::TimeZone;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, Transaction};

use super::connection::BUSY_TIMEOUT;
use super::schema::{Refusal, UPSERT};
use super::{Change, Counters, SharedState, StoreErrorKind, file, row};
use crate::config::KeyConfig;
use crate::health::{Health, LastFailure};
use crate::key::{Fingerprint, Key};
use crate::outcome::Reason;

/// Whether the tables are the tool's: of its first versions, or of the last one, which has columns more.
pub(super) fn is_its(connection: &Connection) -> rusqlite::Result<bool> {
    let has_its_columns = "SELECT 1 FROM pragma_table_info('api_keys') WHERE name IN ('key', 'is_available')
                           GROUP BY NULL HAVING count(*) = 2";
    Ok(connection.query_row(has_its_columns, [], |_| Ok(())).optional()?.is_some())
}

/// What is known of the keys, as changes to be written.
fn read(
    transaction: &Transaction<'_>,
    weights: &HashMap<Fingerprint, f64>,
    now: SystemTime,
) -> rusqlite::Result<Vec<Change>> {
    // Its times are local and name no zone.
    let zone = TimeZone::system();
    let mut statement = transaction.prepare(
        "SELECT key, weight, is_available, error_count, consecutive_errors, last_used, last_error FROM api_keys",
    )?;
    let mut rows = statement.query([])?;
    let mut changes = Vec::new();
    while let Some(row) = rows.next()? {
        changes.extend(change(row, weights, &zone, now)?);
    }
    Ok(changes)
}

/// Nothing a row can hold makes it fail; one without a key says nothing.
fn change(
    row: &Row<'_>,
    weights: &HashMap<Fingerprint, f64>,
    zone: &TimeZone,
    now: SystemTime,
) -> rusqlite::Result<Option<Change>> {
    let Some(key) = row.get_ref(0)?.as_str().ok().filter(|key| !key.is_empty()) else { return Ok(None) };
    let count = |at| -> rusqlite::Result<u32> {
        Ok(match row.get_ref(at)? {
            ValueRef::Integer(number) => u32::try_from(number.max(0)).unwrap_or(u32::MAX),
            _ => 0,
        })
    };
    let fingerprint = Key::from(key).fingerprint();
    let effective = match row.get_ref(1)? {
        ValueRef::Real(weight) if weight.is_finite() && weight > 0.0 => weight,
        _ => 1.0,
    };
    // Of a key that is not configured here nobody knows what it was.
    let mut health = Health::new(weights.get(&fingerprint).copied().unwrap_or(effective));
    health.effective = effective;
    let errors = count(3)?;
    // It disabled keys that were missing in a keys file too; one that never failed was one of them.
    health.disabled = errors > 0 && matches!(row.get_ref(2)?, ValueRef::Integer(0));
    health.past.error_count = u64::from(errors);
    health.past.consecutive_errors = count(4)?;
    // It did not keep what the error was; the one that disables is that of an invalid key.
    let reason = if health.disabled { Reason::InvalidKey } else { Reason::Network };
    let failed_at = local_time(row.get_ref(6)?, zone, now);
    health.past.last_failure = failed_at.map(|at| LastFailure { at, status: None, reason });
    let last_used = local_time(row.get_ref(5)?, zone, now);
    // It counted errors only: so many calls there were at least.
    let errors = i64::from(errors);
    let added = Counters { calls: errors, begun: errors, successes: 0, failures: errors, throttled: 0 };
    Ok(Some(Change {
        fingerprint,
        scope: None,
        state: SharedState { health, epoch: 0, last_used },
        added,
        is_news: true,
        is_farewell: false,
        usage: Vec::new(),
    }))
}

/// `2026-11-23T12:01:13.867863`; the fraction may be absent. Not later than now: a clock may have been wrong.
fn local_time(cell: ValueRef<'_>, zone: &TimeZone, now: SystemTime) -> Option<SystemTime> {
    let time: jiff::civil::DateTime = cell.as_str().ok()?.parse().ok()?;
    let time: SystemTime = time.to_zoned_datetime(zone.clone()).ok()?.timestamp().try_into().ok()?;
    Some(time.min(now))
}

/// Takes the database over, in a transaction that has made egb's tables already. Returns how many keys there were.
pub(super) fn take_over(
    transaction: &Transaction<'_>,
    configs: &[KeyConfig],
    now: SystemTime,
) -> rusqlite::Result<usize> {
    let weights = &configs.iter().map(|config| (config.key.fingerprint(), config.terms.weight)).collect();
    let changes = read(transaction, weights, now)?;
    {
        let mut upsert = transaction.prepare_cached(UPSERT)?;
        for change in &changes {
            row::write(&mut upsert, change, now, 0)?;
        }
    }
    // The keys in the clear are not left in free pages.
    transaction.pragma_update(None, "secure_delete", true)?;
    transaction.execute_batch(
        "DROP TABLE api_keys; DROP TABLE IF EXISTS file_changes; DROP TABLE IF EXISTS import_history;",
    )?;
    Ok(changes.len())
}

/// Copies the database as it is to a file beside it that did not exist, for its owner alone.
pub(super) fn back_up(file: &Path) -> Result<PathBuf, Refusal> {
    let io = |error| Refusal::Kind(StoreErrorKind::Io(error));
    let beside = |number: u32| {
        let mut name = file.as_os_str().to_owned();
        name.push(if number == 1 { ".python-backup".to_owned() } else { format!(".python-backup-{number}") });
        PathBuf::from(name)
    };
    let mut half = file.as_os_str().to_owned();
    half.push(".python-backup-half");
    let half = PathBuf::from(half);
    match fs::remove_file(&half) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    file::make(&half).map_err(io)?;
    // Another connection: what it sees is what was before this one's transaction.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let reader = Connection::open_with_flags(file, flags)?;
    reader.busy_timeout(BUSY_TIMEOUT)?;
    reader.execute("VACUUM INTO ?1", [half.to_string_lossy()])?;
    drop(reader);
    fs::File::open(&half).and_then(|copy| copy.sync_all()).map_err(io)?;
    let backup = (1..=u32::MAX).map(beside).find(|backup| !backup.exists()).unwrap_or_else(|| beside(1));
    fs::rename(&half, &backup).map_err(io)?;
    file::sync_folder(file);
    Ok(backup)
}
