//! Tests of budgets: what passes, what waits, and for how long.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const MILLIS: u64 = 1_000_000;
const WINDOW_MILLIS: u64 = 60_180;
const DAY_MILLIS: u64 = 24 * 60 * 60 * 1_000;

fn at(millis: u64) -> Tick {
    Tick(millis * MILLIS)
}

fn per_minute(rpm: u32) -> Limits {
    Limits { rpm: NonZeroU32::new(rpm), ..Limits::default() }
}

fn per_day(rpd: u32) -> Limits {
    Limits { rpd: NonZeroU32::new(rpd), ..Limits::default() }
}

fn midnight_after(now: Tick) -> Tick {
    let day = DAY_MILLIS * MILLIS;
    Tick((now.0 / day + 1) * day)
}

/// Uses the key as often as it may be at `now`, at most `wanted` times.
fn use_up(budget: &mut Budget, now: Tick, wanted: u32) -> u32 {
    (0..wanted)
        .take_while(|_| budget.ready_at(now) <= now && budget.take(now, || midnight_after(now)) >= now)
        .map(|_| 1)
        .sum()
}

#[test]
fn a_key_without_limits_costs_a_pointer_and_is_always_ready() {
    assert_eq!(size_of::<Budget>(), size_of::<usize>());
    let mut budget = Budget::new(Limits { concurrency: NonZeroU32::new(1), ..Limits::default() });
    assert!(budget.0.is_none());
    for _ in 0..10_000 {
        assert_eq!(budget.take(at(5), || unreachable!("no day is counted")), at(5));
    }
    assert_eq!((budget.used_in_minute(at(5)), budget.used_today(at(5))), (None, None));
}

#[test]
fn a_spent_minute_frees_one_use_at_a_time() {
    let mut budget = Budget::new(per_minute(3));
    let take = |budget: &mut Budget, millis| budget.take(at(millis), || at(0));
    assert_eq!(take(&mut budget, 0), at(0));
    assert_eq!(take(&mut budget, 10_000), at(10_000));
    assert_eq!(take(&mut budget, 20_000), at(WINDOW_MILLIS));
    assert_eq!(budget.ready_at(at(30_000)), at(WINDOW_MILLIS));
    assert_eq!(take(&mut budget, WINDOW_MILLIS), at(10_000 + WINDOW_MILLIS));
    assert_eq!(budget.ready_at(at(500_000)), at(500_000));
}

#[test]
fn a_spent_day_ends_at_midnight() {
    let mut budget = Budget::new(per_day(2));
    assert_eq!(budget.take(at(0), || at(1_000)), at(0));
    assert_eq!(budget.take(at(10), || unreachable!("asked once a day")), at(1_000));
    assert_eq!(budget.ready_at(at(999)), at(1_000));
    assert_eq!(budget.used_today(at(999)), Some(2));
    assert_eq!((budget.ready_at(at(1_000)), budget.used_today(at(1_000))), (at(1_000), Some(0)));
    assert_eq!(budget.take(at(1_500), || at(2_000)), at(1_500));
    assert_eq!(budget.take(at(1_600), || unreachable!()), at(2_000));
}

#[test]
fn the_later_of_both_limits_counts() {
    let mut budget = Budget::new(Limits { rpm: NonZeroU32::new(1), rpd: NonZeroU32::new(2), concurrency: None });
    assert_eq!(budget.take(at(0), || at(DAY_MILLIS)), at(WINDOW_MILLIS));
    assert_eq!(budget.take(at(WINDOW_MILLIS), || unreachable!()), at(DAY_MILLIS));
}

#[test]
fn uses_above_the_limit_count_all_the_same() {
    let mut budget = Budget::new(per_minute(2));
    for millis in [0, 1, 2, 3] {
        budget.take(at(millis), || at(0));
    }
    assert_eq!(budget.ready_at(at(4)), at(2 + WINDOW_MILLIS));
}

#[test]
fn a_clock_read_too_early_shortens_no_window() {
    let mut budget = Budget::new(per_minute(2));
    budget.take(at(100), || at(0));
    budget.take(at(50), || at(0));
    budget.take(at(100 + WINDOW_MILLIS), || at(0));
    assert_eq!(budget.ready_at(at(0)), at(100 + WINDOW_MILLIS));
}

#[test]
fn all_of_the_limit_can_be_used_in_every_window() {
    // 1,025 is the first limit in groups and an odd one: one use is lost.
    for (rpm, usable) in [(1, 1), (10, 10), (1_024, 1_024), (1_025, 1_024), (4_000, 4_000), (100_000, 99_960)] {
        let mut budget = Budget::new(per_minute(rpm));
        for window in 0..3 {
            assert_eq!(use_up(&mut budget, at(window * WINDOW_MILLIS), rpm + 1), usable);
            assert_eq!(use_up(&mut budget, Tick(at((window + 1) * WINDOW_MILLIS).0 - 1), 1), 0);
        }
    }
}

