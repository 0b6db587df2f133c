//! State that outlives the process: what is kept, what is refused, what several balancers share.

use std::fs;
use std::path::Path;
use std::time::Duration;

use egb::{Balancer, Error, Failure, Key, KeyConfig, KeyState, ManualClock, Policy, StoreErrorKind};
use egb_tests::eventually;

fn open(db: &Path, keys: usize) -> Balancer {
    let keys = (0..keys).map(|n| format!("AIzaSyFAKE_key_number_{n}_0123456789abcdef"));
    Balancer::builder().keys(keys).db(db).build().unwrap()
}

fn key(n: usize) -> Key {
    format!("AIzaSyFAKE_key_number_{n}_0123456789abcdef").into()
}

#[test]
fn a_restart_remembers_health_cooldowns_disablements_and_counts() {
    let dir = egb_tests::tempdir().unwrap();
    let db = dir.path().join("keys.db");
    let balancer = open(&db, 3);
    balancer.report(&key(0), 401);
    balancer.report(&key(1), Failure::status(429).with_retry_after(Duration::from_secs(3600)));
    balancer.report(&key(2), 500);
    let before = balancer.stats();
    drop(balancer);

    let after = open(&db, 3).stats();
    assert_eq!(after.keys[0].state, KeyState::Disabled);
    assert_eq!(after.keys[1].state, KeyState::CoolingDown);
    assert_eq!(after.keys[2].health.effective_weight(), 0.8);
    for (before, after) in before.keys.iter().zip(&after.keys) {
        assert_eq!((before.calls, before.failures, before.throttled), (after.calls, after.failures, after.throttled));
        assert_eq!(before.health.error_count(), after.health.error_count());
        let (then, now) = (before.health.cooldown_until(), after.health.cooldown_until());
        if let (Some(then), Some(now)) = (then, now) {
            let apart = then.max(now).duration_since(then.min(now)).unwrap();
            assert!(apart < Duration::from_millis(100), "a restart moved a cooldown by {apart:?}");
        }
    }
}

#[test]
fn calls_that_outlive_their_balancer_end_as_ever() {
    let dir = egb_tests::tempdir().unwrap();
    let db = dir.path().join("keys.db");
    let file = dir.path().join("keys.txt");
    let text =
        |keys: std::ops::Range<usize>| keys.map(|n| key(n).expose_secret().to_owned() + "\n").collect::<String>();
    fs::write(&file, text(0..5)).unwrap();
    let balancer = Balancer::builder().keys_file(&file).db(&db).build().unwrap();
    let [revoked, good, dropped, of_a_removed_key] = [(); 4].map(|()| balancer.lease().unwrap());
    let dead = revoked.key().clone();
    let gone = of_a_removed_key.key().fingerprint();
    let left: String = (0..5)
        .map(key)
        .filter(|key| key.fingerprint() != gone)
        .map(|key| key.expose_secret().to_owned() + "\n")
        .collect();
    fs::write(&file, left).unwrap();
    balancer.reload().unwrap();
    drop(balancer);

    revoked.end(401);
    let stats = open(&db, 5).stats();
    let [disabled] = stats.keys.iter().filter(|key| key.state == KeyState::Disabled).collect::<Vec<_>>()[..] else {
        panic!("on disk before the call returns: {stats:?}")
    };
    assert_eq!(disabled.fingerprint, dead.fingerprint());
    std::thread::spawn(|| good.success()).join().unwrap();
    of_a_removed_key.success();
    drop(dropped);
    // The last of them wrote what was left.
    let stats = open(&db, 5).stats();
    assert_eq!((stats.calls(), stats.successes(), stats.failures()), (4, 1, 1));
}

#[test]
fn the_order_of_use_goes_on_after_a_restart() {
    let dir = egb_tests::tempdir().unwrap();
    let db = dir.path().join("keys.db");
    let clock = ManualClock::new();
    let build = || {
        let keys = (0..6).map(key);
        Balancer::builder().keys(keys).db(&db).clock(clock.clone()).build().unwrap()
    };
    let balancer = build();
    let mut order = Vec::new();
    for _ in 0..6 {
        clock.advance(Duration::from_secs(1));
        order.push(balancer.key().unwrap());
    }
    drop(balancer);
    clock.advance(Duration::from_secs(1));
    let balancer = build();
    let again: Vec<Key> = (0..6).map(|_| balancer.key().unwrap()).collect();
    assert_eq!(again, order);
}

