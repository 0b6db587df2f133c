//! Files that egb can't use, for real: each is refused with what to do, and none is changed.

use std::io;

use rusqlite::ErrorCode;

use super::*;

impl Ground {
    /// The error of opening (and loading) what is there; the files are the same before and after.
    fn refused(&self) -> StoreErrorKind {
        let before = self.files();
        let error = Sqlite::open(&self.path()).and_then(|mut store| store.load()).unwrap_err();
        assert!(self.files() == before, "opening changed files: {:?}", self.files().keys());
        assert_eq!(error.path(), self.path());
        error.kind
    }

    /// A database of egb with `keys` keys, closed.
    fn filled(keys: usize) -> Self {
        let ground = Self::new();
        ground.open().apply(&(0..keys).map(change).collect::<Vec<_>>()).unwrap();
        ground
    }
}

#[test]
fn a_text_file_is_no_database() {
    for text in ["x", "these are notes\n", &"many of them, longer than a page of a database\n".repeat(200)] {
        let ground = Ground::new();
        fs::write(ground.path(), text).unwrap();
        assert!(matches!(ground.refused(), StoreErrorKind::Corrupt(_)));
    }
}

#[test]
fn zeros_are_no_database() {
    let ground = Ground::new();
    fs::write(ground.path(), [0; 8192]).unwrap();
    assert!(matches!(ground.refused(), StoreErrorKind::Corrupt(_)));
}

#[test]
fn a_truncated_database_is_corrupt() {
    let ground = Ground::filled(1_000);
    let size = fs::metadata(ground.path()).unwrap().len();
    for size in [size - 4096, size / 2, 4096, 100] {
        let file = fs::OpenOptions::new().write(true).open(ground.path()).unwrap();
        file.set_len(size).unwrap();
        assert!(matches!(ground.refused(), StoreErrorKind::Corrupt(_)), "{size} bytes");
    }
}

#[test]
fn a_database_with_an_overwritten_page_is_corrupt_whichever_it_is() {
    let ground = Ground::filled(1_000);
    let sound = fs::read(ground.path()).unwrap();
    let pages = sound.chunks(4096).count();
    assert!(pages > 20, "tables and index have several pages");
    for page in 0..pages {
        let mut bytes = sound.clone();
        bytes[page * 4096..][..4096].fill(0xA5);
        fs::write(ground.path(), bytes).unwrap();
        assert!(matches!(ground.refused(), StoreErrorKind::Corrupt(_)), "page {page}");
    }
}

#[test]
fn a_database_without_its_tables_is_corrupt() {
    for damage in ["DROP TABLE keys", "DROP TABLE revisions", "DELETE FROM revisions"] {
        let ground = Ground::filled(1);
        ground.raw().execute_batch(damage).unwrap();
        assert!(matches!(ground.refused(), StoreErrorKind::Corrupt(_)), "{damage}");
    }
}

#[test]
fn a_newer_schema_is_left_to_the_newer_egb() {
    let ground = Ground::filled(1);
    ground.raw().pragma_update(None, "user_version", 7).unwrap();
    assert!(matches!(ground.refused(), StoreErrorKind::Newer { found: 7, known: 6 }));
}

#[test]
fn a_database_of_another_program_is_refused() {
    for mark in [
        "CREATE TABLE notes (text)",
        "PRAGMA application_id = 77",
        "PRAGMA user_version = 3",
        "CREATE TABLE keys (fingerprint); PRAGMA user_version = 1",
        "CREATE TABLE api_keys (id, secret)",
        "CREATE VIEW one AS SELECT 1; PRAGMA journal_mode = WAL",
    ] {
        let ground = Ground::new();
        ground.raw().execute_batch(mark).unwrap();
        assert!(matches!(ground.refused(), StoreErrorKind::Foreign), "{mark}");
    }
}

#[test]
fn another_programs_log_is_not_moved_into_its_database() {
    let (theirs, copy) = (Ground::new(), Ground::new());
    let raw = theirs.raw();
    raw.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE notes (text)").unwrap();
    // As a crash leaves it: the log is there and nobody has it open.
    for (file, bytes) in theirs.files().into_iter().filter(|(file, _)| !file.ends_with("-shm")) {
        fs::write(copy.folder.path().join(file), bytes).unwrap();
    }
    let before = copy.files();
    assert!(matches!(Sqlite::open(&copy.path()).unwrap_err().kind(), StoreErrorKind::Foreign));
    let after = copy.files();
    assert!(before.iter().all(|(file, bytes)| after[file] == *bytes));
    assert_eq!(before.len(), 2);
}

