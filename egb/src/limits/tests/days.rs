//! Limits of a day.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[test]
fn a_spent_day_ends_at_midnight() {
    let mut budget = Bench::new(per_day(2));
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
    let mut budget = Bench::new(per_minute(1).with_rpd(2));
    assert_eq!(budget.take(at(0), || at(DAY_MILLIS)), at(WINDOW_MILLIS));
    assert_eq!(budget.take(at(WINDOW_MILLIS), || unreachable!()), at(DAY_MILLIS));
}

proptest! {
    #[test]
    fn no_day_holds_more_than_the_limit(
        rpd in 1_u32..30,
        calls in vec((0_u64..DAY_MILLIS / 4, 1_u32..20), 1..60),
    ) {
        let mut budget = Bench::new(per_day(rpd));
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
}
