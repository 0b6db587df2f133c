//! What is made of a budget, and when.

use super::*;

#[test]
fn a_key_without_limits_costs_a_pointer_and_is_always_ready() {
    assert_eq!(size_of::<Budget>(), size_of::<usize>());
    let mut budget = Bench::new(Limits { concurrency: NonZeroU32::new(1), ..Limits::default() });
    assert!(budget.budget.0.is_none());
    for _ in 0..10_000 {
        assert_eq!(budget.take(at(5), || unreachable!("no day is counted")), at(5));
    }
    assert_eq!((budget.used_in_minute(at(5)), budget.used_today(at(5))), (None, None));
}

#[test]
#[cfg(target_pointer_width = "64")]
fn what_is_kept_of_a_key_stays_small() {
    // What a take reads and writes are the first 64 bytes; what few keys have is behind the last 8.
    assert_eq!((size_of::<Tally>(), size_of::<Meter>()), (48, 72));
}

fn every_kind() -> [Limits; 5] {
    let none = Limits::default();
    [none, none.with_rpm(5), none.with_rpd(5), none.with_tpm(5), none.with_concurrency(5)]
}

#[test]
fn what_counts_is_made_by_the_first_use_where_anything_is_to_be_counted() {
    for all in every_kind() {
        for scope in every_kind() {
            for (learn, of) in [(false, ALL), (false, 1), (true, ALL), (true, 2)] {
                let mut bench = Bench { learn, scopes: vec![(1, scope)], ..Bench::new(Limits::default()) };
                bench.set_limits(all);
                assert!(bench.budget.0.is_none(), "not by limits");
                let counts = bench.allowance().counts_anything();
                let given = all.or(scope).with_concurrency(0) != Limits::default();
                assert_eq!(counts, learn || given, "{all:?} {scope:?} {learn}");
                bench.take_in(of, at(0), || at(DAY_MILLIS));
                assert_eq!(bench.budget.0.is_some(), counts, "{all:?} {scope:?} {learn}");
            }
        }
    }
}

#[test]
fn a_key_that_was_not_used_says_what_an_empty_count_says() {
    for all in every_kind() {
        for learn in [false, true] {
            let mut bench = Bench { learn, scopes: vec![(1, all), (2, Limits::default())], ..Bench::new(all) };
            bench.set_limits(all);
            let says = |bench: &Bench| {
                (bench.used(at(5)), bench.used_of_scopes(at(5)).collect::<Vec<_>>(), bench.budget.memories(at(5)).len())
            };
            let (used, scopes, memories) = says(&bench);
            assert_eq!((memories, bench.budget.is_used(at(5))), (0, false));
            assert_eq!((used.in_minute, used.peak), (all.rpm.map(|_| 0), all.rpm.map(|_| 0)));
            assert_eq!((used.today, used.tokens), (all.rpd.map(|_| 0), all.tpm.map(|_| 0)));
            bench.budget.0 = Some(Box::new(Meter::unused(bench.allowance())));
            assert_eq!((used, scopes), (says(&bench).0, says(&bench).1));
        }
    }
}

#[test]
fn what_others_used_and_what_is_remembered_is_kept_where_a_limit_counts_it() {
    let memory = Memory {
        groups: vec![Group { at: at(1), uses: 3, serial: 0 }],
        day: Some(Day { end: at(DAY_MILLIS), used: 4 }),
        ..Memory::default()
    };
    for all in every_kind() {
        let allowance = |learn| Allowance { all, scopes: &[], learn };
        let today = |budget: &Budget| {
            let used = budget.used(allowance(false), at(5));
            (used.in_minute, used.today)
        };
        let mut budget = Budget::default();
        budget.remember(allowance(false), ALL, &memory);
        assert_eq!(today(&budget), (all.rpm.map(|_| 3), all.rpd.map(|_| 4)));
        assert_eq!(budget.0.is_some(), all.count_uses());
        budget.remember(allowance(false), 7, &memory);
        assert_eq!(budget.memories(at(5)).len(), usize::from(all.count_uses()), "nothing counts this scope");

        let mut budget = Budget::default();
        budget.take_others(allowance(false), 2, at(1), || at(DAY_MILLIS));
        assert_eq!(today(&budget), (all.rpm.map(|_| 2), all.rpd.map(|_| 2)));
        assert_eq!(budget.0.is_some(), all.count_uses());
    }
    let mut budget = Budget::default();
    let learning = Allowance { all: Limits::default(), scopes: &[], learn: true };
    budget.take_others(learning, 2, at(1), || at(DAY_MILLIS));
    assert!(budget.0.is_none(), "calls of others teach nothing");
}

#[test]
fn tokens_are_counted_before_any_checkout() {
    let mut bench = Bench::new(Limits::default().with_tpm(100));
    bench.spent_last(3, 60, at(0));
    assert_eq!(bench.used(at(1)).tokens, Some(60));
    assert_eq!(bench.ready_at(at(1)), at(WINDOW_MILLIS), "another such call does not fit in");

    let mut bench = Bench::new(Limits::default().with_tpm(100));
    bench.scopes = vec![(1, Limits::default().with_tpm(50))];
    bench.spent(1, 3, 60);
    assert_eq!(bench.used(at(1)).tokens, Some(0), "it began before anything was counted");
    bench.take_in(1, at(2), || at(0));
    assert_eq!(bench.used(at(2)).tokens, Some(60), "but says what calls spend");

    let mut bench = Bench::new(per_minute(3).with_rpd(7));
    bench.spent(ALL, 3, 60);
    bench.spent_last(3, 60, at(0));
    assert!(bench.budget.0.is_none(), "nothing counts tokens");
}

#[test]
fn what_counts_nothing_any_more_is_given_up() {
    let mut bench = Bench::new(per_minute(3));
    bench.scopes = vec![(1, per_day(2))];
    bench.take_in(1, at(0), || at(DAY_MILLIS));
    bench.set_limits(Limits::default());
    assert_eq!(bench.used_of_scopes(at(1)).map(|(.., used)| used.today).collect::<Vec<_>>(), [Some(1)]);
    bench.scopes.clear();
    bench.set_limits(Limits::default());
    assert!(bench.budget.0.is_none());
}
