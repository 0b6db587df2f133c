//! Keys that are added and removed while a balancer runs.

use std::fs;
use std::path::Path;

use egb::{Balancer, Error, EventKind, Key, KeyConfig, KeyState, Seal, StoreErrorKind};

fn labels(balancer: &Balancer) -> Vec<String> {
    balancer.stats().keys.into_iter().map(|key| key.label.unwrap_or_default()).collect()
}

fn labelled(label: &str) -> KeyConfig {
    KeyConfig::new(format!("an-added-key-called-{label}")).label(label)
}

fn key(label: &str) -> Key {
    Key::from(format!("an-added-key-called-{label}"))
}

/// Whether the database, its log or another file beside it holds the text.
fn is_in(dir: &Path, text: &str) -> bool {
    let files = fs::read_dir(dir).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap());
    files.into_iter().any(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
}

#[test]
fn an_added_key_is_used_at_once_and_a_removed_one_no_more() {
    let balancer = Balancer::builder().key(labelled("a")).rpm(7).in_memory().build().unwrap();
    let mut events = balancer.subscribe();
    balancer.add(labelled("b").weight(3.0)).unwrap();
    assert_eq!(labels(&balancer), ["a", "b"]);
    assert_eq!(balancer.stats().keys[1].limits.rpm.unwrap().get(), 7, "limits of all keys are the new one's too");
    assert!((0..4).any(|_| balancer.key().unwrap() == key("b")));
    balancer.remove(&key("b")).unwrap();
    assert_eq!(labels(&balancer), ["a"]);
    assert!((0..3).all(|_| balancer.key().unwrap() == key("a")));
    let told: Vec<_> = std::iter::from_fn(|| events.try_next().unwrap()).map(|event| event.kind).collect();
    assert_eq!(told, [EventKind::Added, EventKind::Removed]);
}

#[test]
fn added_keys_are_there_after_a_restart_and_are_enough_to_start_with() {
    let dir = egb_tests::tempdir().unwrap();
    let db = dir.path().join("keys.db");
    assert!(matches!(Balancer::builder().db(&db).build(), Err(Error::NoKeys)));
    let first = Balancer::builder().key(labelled("a")).db(&db).build().unwrap();
    let settings = labelled("b").weight(2.5).group("one").rpm(10).rpd(100).tpm(1_000).concurrency(2);
    first.add(settings).unwrap();
    first.add(labelled("c")).unwrap();
    first.disable(&key("c")).unwrap();
    drop(first);

    let second = Balancer::builder().db(&db).build().unwrap();
    assert_eq!(labels(&second), ["b", "c"]);
    let stats = second.stats();
    let row = &stats.keys[0];
    assert_eq!((row.health.weight(), row.group.as_deref()), (2.5, Some("one")));
    let limits = [row.limits.rpm, row.limits.rpd, row.limits.tpm, row.limits.concurrency];
    assert_eq!(limits.map(|limit| limit.unwrap().get()), [10, 100, 1_000, 2]);
    assert_eq!(stats.keys[1].state, KeyState::Disabled);
    // An empty list of sources is reloaded as well.
    second.reload().unwrap();
    assert_eq!(labels(&second), ["b", "c"]);
}

#[test]
fn what_a_source_says_of_an_added_key_prevails() {
    let dir = egb_tests::tempdir().unwrap();
    let (db, file) = (dir.path().join("keys.db"), dir.path().join("keys.txt"));
    fs::write(&file, "an-added-key-called-a:2 label=file\nan-added-key-called-b label=b\n").unwrap();
    let balancer = Balancer::builder().keys_file(&file).db(&db).build().unwrap();
    balancer.add(labelled("a").weight(5.0)).unwrap();
    assert_eq!(labels(&balancer), ["file", "b"]);
    assert!(matches!(balancer.remove(&key("a")), Err(Error::Invalid { .. })));
    // Once it is no longer in the file it stays as it was added.
    fs::write(&file, "an-added-key-called-b label=b\n").unwrap();
    balancer.reload().unwrap();
    assert_eq!(labels(&balancer), ["b", "a"]);
    assert_eq!(balancer.stats().keys[1].health.weight(), 5.0);
    balancer.remove(&key("a")).unwrap();
    assert_eq!(labels(&balancer), ["b"]);
    balancer.reload().unwrap();
    assert_eq!(labels(&balancer), ["b"]);
}