#[test]
fn a_disablement_is_on_disk_when_the_report_returns() {
    let dir = egb_tests::tempdir().unwrap();
    let db = dir.path().join("keys.db");
    let balancer = open(&db, 2);
    balancer.report(&key(0), 401);
    // A second connection, while the first balancer lives and has not been flushed.
    assert_eq!(open(&db, 2).stats().keys[0].state, KeyState::Disabled);
    drop(balancer);
}

#[test]
fn any_change_is_on_disk_soon_without_being_asked() {
    let dir = egb_tests::tempdir().unwrap();
    let db = dir.path().join("keys.db");
    let balancer = open(&db, 1);
    balancer.lease().unwrap().success();
    eventually("the success on disk", || open(&db, 1).stats().successes() == 1);
    drop(balancer);
}

#[test]
fn flush_writes_everything() {
    let dir = egb_tests::tempdir().unwrap();
    let db = dir.path().join("keys.db");
    let balancer = open(&db, 2);
    for _ in 0..1_000 {
        balancer.lease().unwrap().success();
    }
    balancer.flush().unwrap();
    assert_eq!(open(&db, 2).stats().successes(), 1_000);
    drop(balancer);
}

#[test]
fn balancers_on_one_database_see_each_other() {
    let dir = egb_tests::tempdir().unwrap();
    let db = dir.path().join("keys.db");
    let (one, two) = (open(&db, 3), open(&db, 3));
    one.report(&key(0), 401);
    one.report(&key(1), Failure::status(429).with_retry_after(Duration::from_secs(600)));
    eventually("the disablement", || two.stats().keys[0].state == KeyState::Disabled);
    eventually("the cooldown", || two.stats().keys[1].state == KeyState::CoolingDown);
    assert_eq!(two.key().unwrap(), key(2));
    two.reset().unwrap();
    eventually("the reset", || one.stats().available() == 3);
    for _ in 0..100 {
        one.lease().unwrap().success();
        two.lease().unwrap().success();
    }
    one.flush().unwrap();
    two.flush().unwrap();
    assert_eq!(open(&db, 3).stats().successes(), 200 + 1, "the fetched key is a success as well");
}

#[test]
fn a_disabled_key_does_not_come_back_because_another_process_wrote_later() {
    let dir = egb_tests::tempdir().unwrap();
    let db = dir.path().join("keys.db");
    let (one, two) = (open(&db, 1), open(&db, 1));
    let lease = two.lease().unwrap();
    one.report(&key(0), 401);
    lease.success();
    two.flush().unwrap();
    assert_eq!(open(&db, 1).stats().keys[0].state, KeyState::Disabled);
}

#[test]
fn looking_with_other_keys_changes_nothing() {
    let dir = egb_tests::tempdir().unwrap();
    let db = dir.path().join("keys.db");
    open(&db, 3).report(&key(1), 500);
    let other = Balancer::builder().key("another-key").db(&db).build().unwrap();
    assert_eq!(other.stats().total(), 1);
    drop(other);
    let stats = open(&db, 3).stats();
    assert_eq!(stats.disabled(), 0);
    assert_eq!(stats.keys[1].health.effective_weight(), 0.8);
}

#[test]
fn a_new_weight_in_the_file_keeps_the_learned_health() {
    let dir = egb_tests::tempdir().unwrap();
    let db = dir.path().join("keys.db");
    open(&db, 1).report(&key(0), 500);
    let balancer = Balancer::builder().key(KeyConfig::new(key(0)).weight(5.0)).db(&db).build().unwrap();
    assert_eq!(balancer.stats().keys[0].health.effective_weight(), 4.0);
}

#[test]
fn the_classic_policy_is_stored_exactly() {
    let dir = egb_tests::tempdir().unwrap();
    let db = dir.path().join("keys.db");
    let open = || Balancer::builder().key("test-key").policy(Policy::classic()).db(&db).build().unwrap();
    let balancer = open();
    for status in [403, 418, 500, 200, 200] {
        balancer.report(&"test-key".into(), status);
    }
    let before = balancer.stats().keys[0].health.effective_weight();
    drop(balancer);
    assert_eq!(open().stats().keys[0].health.effective_weight().to_bits(), before.to_bits());
}

#[cfg(unix)]
#[test]
fn the_database_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = egb_tests::tempdir().unwrap();
    let db = dir.path().join("keys.db");
    let balancer = open(&db, 1);
    balancer.report(&key(0), 401);
    for entry in fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.path());
    }
    drop(balancer);
}

