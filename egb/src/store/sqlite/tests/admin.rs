//! A database that is looked at, and what the command does to one.

use super::*;
use crate::key::Key;
use crate::store::{Import, Imported, Standing};

fn standing(ground: &Ground) -> Standing {
    Standing::of(&ground.path()).unwrap()
}

/// All that is in the folder, and nothing that a look added.
fn looked_at(ground: &Ground, look: impl FnOnce()) {
    let before = ground.files();
    look();
    assert_eq!(ground.files().keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    assert_eq!(ground.files().get("keys.db"), before.get("keys.db"));
}

#[test]
fn a_look_changes_no_file_and_makes_none() {
    let ground = Ground::new();
    looked_at(&ground, || assert_eq!(standing(&ground), Standing::Missing));
    ground.open().apply(&[disablement(1)]).unwrap();
    looked_at(&ground, || {
        assert_eq!(standing(&ground), Standing::Ready);
        let mut store = Sqlite::look(&ground.path(), None).unwrap();
        assert!(store.load().unwrap()[0].state.health.disabled);
        assert!(store.apply(&[change(1)]).is_err());
    });
    let raw = ground.raw();
    raw.execute_batch("PRAGMA wal_autocheckpoint = 0; UPDATE keys SET calls = 77").unwrap();
    looked_at(&ground, || {
        let records = Sqlite::look(&ground.path(), None).unwrap().load().unwrap();
        assert_eq!(records[0].counters.calls, 77, "what is in the log is seen while another program has it open");
    });
}

#[test]
fn a_large_database_is_read_whole_by_two_threads() {
    let ground = Ground::new();
    let changes: Vec<Change> = (0..20_000).map(change).collect();
    ground.open().apply(&changes).unwrap();
    assert!(ground.path().metadata().unwrap().len() > 1 << 20);
    let mut records = Sqlite::look(&ground.path(), None).unwrap().load().unwrap();
    records.sort_by_key(|record| record.fingerprint);
    let mut names: Vec<_> = (0..20_000).map(name).collect();
    names.sort();
    assert!(records.iter().map(|record| record.fingerprint).eq(names));
}

#[test]
fn a_file_is_looked_at_whatever_its_name() {
    for name in ["odd name?.db", "100%#1.db", "a%20b.db", ":memory:"] {
        let ground = Ground::new();
        let path = ground.folder.path().join(name);
        Sqlite::open(&path).unwrap().apply(&[change(1)]).unwrap();
        assert_eq!(Sqlite::look(&path, None).unwrap().load().unwrap().len(), 1, "{name}");
    }
}

#[test]
fn what_is_not_a_database_of_this_version_is_told_apart_and_left_alone() {
    let ground = Ground::new();
    fs::write(ground.path(), "").unwrap();
    looked_at(&ground, || assert_eq!(standing(&ground), Standing::Empty));
    let older = of_version(4);
    looked_at(&older, || assert_eq!(standing(&older), Standing::Older { found: 4, known: schema::KNOWN }));
    let tool = Ground::new();
    tool.raw().execute_batch("CREATE TABLE api_keys (key, is_available)").unwrap();
    looked_at(&tool, || assert_eq!(standing(&tool), Standing::PythonTool));
    let kind = |ground: &Ground| Standing::of(&ground.path()).unwrap_err().kind;
    let foreign = Ground::new();
    foreign.raw().execute_batch("CREATE TABLE theirs (a)").unwrap();
    looked_at(&foreign, || assert!(matches!(kind(&foreign), StoreErrorKind::Foreign)));
    let newer = Ground::new();
    drop(newer.open());
    newer.raw().pragma_update(None, "user_version", 99).unwrap();
    looked_at(&newer, || assert!(matches!(kind(&newer), StoreErrorKind::Newer { found: 99, .. })));
    let garbage = Ground::new();
    fs::write(garbage.path(), "no database at all, and long enough to be read as one".repeat(20)).unwrap();
    looked_at(&garbage, || assert!(matches!(kind(&garbage), StoreErrorKind::Corrupt(_))));
    let folder = Ground::new();
    fs::create_dir(folder.path()).unwrap();
    assert!(matches!(kind(&folder), StoreErrorKind::Io(_)));
}

/// Imports keys, and says how many were new, updated, skipped.
fn import(store: &mut Sqlite, configs: &[KeyConfig], source: &str) -> (u32, u32, u32) {
    let mut seen = 0;
    let import = Import { configs, source, file: Some("keys.txt") };
    let Imported { entries, new, updated, skipped, .. } = store.import(import, |done| seen = done).unwrap();
    assert_eq!((seen, entries as usize), (configs.len() as u64, configs.len()));
    (new, updated, skipped)
}

#[test]
fn an_import_counts_what_is_new_and_is_remembered() {
    let ground = Ground::new();
    let clock = ManualClock::new();
    let mut store = ground.open().with_clock(clock.clone());
    let [one, two]: [KeyConfig; 2] = ["test-key-1".into(), "test-key-2".into()];
    assert_eq!(import(&mut store, &[one.clone(), two.clone()], "first"), (2, 0, 0));
    clock.advance(Duration::from_secs(1));
    assert_eq!(import(&mut store, &[one.weight(2.0).label("a"), two, "test-key-3".into()], "second"), (1, 1, 1));
    let configs = store.added_keys().unwrap().unwrap();
    assert_eq!(configs.iter().map(|config| config.terms.weight).collect::<Vec<_>>(), [2.0, 1.0, 1.0]);
    let from = store.added_from().unwrap();
    let source = |key| from[&name(key)].source.as_deref();
    assert_eq!([source(1), source(2), source(3)], [Some("second"), Some("first"), Some("second")]);
    let history = store.imports().unwrap();
    assert_eq!(history.len(), 2);
    let Imported { file, source, entries, new, updated, skipped, .. } = &history[1];
    assert_eq!((&**file, &**source, [*entries, *new, *updated, *skipped]), ("keys.txt", "second", [3, 1, 1, 1]));
    assert_eq!(history[1].at.duration_since(history[0].at).unwrap(), Duration::from_secs(1));
}

#[test]
fn weights_of_added_keys_change_in_place() {
    let ground = Ground::new();
    let mut store = ground.open();
    import(&mut store, &[KeyConfig::new("test-key-1").label("a").rpm(5)], "x");
    assert!(store.set_weight(name(1), 2.5).unwrap());
    assert!(!store.set_weight(name(2), 2.5).unwrap());
    let changed = KeyConfig::new("test-key-1").label("a").rpm(5).weight(2.5);
    assert_eq!(store.added_keys().unwrap().unwrap(), [changed]);
}

#[test]
fn a_removed_key_is_known_to_be_removed_until_it_is_added_again() {
    let ground = Ground::new();
    let mut store = ground.open();
    import(&mut store, &["test-key-1".into()], "x");
    store.edit(&Edit::Remove(vec![name(1), name(2)])).unwrap();
    assert_eq!(store.removed_keys().unwrap().into_keys().collect::<Vec<_>>(), [name(1)], "the other was not added");
    import(&mut store, &["test-key-1".into()], "x");
    assert!(store.removed_keys().unwrap().is_empty());
}

#[test]
fn what_was_used_meanwhile_is_neither_removed_nor_forgotten() {
    let ground = Ground::new();
    let store = ground.open();
    let clock = ManualClock::new();
    let start = clock.utc();
    let mut store = store.with_clock(clock.clone());
    import(&mut store, &["test-key-1".into(), "test-key-2".into()], "x");
    for key in [1, 2, 3, 4] {
        let mut used = change(key);
        used.state.last_used = Some(if key % 2 == 0 { start } else { start + Duration::from_secs(1) });
        store.apply(&[used]).unwrap();
    }
    assert_eq!(store.remove_unused(&[name(1), name(2)], start).unwrap(), 1);
    assert_eq!(store.added_keys().unwrap().unwrap()[0].key, Key::from("test-key-1"));
    assert_eq!(store.forget_unused(&[name(2), name(3), name(4)], start).unwrap(), 2);
    let left: Vec<_> = store.last_uses().unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(left.len(), 2);
    assert!(left.contains(&name(1)) && left.contains(&name(3)));
    assert!(store.removed_keys().unwrap().is_empty());
}

#[test]
fn what_was_never_used_counts_from_when_it_was_changed() {
    let ground = Ground::new();
    let clock = ManualClock::new();
    let start = clock.utc();
    let mut store = ground.open().with_clock(clock.clone());
    store.apply(&[disablement(1), disablement(2)]).unwrap();
    import(&mut store, &["test-key-3".into(), "test-key-4".into()], "x");
    clock.advance(Duration::from_secs(10));
    let ago = |seconds| start + Duration::from_secs(seconds);
    store.apply(&[disablement(2)]).unwrap();
    store.edit(&Edit::Remove(vec![name(3)])).unwrap();
    assert!(store.last_changes().unwrap()[&name(2)] > ago(9));
    assert_eq!(store.forget_unused(&[name(1), name(2), name(3)], ago(5)).unwrap(), 1);
    assert!(store.removed_keys().unwrap().contains_key(&name(3)));
    let left: Vec<_> = store.last_uses().unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(left, [name(2)]);
    import(&mut store, &["test-key-5".into()], "x");
    assert_eq!(store.remove_unused(&[name(4), name(5)], ago(5)).unwrap(), 1, "the other was added since");
    assert_eq!(store.added_keys().unwrap().unwrap()[0].key, Key::from("test-key-5"));
}

#[test]
fn a_file_is_copied_checked_and_made_smaller() {
    let ground = Ground::new();
    let mut store = ground.open();
    let changes: Vec<Change> = (0..2_000).map(change).collect();
    store.apply(&changes).unwrap();
    assert_eq!(store.damage().unwrap(), Vec::<String>::new());
    let copy = ground.folder.path().join("copy.db");
    fs::write(&copy, "").unwrap();
    Sqlite::look(&ground.path(), None).unwrap().copy_to(&copy).unwrap();
    assert_eq!(Sqlite::open(&copy).unwrap().load().unwrap().len(), 2_000);
    let names: Vec<_> = (0..2_000).map(name).collect();
    assert_eq!(store.forget_unused(&names, SystemTime::now() + Duration::from_secs(3_600)).unwrap(), 2_000);
    let before = store.facts().unwrap();
    assert!(before.free > 100_000, "{before:?}");
    store.vacuum().unwrap();
    let after = store.facts().unwrap();
    assert!(after.size < before.size && after.free == 0, "{after:?}");
    assert_eq!((after.schema, after.keys, after.added_keys, after.sealed), (schema::KNOWN, 0, 0, false));
}

#[test]
fn sealed_keys_are_seen_without_their_texts_and_their_settings_change() {
    let ground = Ground::new();
    let seal = Seal::passphrase("correct horse");
    let mut store = Sqlite::open_for(&ground.path(), &[], Some(&seal)).unwrap();
    import(&mut store, &[KeyConfig::new("test-key-1").label("a")], "x");
    drop(store);
    let look = || Sqlite::look(&ground.path(), None).unwrap();
    assert!(matches!(look().added_keys().unwrap_err().kind(), StoreErrorKind::Sealed));
    let configs = look().with_sealed_keys_unread().added_keys().unwrap().unwrap();
    assert!(!configs[0].key.has_text());
    assert_eq!((configs[0].key.fingerprint(), configs[0].label_text()), (name(1), Some("a")));
    let mut store = Sqlite::open(&ground.path()).unwrap().with_sealed_keys_unread();
    assert!(store.set_weight(name(1), 2.0).unwrap());
    let added = store.import(Import { configs: &["test-key-2".into()], source: "x", file: None }, |_| ());
    assert!(matches!(added.unwrap_err().kind(), StoreErrorKind::Sealed));
    drop(store);
    let mut opened = Sqlite::look(&ground.path(), Some(&seal)).unwrap();
    assert_eq!(opened.added_keys().unwrap().unwrap(), [KeyConfig::new("test-key-1").label("a").weight(2.0)]);
    let wrong = Sqlite::look(&ground.path(), Some(&Seal::passphrase("wrong"))).unwrap_err();
    assert!(matches!(wrong.kind(), StoreErrorKind::WrongSeal));
}
