//! Which database this is and what is in it: the application id, the schema's versions, and how one
//! becomes the next. Knows nothing of Rust values; those are `row.rs`'s.

use std::ops::Range;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Transaction, TransactionBehavior, ffi};

use super::{StoreErrorKind, python};
use crate::clock;
use crate::config::KeyConfig;

/// Marks a database as egb's: "EGB" and a zero byte (<https://www.sqlite.org/fileformat2.html#application_id>).
pub(super) const APPLICATION_ID: i32 = i32::from_be_bytes(*b"EGB\0");

/// Where in a database file that mark is.
pub(super) const APPLICATION_ID_AT: Range<usize> = 68..72;

/// What brings a database to each version from the one before. Entries are never edited, only added.
pub(super) const MIGRATIONS: &[(i64, &str)] = &[
    // Instants are microseconds since 1970, UTC. `revisions` has one row; each transaction takes
    // the next number and gives it to the rows it writes, so that others read only what is new.
    (
        1,
        "CREATE TABLE keys (
        fingerprint         BLOB    NOT NULL PRIMARY KEY CHECK (length(fingerprint) = 16),
        weight              REAL    NOT NULL,
        effective_weight    REAL    NOT NULL,
        disabled            INTEGER NOT NULL,
        cooldown_until      INTEGER,
        error_count         INTEGER NOT NULL,
        consecutive_errors  INTEGER NOT NULL,
        forbidden_streak    INTEGER NOT NULL,
        throttled_streak    INTEGER NOT NULL,
        daily_streak        INTEGER NOT NULL,
        billing_streak      INTEGER NOT NULL,
        server_streak       INTEGER NOT NULL,
        circuit_streak      INTEGER NOT NULL,
        failed_at           INTEGER,
        failed_status       INTEGER,
        failed_reason       TEXT,
        epoch               INTEGER NOT NULL,
        last_used           INTEGER,
        calls               INTEGER NOT NULL,
        successes           INTEGER NOT NULL,
        failures            INTEGER NOT NULL,
        throttled           INTEGER NOT NULL,
        added_at            INTEGER NOT NULL,
        updated_at          INTEGER NOT NULL,
        revision            INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX keys_by_revision ON keys (revision);
    CREATE TABLE revisions (last INTEGER NOT NULL) STRICT;
    INSERT INTO revisions VALUES (0);",
    ),
    // A row for each scope in which a key was worse off; the empty scope is all calls.
    (
        2,
        "CREATE TABLE states (
        fingerprint         BLOB    NOT NULL CHECK (length(fingerprint) = 16),
        scope               TEXT    NOT NULL,
        weight              REAL    NOT NULL,
        effective_weight    REAL    NOT NULL,
        disabled            INTEGER NOT NULL,
        cooldown_until      INTEGER,
        error_count         INTEGER NOT NULL,
        consecutive_errors  INTEGER NOT NULL,
        forbidden_streak    INTEGER NOT NULL,
        throttled_streak    INTEGER NOT NULL,
        daily_streak        INTEGER NOT NULL,
        billing_streak      INTEGER NOT NULL,
        server_streak       INTEGER NOT NULL,
        circuit_streak      INTEGER NOT NULL,
        failed_at           INTEGER,
        failed_status       INTEGER,
        failed_reason       TEXT,
        epoch               INTEGER NOT NULL,
        last_used           INTEGER,
        calls               INTEGER NOT NULL,
        begun               INTEGER NOT NULL,
        successes           INTEGER NOT NULL,
        failures            INTEGER NOT NULL,
        throttled           INTEGER NOT NULL,
        added_at            INTEGER NOT NULL,
        updated_at          INTEGER NOT NULL,
        revision            INTEGER NOT NULL,
        PRIMARY KEY (fingerprint, scope)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO states SELECT fingerprint, '', weight, effective_weight, disabled, cooldown_until, error_count,
        consecutive_errors, forbidden_streak, throttled_streak, daily_streak, billing_streak, server_streak,
        circuit_streak, failed_at, failed_status, failed_reason, epoch, last_used, calls, calls, successes,
        failures, throttled, added_at, updated_at, revision FROM keys;
    DROP TABLE keys;
    ALTER TABLE states RENAME TO keys;
    CREATE INDEX keys_by_revision ON keys (revision);",
    ),
    // What keys, and groups of keys, used of their limits. `uses` is packed by `usage.rs`.
    (
        3,
        "CREATE TABLE usage (
        holder              BLOB    NOT NULL CHECK (length(holder) = 16),
        scope               TEXT    NOT NULL,
        uses                BLOB    NOT NULL,
        day_end             INTEGER,
        day_used            INTEGER,
        learned             INTEGER,
        updated_at          INTEGER NOT NULL,
        PRIMARY KEY (holder, scope)
    ) STRICT, WITHOUT ROWID;",
    ),
    // Keys that no file holds. `secret` is the key, or what `seal.rs` made of it. Each edit raises
    // `revisions.added_keys`, so that others see it.
    (
        4,
        "CREATE TABLE added_keys (
        fingerprint         BLOB    NOT NULL PRIMARY KEY CHECK (length(fingerprint) = 16),
        secret              BLOB    NOT NULL,
        is_sealed           INTEGER NOT NULL,
        weight              REAL    NOT NULL,
        label               TEXT,
        key_group           TEXT,
        rpm                 INTEGER,
        rpd                 INTEGER,
        tpm                 INTEGER,
        concurrency         INTEGER,
        added_at            INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE seal (
        only                INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
        kind                TEXT    NOT NULL,
        salt                BLOB    NOT NULL,
        memory              INTEGER NOT NULL,
        passes              INTEGER NOT NULL,
        lanes               INTEGER NOT NULL,
        proof               BLOB    NOT NULL
    ) STRICT;
    ALTER TABLE revisions ADD COLUMN added_keys INTEGER NOT NULL DEFAULT 0;",
    ),
    // For the command: where added keys came from, what was imported, and which keys were removed, whose rows in
    // `keys` stay.
    (
        5,
        "ALTER TABLE added_keys ADD COLUMN source TEXT;
    CREATE TABLE imports (
        number              INTEGER NOT NULL PRIMARY KEY,
        imported_at         INTEGER NOT NULL,
        file                TEXT    NOT NULL,
        source              TEXT    NOT NULL,
        entries             INTEGER NOT NULL,
        new                 INTEGER NOT NULL,
        updated             INTEGER NOT NULL,
        skipped             INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE removed_keys (
        fingerprint         BLOB    NOT NULL PRIMARY KEY CHECK (length(fingerprint) = 16),
        removed_at          INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;",
    ),
    // What calls spent of their limits of tokens, packed by `usage.rs`.
    (6, "ALTER TABLE usage ADD COLUMN tokens BLOB;"),
];

/// The newest version that this egb can read.
pub(super) const KNOWN: i64 = MIGRATIONS[MIGRATIONS.len() - 1].0;

/// The columns of a record, in the order in which `row.rs` reads and writes them.
macro_rules! columns {
    () => {
        "fingerprint, scope, weight, effective_weight, disabled, cooldown_until, error_count, consecutive_errors,
         forbidden_streak, throttled_streak, daily_streak, billing_streak, server_streak, circuit_streak,
         failed_at, failed_status, failed_reason, epoch, last_used, calls, begun, successes, failures, throttled"
    };
}

/// The writer's value of a column, where its health is to be taken.
macro_rules! writers {
    ($column:literal) => {
        concat!(
            "iif(excluded.epoch > epoch OR (excluded.epoch = epoch AND ?27), excluded.",
            $column,
            ", ",
            $column,
            ")"
        )
    };
}

/// The value of a column of the last failure.
macro_rules! later_failure {
    ($column:literal) => {
        concat!(
            "iif(excluded.failed_at IS NOT NULL AND (failed_at IS NULL OR excluded.failed_at >= failed_at),
                 excluded.",
            $column,
            ", ",
            $column,
            ")"
        )
    };
}

/// What a file turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// Nobody's yet.
    Empty,
    /// egb's, with the schema's version.
    Ours(i64),
    /// easy-gemini-balance's.
    PythonTool,
    Foreign,
}

