//! Coming from Python: the database of easy-gemini-balance is taken over, once, and nothing of it is lost.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use egb::{Balancer, Key, KeyState, KeyStats, Policy, Stats};
use rusqlite::Connection;
use serde::Deserialize;

/// What is in `seed_keys.db`, made by version 0.3 of the tool.
#[derive(Deserialize)]
struct Seed {
    keys_file: String,
    rows: Vec<Row>,
    special: Special,
}

#[derive(Deserialize)]
struct Row {
    key: String,
    weight: f64,
    is_available: u8,
    error_count: u64,
    consecutive_errors: u32,
    last_used: Option<String>,
}

#[derive(Deserialize)]
struct Special {
    disabled_400: String,
    removed_from_file: String,
}

struct Ground {
    folder: egb_tests::Scratch,
    seed: Seed,
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name)
}

impl Ground {
    fn new() -> Self {
        let seed: Seed = serde_json::from_slice(&fs::read(data("seed_keys.json")).unwrap()).unwrap();
        let ground = Self { folder: egb_tests::tempdir().unwrap(), seed };
        fs::write(ground.folder.path().join("keys.txt"), &ground.seed.keys_file).unwrap();
        // Without the mode of the original, which is read-only.
        fs::write(ground.db(), fs::read(data("seed_keys.db")).unwrap()).unwrap();
        ground
    }

    fn db(&self) -> PathBuf {
        self.folder.path().join("keys.db")
    }

    fn backup(&self) -> PathBuf {
        self.folder.path().join("keys.db.python-backup")
    }

    fn open(&self, policy: Policy) -> Balancer {
        let keys_file = self.folder.path().join("keys.txt");
        Balancer::builder().keys_file(keys_file).db(self.db()).policy(policy).build().unwrap()
    }

    /// The files of the database, without the backup.
    fn files(&self) -> Vec<u8> {
        let names = ["keys.db", "keys.db-wal", "keys.db-journal"];
        names.iter().filter_map(|name| fs::read(self.folder.path().join(name)).ok()).flatten().collect()
    }
}

fn of<'a>(stats: &'a Stats, key: &str) -> Option<&'a KeyStats> {
    let fingerprint = Key::from(key).fingerprint();
    stats.keys.iter().find(|row| row.fingerprint == fingerprint)
}

#[test]
fn weights_errors_availability_and_times_are_taken_over() {
    let ground = Ground::new();
    let stats = ground.open(Policy::default()).stats();
    let mut seen = 0;
    for row in &ground.seed.rows {
        let Some(now) = of(&stats, &row.key) else { continue };
        seen += 1;
        // What grew beyond the configured weight by successes is no more than that.
        assert_eq!(now.health.effective_weight(), row.weight.min(now.health.weight()), "{}", row.key);
        assert_eq!(
            (now.health.error_count(), now.health.consecutive_errors()),
            (row.error_count, row.consecutive_errors)
        );
        assert_eq!(now.last_used.is_some(), row.last_used.is_some());
        if row.is_available == 1 {
            assert_ne!(now.state, KeyState::Disabled, "{}", row.key);
        }
    }
    assert_eq!(seen, stats.total(), "every key of the file is in the database");
    assert_eq!(of(&stats, &ground.seed.special.disabled_400).unwrap().state, KeyState::Disabled);
    assert!(of(&stats, &ground.seed.special.removed_from_file).is_none());
}

#[test]
fn the_order_of_use_goes_on() {
    let ground = Ground::new();
    let stats = ground.open(Policy::default()).stats();
    // Naive local times: what matters is the distance between them.
    let mut used: Vec<(&str, SystemTime)> = ground
        .seed
        .rows
        .iter()
        .filter_map(|row| Some((row.last_used.as_deref()?, of(&stats, &row.key)?.last_used?)))
        .collect();
    used.sort_unstable();
    assert!(used.len() > 30);
    assert!(used.is_sorted_by_key(|(_, at)| *at));
    let seconds = |text: &str| text[17..].parse::<f64>().unwrap();
    let (first, last) = (used[used.len() - 9], used[used.len() - 1]);
    let apart = last.1.duration_since(first.1).unwrap().as_secs_f64();
    assert!((apart - (seconds(last.0) - seconds(first.0))).abs() < 0.001, "{first:?} {last:?}");
}

#[test]
fn the_classic_policy_takes_shares_over_as_they_grew() {
    let ground = Ground::new();
    let stats = ground.open(Policy::classic()).stats();
    for row in &ground.seed.rows {
        if let Some(now) = of(&stats, &row.key) {
            assert_eq!(now.health.effective_weight().to_bits(), row.weight.to_bits());
        }
    }
}

