//! Two writers on one database: how what they write is joined, and what each sees of the other.

use super::*;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn state(epoch: u64, edit: impl FnOnce(&mut Health)) -> Change {
    let mut health = Health::new(1.0);
    edit(&mut health);
    Change {
        fingerprint: name(0),
        scope: None,
        state: SharedState { health, epoch, last_used: None },
        added: Counters::default(),
        is_news: true,
        is_farewell: false,
        usage: Vec::new(),
    }
}

/// What is in the database after two changes, which two stores that do not know of each other write.
fn joined(first: &Change, second: &Change) -> Record {
    let ground = Ground::new();
    let (mut one, mut two) = (ground.open(), ground.open());
    one.apply(std::slice::from_ref(first)).unwrap();
    two.apply(std::slice::from_ref(second)).unwrap();
    ground.record(0)
}

/// Health in which every field says who wrote it.
fn marked(health: &mut Health, mark: u32) {
    health.weight = f64::from(mark);
    health.effective = f64::from(mark) / 2.0;
    health.past.consecutive_errors = mark;
    health.past.error_count = mark.into();
    let streaks = &mut health.past.streaks;
    for streak in [
        &mut streaks.forbidden,
        &mut streaks.throttled,
        &mut streaks.daily,
        &mut streaks.billing,
        &mut streaks.server,
        &mut streaks.circuit,
    ] {
        *streak = mark;
    }
    health.past.last_failure = Some(LastFailure { at: at(mark.into()), status: None, reason: Reason::Host });
}

#[test]
fn counters_add_up() {
    let counted = |calls, successes, failures, throttled| {
        let added = Counters { calls, begun: calls, successes, failures, throttled };
        Change { added, ..state(0, |_| ()) }
    };
    let record = joined(&counted(10, 7, 3, 1), &counted(5, 4, 1, 1));
    assert_eq!(record.counters, Counters { calls: 15, begun: 15, successes: 11, failures: 4, throttled: 2 });
    let record = joined(&counted(10, 7, 3, 1), &counted(0, -1, 1, 0));
    assert_eq!(record.counters, Counters { calls: 10, begun: 10, successes: 6, failures: 4, throttled: 1 });
}

#[test]
fn counters_stop_at_the_largest_number_and_at_zero() {
    let counted = |calls| Change { added: Counters { calls, ..Counters::default() }, ..state(0, |_| ()) };
    assert_eq!(joined(&counted(i64::MAX), &counted(i64::MAX)).counters.calls, i64::MAX);
    assert_eq!(joined(&counted(i64::MAX - 1), &counted(1)).counters.calls, i64::MAX);
    assert_eq!(joined(&counted(3), &counted(-5)).counters.calls, 0);
}

#[test]
fn the_later_use_counts_whatever_the_epoch() {
    let used = |epoch, last_used| {
        let mut change = state(epoch, |_| ());
        change.state.last_used = last_used;
        change
    };
    for (first, second) in [(0, 0), (0, 1), (1, 0)] {
        let last_used = |a, b| joined(&used(first, a), &used(second, b)).state.last_used;
        assert_eq!(last_used(Some(at(10)), Some(at(20))), Some(at(20)));
        assert_eq!(last_used(Some(at(20)), Some(at(10))), Some(at(20)));
        assert_eq!(last_used(None, Some(at(10))), Some(at(10)));
        assert_eq!(last_used(Some(at(10)), None), Some(at(10)));
        assert_eq!(last_used(None, None), None);
    }
}

#[test]
fn at_one_epoch_a_key_is_disabled_if_either_says_so() {
    let disabled = |is| state(4, |health| health.disabled = is);
    for (first, second) in [(true, true), (true, false), (false, true), (false, false)] {
        assert_eq!(joined(&disabled(first), &disabled(second)).state.health.disabled, first || second);
    }
}

#[test]
fn at_one_epoch_the_later_cooldown_counts() {
    let cooling = |until| state(4, |health| health.cooldown_until = until);
    let until = |a, b| joined(&cooling(a), &cooling(b)).state.health.cooldown_until;
    assert_eq!(until(Some(at(10)), Some(at(20))), Some(at(20)));
    assert_eq!(until(Some(at(20)), Some(at(10))), Some(at(20)));
    assert_eq!(until(None, Some(at(10))), Some(at(10)));
    assert_eq!(until(Some(at(10)), None), Some(at(10)));
    assert_eq!(until(None, None), None);
}

#[test]
fn at_one_epoch_the_rest_is_the_last_writers_but_for_errors_and_the_last_failure() {
    let record = joined(&state(4, |health| marked(health, 9)), &state(4, |health| marked(health, 2)));
    let mut expected = Health::new(1.0);
    marked(&mut expected, 2);
    expected.past.error_count = 9;
    expected.past.last_failure = Some(LastFailure { at: at(9), status: None, reason: Reason::Host });
    assert_eq!(record.state.health, expected);
}

