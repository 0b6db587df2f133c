//! Limits of a minute.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[test]
fn a_spent_minute_frees_one_use_at_a_time() {
    let mut budget = Bench::new(per_minute(3));
    let take = |budget: &mut Bench, millis| budget.take(at(millis), || at(0));
    assert_eq!(take(&mut budget, 0), at(0));
    assert_eq!(take(&mut budget, 10_000), at(10_000));
    assert_eq!(take(&mut budget, 20_000), at(WINDOW_MILLIS));
    assert_eq!(budget.ready_at(at(30_000)), at(WINDOW_MILLIS));
    assert_eq!(take(&mut budget, WINDOW_MILLIS), at(10_000 + WINDOW_MILLIS));
    assert_eq!(budget.ready_at(at(500_000)), at(500_000));
}

#[test]
fn uses_above_the_limit_count_all_the_same() {
    let mut budget = Bench::new(per_minute(2));
    for millis in [0, 1, 2, 3] {
        budget.take(at(millis), || at(0));
    }
    assert_eq!(budget.ready_at(at(4)), at(2 + WINDOW_MILLIS));
}

#[test]
fn a_clock_read_too_early_shortens_no_window() {
    let mut budget = Bench::new(per_minute(2));
    budget.take(at(100), || at(0));
    budget.take(at(50), || at(0));
    assert_eq!(budget.ready_at(at(0)), at(100 + WINDOW_MILLIS));
}

#[test]
fn all_of_the_limit_can_be_used_in_every_window() {
    for (rpm, usable) in [(1, 1), (10, 10), (1_024, 1_024), (1_025, 1_025), (4_000, 4_000), (100_000, 100_000)] {
        let mut budget = Bench::new(per_minute(rpm));
        for window in 0..3 {
            assert_eq!(use_up(&mut budget, at(window * WINDOW_MILLIS), rpm + 1), usable);
            assert_eq!(use_up(&mut budget, Tick(at((window + 1) * WINDOW_MILLIS).0 - 1), 1), 0);
        }
    }
}

#[test]
fn steady_calls_get_almost_all_of_a_limit_in_groups() {
    let rpm = 5_000;
    let mut budget = Bench::new(per_minute(rpm));
    let times: Vec<Tick> = (0..4 * WINDOW_MILLIS).map(at).filter(|&now| use_up(&mut budget, now, 1) > 0).collect();
    let used = u32::try_from(times.len()).unwrap();
    assert!(f64::from(used) > 0.998 * f64::from(4 * rpm), "{used}");
    for (first, next) in times.iter().zip(times.iter().skip(rpm as usize)) {
        assert!(next.since(*first) >= WINDOW, "never more than the limit");
    }
}

#[test]
fn statistics_count_the_last_minute() {
    for (rpm, used) in [(100, 50), (3_000, 1_000)] {
        let mut budget = Bench::new(per_minute(rpm));
        assert_eq!(budget.used_in_minute(at(0)), Some(0));
        use_up(&mut budget, at(0), used);
        use_up(&mut budget, at(30_000), used);
        assert_eq!(budget.used_in_minute(at(59_999)), Some(2 * used));
        assert!(budget.used_in_minute(at(60_000)).is_some_and(|left| (used..used + 3).contains(&left)));
        assert_eq!(budget.used_in_minute(at(90_000)), Some(0));
    }
}

#[test]
fn uses_that_no_key_can_have_had_do_no_harm() {
    let mut tally = Tally::default();
    tally.set_limit(NonZeroU32::new(10), false);
    for uses in [0, u32::MAX - 1, 0, 7, u32::MAX] {
        tally.add(Group { at: at(1), uses, serial: 0 });
    }
    assert_eq!(tally.in_minute(at(1)), u32::MAX);
    tally.record(1, at(2));
    tally.take_back();
    assert_eq!(tally.ready_at(), at(1).plus(WINDOW));
    tally.record(2, at(3 * WINDOW_MILLIS));
    assert_eq!(tally.in_minute(at(3 * WINDOW_MILLIS)), 1);
}

proptest! {
    #[test]
    fn no_minute_holds_more_than_the_limit_however_late_calls_arrive(
        rpm in prop_oneof![1_u32..20, 1_020_u32..1_100, 2_000_u32..5_000],
        pauses in vec((0_u64..20_000, 1_u32..1_500, 0_u64..=180), 1..20),
    ) {
        let mut budget = Bench::new(per_minute(rpm));
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
}