#[test]
fn a_copy_stays_beside_it_and_no_key_in_the_database() {
    let ground = Ground::new();
    drop(ground.open(Policy::default()));
    let files = ground.files();
    let holds = |files: &[u8], key: &str| files.windows(key.len()).any(|window| window == key.as_bytes());
    assert!(ground.seed.rows.iter().all(|row| !holds(&files, &row.key)), "a key in the clear");
    let copy = Connection::open(ground.backup()).unwrap();
    let rows: u32 = copy.query_one("SELECT count(*) FROM api_keys", [], |row| row.get(0)).unwrap();
    assert_eq!(rows as usize, ground.seed.rows.len());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(ground.backup()).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn it_happens_once() {
    let ground = Ground::new();
    let balancer = ground.open(Policy::default());
    balancer.reset().unwrap();
    let before = balancer.stats();
    drop(balancer);
    let after = ground.open(Policy::default()).stats();
    assert_eq!(before.available(), after.available());
    assert!(after.keys.iter().all(|key| key.health.factor() == 1.0), "what was reset stays so");
    assert_eq!(
        fs::read_dir(ground.folder.path())
            .unwrap()
            .filter(|entry| { entry.as_ref().unwrap().file_name().to_string_lossy().contains("backup") })
            .count(),
        1
    );
}

#[test]
fn several_that_start_at_once_take_it_over_once() {
    let ground = Ground::new();
    let stats: Vec<Stats> = std::thread::scope(|scope| {
        let starting: Vec<_> = (0..4).map(|_| scope.spawn(|| ground.open(Policy::default()).stats())).collect();
        starting.into_iter().map(|started| started.join().unwrap()).collect()
    });
    let failures: Vec<u64> = stats.iter().map(Stats::failures).collect();
    assert!(failures.iter().all(|&count| count == failures[0] && count > 0), "{failures:?}");
    assert!(!ground.folder.path().join("keys.db.python-backup-2").exists());
}

#[test]
fn the_last_version_with_more_columns_and_a_write_ahead_log_is_taken_over_too() {
    let ground = Ground::new();
    let raw = Connection::open(ground.db()).unwrap();
    raw.pragma_update(None, "journal_mode", "WAL").unwrap();
    raw.execute_batch(
        "ALTER TABLE api_keys ADD COLUMN source TEXT DEFAULT 'file';
         CREATE TABLE import_history (id INTEGER PRIMARY KEY, file_path TEXT, imported INTEGER);
         INSERT INTO import_history VALUES (1, 'keys.txt', 50);",
    )
    .unwrap();
    let keys = [&ground.seed.rows[0].key, &ground.seed.rows[1].key];
    let odd = "UPDATE api_keys SET weight = 'many', error_count = -5, last_used = 'yesterday' WHERE key = ?1";
    assert_eq!(raw.execute(odd, [keys[0]]).unwrap(), 1);
    let missing = "UPDATE api_keys SET error_count = 0, is_available = 0 WHERE key = ?1";
    assert_eq!(raw.execute(missing, [keys[1]]).unwrap(), 1);
    let stats = ground.open(Policy::default()).stats();
    drop(raw);
    let odd = of(&stats, keys[0]).unwrap();
    assert_eq!((odd.health.error_count(), odd.last_used), (0, None), "nonsense is repaired");
    assert_ne!(of(&stats, keys[1]).unwrap().state, KeyState::Disabled, "it was missing in a file, and never failed");
    let tables: Vec<String> = {
        let raw = Connection::open(ground.db()).unwrap();
        let mut names =
            raw.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").unwrap();
        let names = names.query_map([], |row| row.get(0)).unwrap();
        names.collect::<Result<_, _>>().unwrap()
    };
    let theirs = ["api_keys", "file_changes", "import_history"];
    assert!(
        tables.iter().any(|table| table == "keys") && tables.iter().all(|table| !theirs.contains(&&**table)),
        "{tables:?}"
    );
}

#[test]
fn a_backup_that_is_there_is_not_overwritten() {
    let ground = Ground::new();
    fs::write(ground.backup(), "mine").unwrap();
    drop(ground.open(Policy::default()));
    assert_eq!(fs::read_to_string(ground.backup()).unwrap(), "mine");
    let second = ground.folder.path().join("keys.db.python-backup-2");
    assert!(fs::metadata(second).unwrap().len() > 10_000);
}

#[test]
fn where_no_copy_can_be_made_nothing_is_taken_over() {
    let ground = Ground::new();
    // Something that can't be removed has the name of the copy in the making.
    fs::create_dir(ground.folder.path().join("keys.db.python-backup-half")).unwrap();
    let before = ground.files();
    let error = Balancer::builder().key("a-test-key").db(ground.db()).build().unwrap_err();
    assert!(error.to_string().contains("keys.db"), "{error}");
    assert_eq!(ground.files(), before);
    assert!(
        SystemTime::now().duration_since(fs::metadata(ground.db()).unwrap().modified().unwrap()).unwrap()
            < Duration::from_secs(600)
    );
    // Its keys are in it as they were.
    fs::remove_file(ground.db()).unwrap();
}