fn refused(db: &Path, expected: impl Fn(&StoreErrorKind) -> bool) {
    let error = Balancer::builder().key("AIzaSyFAKE_key_that_must_not_show_0123").db(db).build().unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains(db.to_str().unwrap()), "{text}");
    assert!(!text.contains("must_not_show"), "{text}");
    let Error::Store(error) = error else { panic!("{text}") };
    assert!(expected(error.kind()), "{text}");
}

#[test]
fn what_is_no_database_of_egb_is_refused_and_left_as_it_was() {
    let dir = egb_tests::tempdir().unwrap();
    let text = dir.path().join("notes.txt");
    fs::write(&text, "these are notes, and quite a few of them, so that SQLite reads a header\n".repeat(30)).unwrap();
    let before = fs::read(&text).unwrap();
    refused(&text, |kind| matches!(kind, StoreErrorKind::Corrupt(_)));
    assert_eq!(fs::read(&text).unwrap(), before);

    let unusable = |kind: &StoreErrorKind| matches!(kind, StoreErrorKind::Unusable(_) | StoreErrorKind::Io(_));
    refused(dir.path(), unusable);
    refused(&dir.path().join("no/such/folder/keys.db"), unusable);
}

#[test]
fn the_reason_of_a_disablement_survives_another_process_write() {
    let dir = egb_tests::tempdir().unwrap();
    let db = dir.path().join("keys.db");
    let (one, two) = (open(&db, 1), open(&db, 1));
    let lease = two.lease().unwrap();
    one.report(&key(0), 401);
    lease.success();
    two.flush().unwrap();
    let key = &open(&db, 1).stats().keys[0];
    assert_eq!(key.state, KeyState::Disabled);
    assert_eq!(key.health.last_failure().unwrap().status, Some(401), "disabled, and everybody knows why");
}

#[test]
fn health_learned_by_one_process_survives_the_other_and_a_restart() {
    let dir = egb_tests::tempdir().unwrap();
    let db = dir.path().join("keys.db");
    let (one, two) = (open(&db, 1), open(&db, 1));
    let lease = two.lease().unwrap();
    for _ in 0..4 {
        one.report(&key(0), 500);
    }
    one.flush().unwrap();
    lease.success();
    two.flush().unwrap();
    drop(one);
    let key = &open(&db, 1).stats().keys[0];
    let expected = (1..=4).fold(1.0, |health: f64, _| health * 0.8);
    assert_eq!((key.health.effective_weight(), key.health.consecutive_errors()), (expected, 4));
}

#[test]
fn a_clock_that_was_wrong_blocks_no_key_for_ever() {
    let dir = egb_tests::tempdir().unwrap();
    let db = dir.path().join("keys.db");
    let clock = ManualClock::new();
    let build = || Balancer::builder().key(key(0)).db(&db).clock(clock.clone()).build().unwrap();
    // It was a year ahead when the key was throttled for a minute.
    let now = std::time::SystemTime::now();
    clock.set_utc(now + Duration::from_secs(365 * 24 * 3600));
    let first = build();
    first.report(&key(0), Failure::status(429).with_retry_after(Duration::from_secs(60)));
    first.flush().unwrap();
    drop(first);
    clock.set_utc(now);
    let (one, two) = (build(), build());
    for minute in 0..5 {
        clock.advance(Duration::from_secs(61));
        one.lease().unwrap().success();
        one.flush().unwrap();
        two.flush().unwrap();
        assert!(two.lease().is_ok(), "the key is healthy in minute {minute}");
    }
    drop((one, two));
    assert!(build().lease().is_ok(), "nor does it rest after a restart");
}

#[test]
fn scopes_are_remembered_and_shared() {
    let dir = egb_tests::tempdir().unwrap();
    let db = dir.path().join("keys.db");
    let (one, two) = (open(&db, 1), open(&db, 1));
    let lease = one.checkout().scope("pro").lease().unwrap();
    lease.end(Failure::status(429).with_retry_after(Duration::from_secs(3600)));
    one.flush().unwrap();
    eventually("the other process sees it", || two.checkout().scope("pro").lease().is_err());
    assert!(two.lease().is_ok() && two.checkout().scope("flash").lease().is_ok());
    drop((one, two));
    let later = open(&db, 1);
    assert!(later.checkout().scope("pro").lease().is_err());
    assert_eq!(later.stats().keys[0].scopes[0].scope, "pro");
    later.reset().unwrap();
    drop(later);
    assert!(open(&db, 1).checkout().scope("pro").lease().is_ok());
}