#[test]
fn health_that_is_no_news_leaves_what_others_wrote() {
    let learned = state(4, |health| {
        marked(health, 3);
        health.disabled = true;
    });
    let counted = Change { is_news: false, added: change(0).added, ..state(4, |_| ()) };
    let record = joined(&learned, &counted);
    assert_eq!((record.state, record.counters.calls), (learned.state, 1));
}

#[test]
fn a_higher_epoch_brings_its_health_whole_and_a_lower_one_no_more_than_the_last_failure() {
    let old = Change {
        is_news: false,
        ..state(1, |health| {
            marked(health, 9);
            health.disabled = true;
            health.cooldown_until = Some(at(1_000));
        })
    };
    let new = state(2, |health| marked(health, 2));
    let mut expected = new.state.clone();
    expected.health.past.last_failure = old.state.health.past.last_failure;
    assert_eq!(joined(&old, &new).state, expected);
    assert_eq!(joined(&new, &old).state, expected);
    let mut counted = old.clone();
    counted.added.calls = 3;
    assert_eq!(joined(&new, &counted).counters.calls, 3, "counters add up whatever the epoch");
}

#[test]
fn a_disablement_that_is_news_is_kept_whatever_the_epoch() {
    let revoked = state(1, |health| health.disabled = true);
    let reset = state(2, |_| ());
    let record = joined(&reset, &revoked);
    assert_eq!((record.state.epoch, record.state.health.disabled), (2, true), "it may have come later");
    assert!(!joined(&revoked, &reset).state.health.disabled, "the reset came later");
}

#[test]
fn a_key_twice_in_one_batch_is_joined_as_well() {
    let ground = Ground::new();
    ground.open().apply(&[disablement(0), change(0)]).unwrap();
    let record = ground.record(0);
    assert!(record.state.health.disabled);
    assert_eq!(record.counters.calls, 2);
}

fn names(records: &[Record]) -> Vec<Fingerprint> {
    records.iter().map(|record| record.fingerprint).collect()
}

#[test]
fn each_sees_what_the_other_wrote_once_and_never_its_own() {
    let ground = Ground::new();
    ground.open().apply(&[change(1), change(2), change(3)]).unwrap();
    let (mut one, mut two) = (ground.open(), ground.open());
    assert_eq!(one.changes_by_others().unwrap(), []);
    one.apply(&[disablement(1)]).unwrap();
    two.apply(&[change(3)]).unwrap();
    assert_eq!(names(&one.changes_by_others().unwrap()), [name(3)]);
    let seen = two.changes_by_others().unwrap();
    assert_eq!(names(&seen), [name(1)]);
    assert!(seen[0].state.health.disabled);
    assert_eq!(one.changes_by_others().unwrap(), []);
    assert_eq!(two.changes_by_others().unwrap(), []);
    two.apply(&[change(4)]).unwrap();
    assert_eq!(names(&one.changes_by_others().unwrap()), [name(4)], "a new key as well");
    assert_eq!(two.changes_by_others().unwrap(), []);
}

#[test]
fn what_the_other_wrote_is_seen_though_this_one_wrote_to_it_since() {
    let ground = Ground::new();
    let (mut one, mut two) = (ground.open(), ground.open());
    one.apply(&[disablement(1), change(2)]).unwrap();
    two.apply(&[change(1), change(3)]).unwrap();
    two.apply(&[change(1)]).unwrap();
    let mut seen = two.changes_by_others().unwrap();
    seen.sort_by_key(|record| record.counters.calls);
    assert_eq!(names(&seen), [name(2), name(1)]);
    assert!(seen[1].state.health.disabled);
    assert_eq!(seen[1].counters.calls, 3, "as it is now, with what this one added");
    assert_eq!(two.changes_by_others().unwrap(), []);
    assert_eq!(names(&one.changes_by_others().unwrap()).len(), 2);
}

#[test]
fn nothing_is_forgotten_or_doubled_by_a_write_that_fails() {
    let ground = Ground::new();
    let (mut one, mut two) = (ground.open(), ground.open());
    one.apply(&[disablement(1)]).unwrap();
    two.connection.busy_timeout(Duration::ZERO).unwrap();
    let other = ground.raw();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    two.apply(&[change(1)]).unwrap_err();
    other.execute_batch("ROLLBACK").unwrap();
    two.apply(&[change(1)]).unwrap();
    assert_eq!(names(&two.changes_by_others().unwrap()), [name(1)]);
    assert_eq!(ground.record(1).counters.calls, 2);
}

#[test]
fn writers_at_once_lose_no_count_and_see_each_other() {
    const ROUNDS: usize = 50;
    const EACH: i64 = 30;
    let ground = Ground::new();
    thread::scope(|scope| {
        for writer in 0..3 {
            let mut store = ground.open();
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    store.apply(&[change(round % 5), change(10 + writer)]).unwrap();
                    let seen = names(&store.changes_by_others().unwrap());
                    assert!(!seen.contains(&name(10 + writer)));
                }
            });
        }
    });
    for key in 0..5 {
        assert_eq!(ground.record(key).counters.calls, EACH);
    }
}
