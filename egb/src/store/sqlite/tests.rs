use std::collections::BTreeMap;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::*;
use crate::ManualClock;
use crate::health::{Health, LastFailure};
use crate::outcome::Reason;
use crate::store::testing::{change, disablement, logged, name};
use crate::store::{Counters, SharedState};

#[cfg(feature = "cli")]
mod admin;
mod bad_ground;
mod joining;
mod speed;

/// A folder with room for one database.
pub(super) struct Ground {
    folder: TempDir,
}

impl Ground {
    pub(super) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("keys.db")
    }

    pub(super) fn open(&self) -> Sqlite {
        let mut store = Sqlite::open(&self.path()).unwrap();
        store.load().unwrap();
        store
    }

    fn record(&self, key: usize) -> Record {
        let records = Sqlite::open(&self.path()).unwrap().load().unwrap();
        records.into_iter().find(|record| record.fingerprint == name(key)).expect("the key is in the database")
    }

    /// A connection of another program.
    fn raw(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    /// All files, by name.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(self.folder.path()).unwrap().map(Result::unwrap);
        entries
            .filter(|entry| entry.file_type().unwrap().is_file())
            .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
            .collect()
    }
}

#[test]
fn a_new_database_is_empty_and_keeps_what_is_written() {
    let ground = Ground::new();
    let mut store = Sqlite::open(&ground.path()).unwrap();
    assert_eq!(store.load().unwrap(), []);
    store.apply(&[change(1), disablement(2)]).unwrap();
    drop(store);
    assert_eq!(ground.record(1).state, change(1).state);
    assert!(ground.record(2).state.health.disabled);
    assert_eq!(ground.files().len(), 1, "closing leaves the database alone");
}

#[test]
fn commits_survive_a_power_failure() {
    let ground = Ground::new();
    let store = ground.open();
    let pragma = |name| store.connection.pragma_query_value(None, name, |row| row.get::<_, String>(0));
    assert_eq!(pragma("journal_mode").unwrap(), "wal");
    let synchronous: i64 = store.connection.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap();
    assert_eq!(synchronous, 2, "FULL: the log is synced at each commit");
}

#[test]
fn the_file_says_whose_it_is_and_which_schema_it_has() {
    let ground = Ground::new();
    drop(ground.open());
    let raw = ground.raw();
    let pragma = |name| raw.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(pragma("application_id"), i64::from(schema::APPLICATION_ID));
    assert_eq!(pragma("user_version"), 6);
}

/// A database as an egb of that schema version left it, with one key.
fn of_version(version: i64) -> Ground {
    let ground = Ground::new();
    let raw = ground.raw();
    for (_, migration) in schema::MIGRATIONS.iter().filter(|(next, _)| *next <= version) {
        raw.execute_batch(migration).unwrap();
    }
    // From version 2 on a row has a scope, and `begun`.
    let (scope, begun) = if version < 2 { ("", "") } else { ("'',", "10,") };
    let row = format!(
        "INSERT INTO keys VALUES (?1, {scope} 2.0, 1.5, 1, 5000000, 4, 3, 1, 2, 0, 0, 0, 0, 4000000, 401, 'invalid_key', 6,
             3000000, 10, {begun} 7, 3, 1, 1, 2, 9)"
    );
    raw.execute(&row, [name(0).as_bytes()]).unwrap();
    raw.execute_batch("UPDATE revisions SET last = 9").unwrap();
    raw.pragma_update(None, "user_version", version).unwrap();
    raw.pragma_update(None, "application_id", schema::APPLICATION_ID).unwrap();
    ground
}

#[test]
fn a_database_of_each_earlier_version_keeps_its_keys() {
    for (version, _) in schema::MIGRATIONS {
        let ground = of_version(*version);
        let mut store = ground.open();
        let Record { state: SharedState { health, epoch, last_used }, counters, scope, .. } = ground.record(0);
        assert_eq!((health.weight(), health.effective_weight(), health.is_disabled()), (2.0, 1.5, true));
        assert_eq!(health.cooldown_until(), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(5)));
        assert_eq!((health.error_count(), health.consecutive_errors(), health.past.streaks.throttled), (4, 3, 2));
        assert_eq!(health.last_failure().unwrap().reason, Reason::InvalidKey);
        assert_eq!((epoch, last_used, scope), (6, Some(SystemTime::UNIX_EPOCH + Duration::from_secs(3)), None));
        assert_eq!(counters, Counters { calls: 10, begun: 10, successes: 7, failures: 3, throttled: 1 });
        store.apply(&[change(0)]).unwrap();
        store.edit(&Edit::Add(vec!["test-key-1".into()])).unwrap();
        assert_eq!(ground.record(0).counters.calls, 11, "it goes on from there");
        assert_eq!(store.added_keys().unwrap().unwrap().len(), 1);
    }
}

#[test]
fn a_migration_that_fails_changes_nothing() {
    let ground = of_version(1);
    // In the way of version 3.
    ground.raw().execute_batch("CREATE TABLE usage (one)").unwrap();
    let before = ground.files();
    assert!(matches!(Sqlite::open(&ground.path()).unwrap_err().kind(), StoreErrorKind::Corrupt(_)));
    assert!(ground.files() == before);
    assert_eq!(ground.raw().pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).unwrap(), 1);
}