#[test]
fn a_folder_in_its_place_is_refused() {
    let ground = Ground::new();
    fs::create_dir(ground.path()).unwrap();
    assert!(matches!(ground.refused(), StoreErrorKind::Io(error) if error.kind() == io::ErrorKind::IsADirectory));
}

#[test]
fn a_missing_folder_is_not_made() {
    let ground = Ground::new();
    let path = ground.folder.path().join("no/such/folder/keys.db");
    let error = Sqlite::open(&path).unwrap_err();
    assert!(matches!(error.kind(), StoreErrorKind::Io(error) if error.kind() == io::ErrorKind::NotFound));
    assert!(!ground.folder.path().join("no").exists());
}

#[cfg(unix)]
#[test]
fn a_link_to_nothing_is_refused() {
    let ground = Ground::new();
    std::os::unix::fs::symlink(ground.folder.path().join("nothing"), ground.path()).unwrap();
    assert!(matches!(ground.refused(), StoreErrorKind::Unusable(_)));
    assert!(!ground.folder.path().join("nothing").exists());
}

#[cfg(unix)]
#[test]
fn a_link_to_a_database_is_followed_and_may_be_moved_with_it() {
    let (ground, linked) = (Ground::filled(1), Ground::new());
    std::os::unix::fs::symlink(ground.path(), linked.path()).unwrap();
    let mut store = linked.open();
    store.apply(&[change(0)]).unwrap();
    assert_eq!(ground.record(0).counters.calls, 2);
    let elsewhere = ground.folder.path().join("elsewhere.db");
    fs::rename(ground.path(), &elsewhere).unwrap();
    assert!(matches!(store.apply(&[change(0)]).unwrap_err().kind(), StoreErrorKind::Moved));
    fs::rename(&elsewhere, ground.path()).unwrap();
    store.apply(&[change(0)]).unwrap();
}

#[test]
fn a_full_disk_is_an_error_that_passes_and_nothing_is_applied_by_half() {
    let ground = Ground::filled(1);
    let mut store = ground.open();
    let many: Vec<_> = (0..10_000).map(change).collect();
    let pages: i64 = store.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    let limit = |store: &Sqlite, pages: i64| {
        store.connection.pragma_update_and_check(None, "max_page_count", pages, |row| row.get::<_, i64>(0)).unwrap()
    };
    limit(&store, pages + 2);
    let error = store.apply(&many).unwrap_err();
    assert!(matches!(error.kind(), StoreErrorKind::Unusable(error)
        if error.sqlite_error_code() == Some(ErrorCode::DiskFull)));
    assert_eq!(ground.open().load().unwrap().len(), 1);
    limit(&store, pages + 100_000);
    store.apply(&many).unwrap();
    assert_eq!(ground.open().load().unwrap().len(), 10_000);
    assert_eq!(ground.record(5).counters.calls, 1, "the attempt that failed left no counts");
}

#[test]
fn a_lock_that_stays_is_an_error_that_passes() {
    let ground = Ground::filled(1);
    let mut store = ground.open();
    store.connection.busy_timeout(Duration::ZERO).unwrap();
    let other = ground.raw();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(matches!(store.apply(&[change(0)]).unwrap_err().kind(), StoreErrorKind::Locked(_)));
    assert_eq!(store.changes_by_others().unwrap(), [], "reading needs no lock");
    other.execute_batch("COMMIT").unwrap();
    store.apply(&[change(0)]).unwrap();
    assert_eq!(ground.record(0).counters.calls, 2);
}

#[cfg(unix)]
mod read_only {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    use super::*;

    const FILE: &str = "EGB_TEST_READ_ONLY_FILE";
    const NOBODY: u32 = 65_534;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// The part that must not run as root, who may write everything.
    #[test]
    #[ignore = "run by the tests below, as another user"]
    fn opens_nothing() {
        let path = PathBuf::from(std::env::var_os(FILE).expect("run by the tests below"));
        let error = Sqlite::open(&path).unwrap_err();
        assert!(matches!(error.kind(), StoreErrorKind::Unusable(_) | StoreErrorKind::Io(_)), "{error}");
    }