/// Why a database could not be brought to the newest version.
pub(super) enum Refusal {
    Kind(StoreErrorKind),
    Sqlite(rusqlite::Error),
}

impl From<StoreErrorKind> for Refusal {
    fn from(kind: StoreErrorKind) -> Self {
        Self::Kind(kind)
    }
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// Reads whose database this is. Writes nothing. Within a transaction, or another process may make it
/// egb's between one statement and the next.
pub(super) fn identify(connection: &Transaction<'_>) -> rusqlite::Result<Identity> {
    let application: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if application == i64::from(APPLICATION_ID) && version > 0 {
        return Ok(Identity::Ours(version));
    }
    let is_empty = connection.query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))?;
    if application == 0 && version == 0 && is_empty {
        return Ok(Identity::Empty);
    }
    Ok(if python::is_its(connection)? { Identity::PythonTool } else { Identity::Foreign })
}

/// What a database was before it was brought to the newest version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Before {
    Ours,
    Empty,
    /// With the copy that was made of it.
    PythonTool {
        backup: PathBuf,
    },
}

/// Refuses what is neither egb's nor the Python tool's, too new or read-only, and brings the rest to the newest version. Several processes
/// may do so at once: one migrates, the others wait for it and find it done. Returns what was there before.
pub(super) fn migrate(connection: &mut Connection, file: &Path, configs: &[KeyConfig]) -> Result<Before, Refusal> {
    let transaction = connection.transaction()?;
    let found = accepted(&identify(&transaction)?)?;
    drop(transaction);
    if connection.is_readonly("main")? {
        let message = Some("the file can't be written".to_owned());
        return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_READONLY), message).into());
    }
    if found == KNOWN {
        return Ok(Before::Ours);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let identity = identify(&transaction)?;
    let version = accepted(&identity)?;
    // Before anything is written.
    let backup = if identity == Identity::PythonTool { Some(python::back_up(file)?) } else { None };
    for (next, migration) in MIGRATIONS.iter().filter(|&(next, _)| *next > version) {
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", next)?;
    }
    let taken_over =
        backup.is_some().then(|| python::take_over(&transaction, configs, clock::system_utc())).transpose()?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.commit()?;
    if let (Some(backup), Some(keys)) = (&backup, taken_over) {
        tracing::warn!(
            target: "egb",
            path = %file.display(),
            backup = %backup.display(),
            keys,
            "took over the state of the Python tool; the copy of its database holds keys in the clear, delete it when all is well"
        );
    }
    Ok(match (identity, backup) {
        (Identity::Ours(_), _) => Before::Ours,
        (_, Some(backup)) => Before::PythonTool { backup },
        (_, None) => Before::Empty,
    })
}

