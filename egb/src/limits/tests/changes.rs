//! Limits that change, and what is remembered.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[test]
fn new_limits_keep_what_was_used() {
    let mut budget = Bench::new(per_minute(10).with_rpd(50));
    for millis in 0..8 {
        budget.take(at(millis), || at(DAY_MILLIS));
    }
    budget.set_limits(per_minute(5));
    assert_eq!(budget.ready_at(at(10)), at(3 + WINDOW_MILLIS), "the fifth last");
    assert_eq!(budget.used_today(at(10)), None);
    budget.set_limits(per_minute(9).with_rpd(5));
    assert_eq!(use_up(&mut budget, at(10), 9), 1, "eight of nine are used");
    assert_eq!(budget.used_today(at(10)), Some(1));
    budget.set_limits(per_day(1));
    assert_eq!(budget.ready_at(at(10)), at(DAY_MILLIS));
    budget.set_limits(Limits::default());
    assert!(budget.budget.0.is_none());
}

#[test]
fn new_limits_regroup_what_was_used() {
    let mut budget = Bench::new(per_minute(3_000));
    for millis in 0..2_500 {
        budget.take(at(millis), || at(0));
    }
    budget.set_limits(per_minute(1_001));
    // 1,001 uses ago it was 1499, and the group of three that it was in ended by 1501.
    let ready = budget.ready_at(at(3_000));
    assert!((at(1_499 + WINDOW_MILLIS)..=at(1_501 + WINDOW_MILLIS)).contains(&ready), "{ready:?}");
}

#[test]
fn what_was_used_and_learned_is_remembered() {
    let mut bench = Bench::learning();
    for call in 0..4 {
        bench.take_in(1, at(call * 1_000), || at(0));
    }
    bench.budget.refused(1, Refusal { serial: 4, latest: 4, running: 0, retry_after: None }, at(3_500));
    let memories = bench.budget.memories(at(4_000));
    let mut after = Bench::learning();
    for (scope, memory) in &memories {
        let allowance = Allowance { all: after.all, scopes: &[], learn: true };
        after.budget.remember(allowance, *scope, memory);
    }
    assert_eq!(after.budget.ready_at(1), bench.budget.ready_at(1));
    assert_eq!(after.used_of_scopes(at(4_000)).next().unwrap().2.learned_rpm, Some(3));

    let mut given = Bench::new(per_minute(3).with_rpd(5));
    for call in 0..3 {
        given.take(at(call), || at(DAY_MILLIS));
    }
    let mut after = Bench::new(per_minute(3).with_rpd(5));
    for (scope, memory) in given.budget.memories(at(10)) {
        after.budget.remember(Allowance { all: after.all, scopes: &[], learn: false }, scope, &memory);
    }
    assert_eq!(after.ready_at(at(10)), at(WINDOW_MILLIS));
    assert_eq!(after.used_today(at(10)), Some(3));
}

#[test]
fn what_is_remembered_counts_as_long_as_it_would_have() {
    let mut bench = Bench::new(per_minute(1));
    bench.take(at(0), || at(0));
    for millis in [60_001, WINDOW_MILLIS - 1, WINDOW_MILLIS] {
        let mut after = Bench::new(per_minute(1));
        for (scope, memory) in bench.budget.memories(at(millis)) {
            after.budget.remember(bench.allowance(), scope, &memory);
        }
        assert_eq!(after.ready_at(at(millis)), at(WINDOW_MILLIS));
        assert_eq!(bench.budget.is_used(at(millis)), millis < WINDOW_MILLIS);
        assert_eq!(bench.used_in_minute(at(millis)), Some(0), "a minute is shown, no more");
    }
}

#[test]
fn what_was_counted_elsewhere_counts_beside_ones_own_and_for_no_longer() {
    let limits = per_minute(4).with_rpd(10).with_tpm(100);
    let (mut ours, mut theirs) = (Bench::new(limits), Bench::new(limits));
    for (bench, millis) in [(&mut ours, [0, 2_000]), (&mut theirs, [1_000, 3_000])] {
        for (at, serial) in millis.map(at).into_iter().zip(1..) {
            bench.take(at, || midnight_after(at));
            bench.spent(ALL, serial, 20);
        }
    }
    ours.add(&theirs, at(4_000));
    let used = ours.used(at(4_000));
    assert_eq!((used.in_minute, used.today, used.tokens), (Some(4), Some(4), Some(80)));
    ours.set_limits(per_minute(4));
    for millis in [0, 1_000, 2_000, 3_000] {
        let free = at(millis + WINDOW_MILLIS);
        assert_eq!(ours.ready_at(at(4_000)), free);
        ours.take(free, || midnight_after(free));
    }
}

#[test]
fn what_was_counted_elsewhere_leaves_the_peak_and_what_is_learned_as_they_were() {
    let (mut ours, mut theirs) = (Bench::learning(), Bench::learning());
    for (bench, first) in [(&mut ours, 2_000), (&mut theirs, 1_000)] {
        for millis in first..first + 4 {
            bench.take(at(millis), || unreachable!("no day is counted"));
        }
        bench.refused(4, 0, None, at(first + 4));
    }
    let before = ours.used(at(3_000));
    assert_eq!((before.peak, before.learned_rpm), (Some(4), Some(3)));
    ours.add(&theirs, at(3_000));
    let after = ours.used(at(3_000));
    assert_eq!((after.in_minute, after.peak, after.learned_rpm), (Some(6), Some(4), Some(3)));
    assert!(ours.budget.0.unwrap().learns(), "it goes on learning");
}

#[test]
fn what_was_counted_elsewhere_on_another_day_counts_for_that_day() {
    let mut ours = Bench::new(per_day(3));
    let mut theirs = Bench::new(per_day(3));
    ours.take(at(0), || midnight_after(at(0)));
    let next_day = at(DAY_MILLIS + 1);
    theirs.take(next_day, || midnight_after(next_day));
    ours.add(&theirs, next_day);
    assert_eq!(ours.used_today(next_day), Some(1));
}

#[test]
fn uses_of_one_instant_are_remembered_as_one_group() {
    let mut bench = Bench::new(per_minute(10));
    for millis in [4, 5, 5, 5] {
        bench.take(at(millis), || at(0));
    }
    let group = |millis, uses| Group { at: at(millis), uses, serial: 0 };
    assert_eq!(bench.budget.memories(at(6))[0].1.groups, [group(4, 1), group(5, 3)]);
}

proptest! {
    #[test]
    fn a_limit_that_is_raised_lets_no_more_through_than_its_last_value(
        mut rpms in vec((1_u32..3_000, 0_u64..20_000, 1_u32..900), 1..30),
    ) {
        rpms.sort_unstable();
        let mut budget = Bench::new(Limits::default());
        let (mut now, mut uses) = (at(0), Vec::new());
        for (rpm, pause, calls) in rpms {
            budget.set_limits(per_minute(rpm));
            now = now.plus(Duration::from_millis(pause));
            uses.extend((0..use_up(&mut budget, now, calls)).map(|_| now));
            for (first, next) in uses.iter().zip(uses.iter().skip(rpm as usize)) {
                prop_assert!(next.since(*first) >= WINDOW);
            }
        }
    }
}