#[test]
fn what_can_not_be_added_changes_nothing() {
    let dir = egb_tests::tempdir().unwrap();
    let balancer = Balancer::builder().key(labelled("a")).db(dir.path().join("keys.db")).build().unwrap();
    for bad in [KeyConfig::new(""), KeyConfig::new("two words"), labelled("b").weight(f64::NAN), labelled("b").rpm(0)] {
        assert!(matches!(balancer.add(bad), Err(Error::Invalid { .. } | Error::KeysFile(_))));
    }
    assert!(matches!(balancer.remove(&key("b")), Err(Error::UnknownKey { .. })));
    assert_eq!(labels(&balancer), ["a"]);
}

#[test]
fn a_key_of_a_file_is_never_in_the_database_and_a_removed_one_no_longer() {
    let dir = egb_tests::tempdir().unwrap();
    let (inner, file) = (dir.path().join("state"), dir.path().join("keys.txt"));
    fs::create_dir(&inner).unwrap();
    fs::write(&file, "an-added-key-called-a\n").unwrap();
    let balancer = Balancer::builder().keys_file(&file).db(inner.join("keys.db")).build().unwrap();
    balancer.key().unwrap();
    balancer.add(labelled("b")).unwrap();
    balancer.flush().unwrap();
    assert!(!is_in(&inner, "an-added-key-called-a"));
    assert!(is_in(&inner, "an-added-key-called-b"), "it is in the clear, as the documentation says");
    balancer.remove(&key("b")).unwrap();
    assert!(!is_in(&inner, "an-added-key-called-b"));
}

#[test]
fn sealed_keys_are_in_no_file_and_need_the_passphrase() {
    let dir = egb_tests::tempdir().unwrap();
    let db = dir.path().join("keys.db");
    let sealed = || Balancer::builder().db(&db).seal(Seal::passphrase("correct horse"));
    let balancer = sealed().key(labelled("a")).build().unwrap();
    balancer.add(labelled("b")).unwrap();
    assert_eq!(labels(&balancer), ["a", "b"]);
    assert!(!is_in(dir.path(), "an-added-key-called-b"));
    drop(balancer);
    assert_eq!(labels(&sealed().build().unwrap()), ["b"]);
    let kind = |built: Result<Balancer, Error>| match built {
        Err(Error::Store(error)) => format!("{:?}", error.kind()),
        other => panic!("{other:?}"),
    };
    let without = || Balancer::builder().db(&db).key(labelled("a"));
    assert_eq!(kind(without().build()), format!("{:?}", StoreErrorKind::Sealed));
    assert_eq!(kind(without().seal(Seal::passphrase("wrong")).build()), format!("{:?}", StoreErrorKind::WrongSeal));
}

#[test]
fn a_program_without_the_passphrase_goes_on_with_the_keys_it_has() {
    let dir = egb_tests::tempdir().unwrap();
    let db = dir.path().join("keys.db");
    let open = Balancer::builder().key(labelled("a")).db(&db).build().unwrap();
    open.add(labelled("b")).unwrap();
    let sealed =
        Balancer::builder().key(labelled("a")).db(&db).seal(Seal::passphrase("correct horse")).build().unwrap();
    sealed.add(labelled("c")).unwrap();
    assert!(matches!(open.add(labelled("d")), Err(Error::Store(_))));
    open.flush().unwrap();
    assert_eq!(labels(&open), ["a", "b"]);
    assert_eq!(labels(&sealed), ["a", "b", "c"]);
}