#[test]
fn each_scope_of_a_key_has_a_row_of_its_own() {
    let ground = Ground::new();
    let (mut one, mut two) = (ground.open(), ground.open());
    let mut scoped = change(0);
    scoped.scope = Some("model".into());
    scoped.state.health.past.consecutive_errors = 7;
    scoped.added = Counters::default();
    one.apply(&[change(0), scoped.clone()]).unwrap();
    let seen = two.changes_by_others().unwrap();
    assert_eq!(seen.len(), 2);
    two.apply(&[change(0)]).unwrap();
    one.apply(std::slice::from_ref(&scoped)).unwrap();
    let seen: Vec<Record> = two.changes_by_others().unwrap();
    assert_eq!(seen.iter().map(|record| record.scope.as_deref()).collect::<Vec<_>>(), [Some("model")]);
    let seen: Vec<Record> = one.changes_by_others().unwrap();
    assert!(seen.iter().any(|record| record.scope.is_none() && record.counters.calls == 2));
    let all = ground.open().load().unwrap();
    let errors = |scope| {
        all.iter().find(|record| record.scope.as_deref() == scope).unwrap().state.health.past.consecutive_errors
    };
    assert_eq!((errors(None), errors(Some("model"))), (0, 7));
}

#[test]
fn no_key_is_in_the_database() {
    let ground = Ground::new();
    let mut store = ground.open();
    store.apply(&[change(7)]).unwrap();
    for (file, bytes) in ground.files() {
        assert!(!bytes.windows(8).any(|window| window == b"test-key"), "{file}");
    }
}

#[test]
fn a_row_says_since_when_it_is_there_and_when_it_changed() {
    let ground = Ground::new();
    let clock = ManualClock::at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000));
    let mut store = ground.open().with_clock(clock.clone());
    store.apply(&[change(1)]).unwrap();
    clock.advance(Duration::from_secs(5));
    store.apply(&[change(1)]).unwrap();
    let times = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let times: (i64, i64) = ground.raw().query_one("SELECT added_at, updated_at FROM keys", [], times).unwrap();
    assert_eq!(times, (1_000_000_000, 1_005_000_000));
}

#[cfg(unix)]
#[test]
fn all_files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let ground = Ground::new();
    let mut store = ground.open();
    store.apply(&[change(1)]).unwrap();
    let names: Vec<_> = ground.files().into_keys().collect();
    assert_eq!(names, ["keys.db", "keys.db-shm", "keys.db-wal"]);
    for name in names {
        let mode = fs::metadata(ground.folder.path().join(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[cfg(unix)]
#[test]
fn a_database_that_others_may_read_is_used_as_it_is_with_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let ground = Ground::new();
    assert_eq!(logged(|| drop(ground.open())), [""; 0]);
    assert_eq!(logged(|| drop(ground.open())), [""; 0], "its own mode is fine");
    fs::set_permissions(ground.path(), fs::Permissions::from_mode(0o644)).unwrap();
    let warnings = logged(|| drop(ground.open()));
    assert!(matches!(&warnings[..], [one] if one.starts_with("WARN") && one.contains("644")), "{warnings:?}");
    assert_eq!(fs::metadata(ground.path()).unwrap().permissions().mode() & 0o777, 0o644);
}

#[test]
fn an_empty_file_becomes_a_database() {
    let ground = Ground::new();
    fs::write(ground.path(), "").unwrap();
    ground.open().apply(&[change(1)]).unwrap();
    assert_eq!(ground.record(1).counters.calls, 1);
}

#[test]
fn names_that_mean_something_to_sqlite_are_plain_files() {
    let ground = Ground::new();
    for name in [":memory:", "file:keys.db?mode=memory"] {
        let path = ground.folder.path().join(name);
        Sqlite::open(&path).unwrap().apply(&[change(1)]).unwrap();
        assert_eq!(Sqlite::open(&path).unwrap().load().unwrap().len(), 1, "{name}");
    }
    assert!(matches!(Sqlite::open(Path::new("")).unwrap_err().kind(), StoreErrorKind::Io(_)));
}

#[test]
fn many_may_open_a_new_database_at_once() {
    for _ in 0..10 {
        let ground = Ground::new();
        let start = Barrier::new(8);
        thread::scope(|scope| {
            for key in 0..8 {
                let (ground, start) = (&ground, &start);
                scope.spawn(move || {
                    start.wait();
                    let mut store = ground.open();
                    store.apply(&[change(key), change(100)]).unwrap();
                });
            }
        });
        assert_eq!(ground.open().load().unwrap().len(), 9);
        assert_eq!(ground.record(100).counters.calls, 8);
    }
}

#[test]
fn nonsense_in_a_row_is_warned_of_and_does_not_hinder_the_start() {
    let ground = Ground::new();
    ground.open().apply(&[change(1), change(2)]).unwrap();
    ground.raw().execute_batch("UPDATE keys SET weight = -1").unwrap();
    let warnings = logged(|| {
        let mut store = Sqlite::open(&ground.path()).unwrap();
        assert_eq!(store.load().unwrap().len(), 2);
    });
    assert!(matches!(&warnings[..], [one] if one.contains("keys=2")), "{warnings:?}");
}

#[test]
fn the_page_on_the_database_names_all_tables_and_columns() {
    let page = include_str!("../../../docs/database.md");
    let ground = Ground::new();
    drop(ground.open());
    let raw = ground.raw();
    let names = |sql: &str| -> Vec<String> {
        let mut statement = raw.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let tables = names("SELECT name FROM sqlite_schema WHERE type = 'table'");
    assert_eq!(page.matches("\n## `").count(), tables.len());
    for table in tables {
        let (_, rest) = page.split_once(&format!("\n## `{table}`")).unwrap_or_else(|| panic!("{table} is not there"));
        let section = rest.split("\n## ").next().unwrap();
        for column in names(&format!("SELECT name FROM pragma_table_info('{table}')")) {
            assert!(section.contains(&format!("`{column}`")), "{table}.{column} is not there");
        }
    }
    assert!(page.contains(&format!("now {}.", schema::MIGRATIONS.last().unwrap().0)));
}