    fn refused_to_others(path: &Path) {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "store::sqlite::tests::bad_ground::read_only::opens_nothing", "--ignored"]);
        child.env(FILE, path);
        let is_root = fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0);
        if is_root {
            child.uid(NOBODY).gid(NOBODY);
        }
        match child.output() {
            Ok(ended) => {
                let text = String::from_utf8_lossy(&ended.stdout);
                assert!(ended.status.success() && text.contains("1 passed"), "{text}");
            }
            Err(error) => eprintln!("skipped: the tests can't be run as another user: {error}"),
        }
    }

    #[test]
    fn a_read_only_file_is_refused() {
        let ground = Ground::filled(1);
        set_mode(ground.folder.path(), 0o777);
        set_mode(&ground.path(), 0o444);
        let before = ground.files();
        refused_to_others(&ground.path());
        assert_eq!(ground.files()["keys.db"], before["keys.db"]);
    }

    #[test]
    fn a_read_only_folder_is_refused() {
        let ground = Ground::filled(1);
        set_mode(&ground.path(), 0o666);
        set_mode(ground.folder.path(), 0o555);
        let before = ground.files();
        refused_to_others(&ground.path());
        refused_to_others(&ground.folder.path().join("new.db"));
        assert!(ground.files() == before);
        set_mode(ground.folder.path(), 0o755);
    }
}

#[cfg(unix)]
#[test]
fn a_database_that_is_moved_away_is_missed_and_goes_on_when_it_is_back() {
    let ground = Ground::filled(1);
    let mut store = ground.open();
    let elsewhere = ground.folder.path().join("elsewhere.db");
    fs::rename(ground.path(), &elsewhere).unwrap();
    assert!(matches!(store.apply(&[change(0)]).unwrap_err().kind(), StoreErrorKind::Moved));
    assert!(matches!(store.changes_by_others().unwrap_err().kind(), StoreErrorKind::Moved));
    assert!(matches!(store.edit(&Edit::Remove(Vec::new())).unwrap_err().kind(), StoreErrorKind::Moved));
    assert!(matches!(store.added_keys().unwrap_err().kind(), StoreErrorKind::Moved));
    assert!(!ground.path().exists(), "no empty database in its place");
    fs::rename(&elsewhere, ground.path()).unwrap();
    store.apply(&[change(0)]).unwrap();
    assert!(!store.was_replaced());
    assert_eq!(ground.record(0).counters.calls, 2);
}

#[cfg(unix)]
#[test]
fn a_database_that_takes_the_place_of_the_open_one_is_used_instead() {
    let (ground, other) = (Ground::filled(1), Ground::filled(3));
    let mut store = ground.open();
    store.load().unwrap();
    fs::remove_file(ground.path()).unwrap();
    fs::write(ground.path(), "notes").unwrap();
    assert!(matches!(store.apply(&[change(0)]).unwrap_err().kind(), StoreErrorKind::Corrupt(_)));
    assert_eq!(fs::read(ground.path()).unwrap(), b"notes");
    fs::rename(other.path(), ground.path()).unwrap();
    assert_eq!(store.changes_by_others().unwrap().len(), 3);
    assert!(store.was_replaced());
    assert!(!store.was_replaced(), "it is said once");
    store.apply(&[change(2)]).unwrap();
    assert_eq!(ground.record(2).counters.calls, 2);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(96))]

    /// Wherever bytes are overwritten: what is there is used as far as it makes sense, or refused and left as it was.
    #[test]
    fn a_database_with_any_bytes_overwritten_does_no_harm(
        edits in proptest::collection::vec(
            (proptest::prelude::any::<u32>(), 1..200_usize, proptest::prelude::any::<u8>()),
            1..6,
        )
    ) {
        static SOUND: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
        let sound = SOUND.get_or_init(|| {
            let ground = Ground::filled(60);
            ground.open().edit(&Edit::Add(vec!["added".into()])).unwrap();
            fs::read(ground.path()).unwrap()
        });
        let mut bytes = sound.clone();
        for (at, length, value) in edits {
            let at = at as usize % bytes.len();
            let end = bytes.len().min(at + length);
            bytes[at..end].fill(value);
        }
        let ground = Ground::new();
        fs::write(ground.path(), &bytes).unwrap();
        match Sqlite::open(&ground.path()) {
            Ok(mut store) => {
                // Whatever they say, none of it panics.
                let _ = (store.load(), store.usage(), store.added_keys());
                let _ = (store.apply(&[change(0), disablement(1)]), store.changes_by_others());
                let _ = store.edit(&Edit::Remove(vec![name(5)]));
            }
            Err(_) => proptest::prop_assert!(fs::read(ground.path()).unwrap() == bytes),
        }
    }
}