/// The version to start from.
pub(super) fn accepted(identity: &Identity) -> Result<i64, Refusal> {
    match *identity {
        Identity::Empty | Identity::PythonTool => Ok(0),
        Identity::Ours(found) if found > KNOWN => Err(Refusal::Kind(StoreErrorKind::Newer { found, known: KNOWN })),
        Identity::Ours(version) => Ok(version),
        Identity::Foreign => Err(Refusal::Kind(StoreErrorKind::Foreign)),
    }
}

/// Writes what happened to one key.
///
/// The rule by which writers that do not know of each other are joined:
///
/// - counters add up (and stop at the largest number there is), `last_used` is the later one;
/// - a higher epoch brings its health whole;
/// - at the same epoch the key is disabled if either says so, rests until the later instant, and has
///   the higher `error_count`, which so never goes back; all else of its health is the writer's, if that
///   changed since the writer wrote it last (`?27`);
/// - a lower epoch brings none of it but a disablement that is news: it may have come after the other's word;
/// - the last failure is the later one, whoever met it.
///
/// On the right-hand side a bare column is the value before the write.
pub(super) const UPSERT: &str = concat!(
    "INSERT INTO keys (",
    columns!(),
    ", added_at, updated_at, revision) VALUES (
        ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22,
        ?23, ?24, ?25, ?25, ?26
    )
    ON CONFLICT (fingerprint, scope) DO UPDATE SET
        weight             = ",
    writers!("weight"),
    ",
        effective_weight   = ",
    writers!("effective_weight"),
    ",
        disabled           = CASE WHEN excluded.epoch > epoch THEN excluded.disabled
                                  WHEN excluded.epoch = epoch OR ?27 THEN max(disabled, excluded.disabled)
                                  ELSE disabled END,
        cooldown_until     = CASE WHEN excluded.epoch > epoch THEN excluded.cooldown_until
                                  WHEN excluded.epoch = epoch AND ?27
                                  THEN max(coalesce(cooldown_until, excluded.cooldown_until),
                                           coalesce(excluded.cooldown_until, cooldown_until))
                                  ELSE cooldown_until END,
        error_count        = CASE WHEN excluded.epoch > epoch THEN excluded.error_count
                                  WHEN excluded.epoch = epoch THEN max(error_count, excluded.error_count)
                                  ELSE error_count END,
        consecutive_errors = ",
    writers!("consecutive_errors"),
    ",
        forbidden_streak   = ",
    writers!("forbidden_streak"),
    ",
        throttled_streak   = ",
    writers!("throttled_streak"),
    ",
        daily_streak       = ",
    writers!("daily_streak"),
    ",
        billing_streak     = ",
    writers!("billing_streak"),
    ",
        server_streak      = ",
    writers!("server_streak"),
    ",
        circuit_streak     = ",
    writers!("circuit_streak"),
    ",
        failed_at          = ",
    later_failure!("failed_at"),
    ",
        failed_status      = ",
    later_failure!("failed_status"),
    ",
        failed_reason      = ",
    later_failure!("failed_reason"),
    ",
        epoch              = max(epoch, excluded.epoch),
        last_used          = max(coalesce(last_used, excluded.last_used), coalesce(excluded.last_used, last_used)),
        calls              = min(max(calls + excluded.calls, 0), 9223372036854775807),
        begun              = min(max(begun + excluded.begun, 0), 9223372036854775807),
        successes          = min(max(successes + excluded.successes, 0), 9223372036854775807),
        failures           = min(max(failures + excluded.failures, 0), 9223372036854775807),
        throttled          = min(max(throttled + excluded.throttled, 0), 9223372036854775807),
        updated_at         = excluded.updated_at,
        revision           = excluded.revision"
);

/// Takes the next revision.
pub(super) const NEXT_REVISION: &str = "UPDATE revisions SET last = last + 1 RETURNING last";

pub(super) const LAST_REVISION: &str = "SELECT last FROM revisions";

pub(super) const SELECT_ALL: &str = concat!("SELECT ", columns!(), " FROM keys ORDER BY fingerprint, scope");
/// Those of a part of the names, from one on and below another.
pub(super) const SELECT_PART: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM keys WHERE fingerprint >= ?1 AND fingerprint < ?2 ORDER BY fingerprint, scope"
);
pub(super) const SELECT_ONE: &str = concat!("SELECT ", columns!(), " FROM keys WHERE fingerprint = ?1 AND scope = ?2");
pub(super) const SELECT_NEWER: &str = concat!("SELECT ", columns!(), " FROM keys WHERE revision > ?1");
pub(super) const SELECT_NEWER_NAMES: &str = "SELECT fingerprint, scope FROM keys WHERE revision > ?1";