#[test]
fn steady_calls_get_almost_all_of_a_limit_in_groups() {
    let rpm = 5_000;
    let mut budget = Budget::new(per_minute(rpm));
    let used: u32 = (0..4 * WINDOW_MILLIS).map(|millis| use_up(&mut budget, at(millis), 1)).sum();
    assert!(f64::from(used) > 0.998 * f64::from(4 * rpm), "{used}");
}

#[test]
fn statistics_count_the_last_minute() {
    for (rpm, used) in [(100, 50), (3_000, 1_000)] {
        let mut budget = Budget::new(per_minute(rpm));
        assert_eq!(budget.used_in_minute(at(0)), Some(0));
        use_up(&mut budget, at(0), used);
        use_up(&mut budget, at(30_000), used);
        assert_eq!(budget.used_in_minute(at(59_999)), Some(2 * used));
        assert!(budget.used_in_minute(at(60_000)).is_some_and(|left| (used..used + 3).contains(&left)));
        assert_eq!(budget.used_in_minute(at(90_000)), Some(0));
    }
}

#[test]
fn new_limits_keep_what_was_used() {
    let mut budget = Budget::new(Limits { rpm: NonZeroU32::new(10), rpd: NonZeroU32::new(50), concurrency: None });
    for millis in 0..8 {
        budget.take(at(millis), || at(DAY_MILLIS));
    }
    budget.set_limits(per_minute(5));
    assert_eq!(budget.ready_at(at(10)), at(3 + WINDOW_MILLIS), "the fifth last");
    assert_eq!(budget.used_today(at(10)), None);
    budget.set_limits(Limits { rpd: NonZeroU32::new(5), ..per_minute(6) });
    assert_eq!(use_up(&mut budget, at(10), 9), 1, "five of six are known to be used");
    assert_eq!(budget.used_today(at(10)), Some(1));
    budget.set_limits(per_day(1));
    assert_eq!(budget.ready_at(at(10)), at(DAY_MILLIS));
    budget.set_limits(Limits::default());
    assert!(budget.0.is_none());
}

#[test]
fn new_limits_regroup_what_was_used() {
    let mut budget = Budget::new(per_minute(3_000));
    for millis in 0..2_500 {
        budget.take(at(millis), || at(0));
    }
    budget.set_limits(per_minute(1_001));
    // 1,001 uses ago it was 1499, and the group of three that it was in ended by 1501.
    let ready = budget.ready_at(at(3_000));
    assert!((at(1_499 + WINDOW_MILLIS)..=at(1_501 + WINDOW_MILLIS)).contains(&ready), "{ready:?}");
    budget.set_limits(per_minute(1_011));
    assert_eq!(use_up(&mut budget, at(3_000), 2_000), 10);
}

proptest! {
    #[test]
    fn no_minute_holds_more_than_the_limit_however_late_calls_arrive(
        rpm in prop_oneof![1_u32..20, 1_020_u32..1_100, 2_000_u32..5_000],
        pauses in vec((0_u64..20_000, 1_u32..1_500, 0_u64..=180), 1..20),
    ) {
        let mut budget = Budget::new(per_minute(rpm));
        let (mut now, mut arrivals) = (at(0), Vec::new());
        for (pause, calls, delay) in pauses {
            now = now.plus(Duration::from_millis(pause));
            for call in 0..u64::from(calls.min(rpm)) {
                now = now.max(budget.ready_at(now));
                let ready = budget.take(now, || at(0));
                prop_assert_eq!(ready, budget.ready_at(now));
                arrivals.push(now.plus(Duration::from_millis((delay + 61 * call) % 181)));
            }
        }
        arrivals.sort_unstable();
        for (first, next) in arrivals.iter().zip(arrivals.iter().skip(rpm as usize)) {
            prop_assert!(next.since(*first) >= MINUTE);
        }
    }

    #[test]
    fn no_day_holds_more_than_the_limit(
        rpd in 1_u32..30,
        calls in vec((0_u64..DAY_MILLIS / 4, 1_u32..20), 1..60),
    ) {
        let mut budget = Budget::new(per_day(rpd));
        let (mut now, mut days) = (at(0), std::collections::HashMap::new());
        for (pause, calls) in calls {
            now = now.plus(Duration::from_millis(pause));
            let day = days.entry(midnight_after(now)).or_insert(0);
            let used = use_up(&mut budget, now, calls);
            prop_assert_eq!(used, calls.min(rpd - *day), "all that is left can be used");
            *day += used;
            prop_assert_eq!(budget.used_today(now), Some(*day));
        }
    }

    #[test]
    fn a_limit_that_is_raised_lets_no_more_through_than_its_last_value(
        mut rpms in vec((1_u32..3_000, 0_u64..20_000, 1_u32..900), 1..30),
    ) {
        rpms.sort_unstable();
        let mut budget = Budget::new(Limits::default());
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
