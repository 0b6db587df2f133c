//! Limits that are learned.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[test]
fn a_429_teaches_how_many_calls_fit_in_a_minute() {
    let mut bench = Bench::learning();
    for second in 0..11 {
        assert_eq!(bench.take(at(second * 1_000), || at(0)), at(second * 1_000), "nothing is known");
    }
    bench.refused(11, 0, None, at(10_100));
    assert_eq!(bench.learned(at(10_100)), Some(10), "the refused call is none of them");
    assert_eq!(bench.ready_at(at(10_100)), at(WINDOW_MILLIS));
    assert_eq!(bench.take(at(WINDOW_MILLIS), || at(0)), at(1_000 + WINDOW_MILLIS));
}

#[test]
fn what_the_server_counted_is_what_had_been_used_when_the_refused_call_began() {
    let mut bench = Bench::learning();
    for second in [0, 10, 20, 30, 59] {
        bench.take(at(second * 1_000), || at(0));
    }
    // The answer takes two seconds; the first use has left the minute meanwhile.
    bench.refused(5, 0, None, at(61_000));
    assert_eq!(bench.learned(at(61_000)), Some(4));
}

#[test]
fn calls_that_run_during_a_429_count_once_they_succeed() {
    let mut bench = Bench::learning();
    for call in 0..20 {
        bench.take(at(call), || at(0));
    }
    // Ten are refused at once, before the other ten are answered.
    for refused in 0..10 {
        bench.refused(11 + refused, 19 - u32::try_from(refused).unwrap(), None, at(100));
    }
    assert!(bench.budget.is_open(at(100)));
    for answered in 1..=10 {
        assert!(!bench.budget.succeeded(ALL, answered, at(200)), "no probe");
    }
    assert_eq!(bench.learned(at(200)), Some(10));
    assert!(!bench.budget.is_open(at(200)), "all were heard");
}

#[test]
fn a_later_429_lowers_what_was_learned_and_successes_do_not_raise_it_above_that() {
    let mut bench = Bench::learning();
    for call in 0..11 {
        bench.take(at(call), || at(0));
    }
    bench.refused(11, 0, None, at(50));
    assert_eq!(bench.learned(at(50)), Some(10));
    let later = 2 * WINDOW_MILLIS;
    for call in 0..7 {
        bench.take(at(later + call), || at(0));
    }
    // Somebody else uses the key too.
    bench.refused(18, 3, None, at(later + 10));
    assert_eq!(bench.learned(at(later + 10)), Some(3));
    for serial in 15..=17 {
        bench.budget.succeeded(ALL, serial, at(later + 20));
    }
    assert_eq!(bench.learned(at(later + 20)), Some(6));
    bench.budget.succeeded(ALL, 17, at(later + 20));
    assert_eq!(bench.learned(at(later + 20)), Some(6), "each call is heard once");
}

#[test]
fn a_429_of_another_window_or_of_a_first_call_teaches_nothing() {
    let mut bench = Bench::learning();
    bench.take(at(0), || at(0));
    bench.refused(1, 0, None, at(10));
    assert_eq!(bench.learned(at(10)), None);
    for call in 0..5 {
        bench.take(at(100 + call), || at(0));
    }
    bench.refused(6, 0, Some(Duration::from_secs(1)), at(200));
    assert_eq!(bench.learned(at(200)), None, "a minute would take longer than a second");
    bench.refused(5, 0, Some(Duration::from_secs(3600)), at(200));
    assert_eq!(bench.learned(at(200)), None, "and not an hour");
    bench.refused(4, 0, Some(Duration::from_secs(59)), at(200));
    assert_eq!(bench.learned(at(200)), Some(2));
}

#[test]
fn a_probe_that_goes_well_raises_the_limit_and_one_that_does_not_pauses_the_next() {
    let mut bench = Bench::learning();
    for call in 0..11 {
        bench.take(at(call), || at(0));
    }
    bench.refused(11, 0, None, at(20));
    let first = 11 * 60 * 1_000;
    assert!(!bench.budget.may_probe(ALL, at(first - 61_000)), "not so soon");
    assert!(bench.budget.may_probe(ALL, at(first)));
    for call in 0..10 {
        bench.take(at(first + call), || at(0));
    }
    bench.budget.begin_probe(ALL, 22, at(first + 20));
    assert!(!bench.budget.may_probe(ALL, at(first + 20)), "one at a time");
    bench.take(at(first + 20), || at(0));
    assert!(bench.budget.succeeded(ALL, 22, at(first + 30)));
    assert_eq!(bench.learned(at(first + 30)), Some(11));
    bench.budget.begin_probe(ALL, 23, at(first + 40));
    bench.take(at(first + 40), || at(0));
    let refusal = Refusal { serial: 23, latest: 23, running: 0, retry_after: None };
    assert!(bench.budget.refused(ALL, refusal, at(first + 50)), "it was the probe");
    assert_eq!(bench.learned(at(first + 50)), Some(11));
    assert!(!bench.budget.may_probe(ALL, at(first + 19 * 60 * 1_000)), "twice the pause");
    assert!(bench.budget.may_probe(ALL, at(first + 21 * 60 * 1_000)));
}

#[test]
fn a_429_never_raises_what_was_learned() {
    let mut bench = Bench::learning();
    for call in 0..6 {
        bench.take(at(call), || at(0));
    }
    bench.refused(6, 0, None, at(50));
    assert_eq!(bench.learned(at(50)), Some(5));
    // A server with fixed minutes lets more through around the turn of one.
    for call in 0..9 {
        bench.take(at(1_000 + call), || at(0));
    }
    bench.refused(15, 0, None, at(1_100));
    assert_eq!(bench.learned(at(1_100)), Some(5));
}

#[test]
fn after_a_probe_that_went_well_the_pause_is_short_again() {
    let mut bench = Bench::learning();
    let minutes = |minutes: u64| at(minutes * 60 * 1_000);
    // Two calls, as many as are known to be allowed, and one more.
    let probe = |bench: &mut Bench, now| {
        for _ in 0..2 {
            bench.take(now, || at(0));
        }
        bench.budget.begin_probe(ALL, bench.serial + 1, now);
        bench.take(now, || at(0));
        bench.serial
    };
    for call in 0..3 {
        bench.take(at(call), || at(0));
    }
    bench.refused(3, 0, None, at(10));
    let refused = probe(&mut bench, minutes(11));
    bench.refused(refused, 0, None, minutes(11));
    assert!(!bench.budget.may_probe(ALL, minutes(30)), "twenty minutes from then on");
    let served = probe(&mut bench, minutes(32));
    assert!(bench.budget.succeeded(ALL, served, minutes(32)));
    bench.take(minutes(32), || at(0));
    bench.refused(bench.serial, 0, None, minutes(32));
    assert!(!bench.budget.may_probe(ALL, minutes(41)));
    assert!(bench.budget.may_probe(ALL, minutes(43)), "ten again");
}

#[test]
fn a_probe_of_which_nothing_is_heard_does_not_stay_the_only_one() {
    let mut bench = Bench::learning();
    for call in 0..3 {
        bench.take(at(call), || at(0));
    }
    bench.refused(3, 0, None, at(20));
    let later = at(3_600_000);
    bench.budget.begin_probe(ALL, 4, later);
    assert!(bench.budget.is_open(later));
    let after = later.plus(Duration::from_secs(120));
    assert!(!bench.budget.is_open(after) && bench.budget.may_probe(ALL, after));
}

#[test]
fn no_limit_is_learned_where_one_is_given() {
    for (all, scope) in [(per_minute(5), Limits::default()), (Limits::default(), per_minute(5))] {
        let mut bench = Bench::learning();
        bench.scopes = vec![(1, scope)];
        bench.set_limits(all);
        for call in 0..3 {
            bench.take_in(1, at(call), || at(0));
        }
        bench.budget.refused(1, Refusal { serial: 3, latest: 3, running: 0, retry_after: None }, at(10));
        let learned = bench.used_of_scopes(at(10)).filter_map(|(.., used)| used.learned_rpm).count();
        assert_eq!((learned, bench.learned(at(10))), (0, None));
    }
}

#[test]
fn scopes_learn_apart() {
    let mut bench = Bench::learning();
    for call in 0..4 {
        bench.take_in(1, at(call), || at(0));
        bench.take_in(2, at(call), || at(0));
    }
    bench.budget.refused(1, Refusal { serial: 7, latest: 8, running: 0, retry_after: None }, at(10));
    let learned: Vec<_> = bench.used_of_scopes(at(10)).map(|(scope, _, used)| (scope, used.learned_rpm)).collect();
    assert_eq!(learned, [(1, Some(3)), (2, None)]);
    assert_eq!((bench.budget.ready_at(1), bench.budget.ready_at(2)), (at(WINDOW_MILLIS), Tick::ZERO));
}

proptest! {
    #[test]
    fn a_learned_limit_is_never_exceeded_but_by_probes(
        limit in 1_u32..40,
        pauses in vec(0_u64..3_000, 50..300),
    ) {
        // A server with a sliding window, and one caller.
        let mut bench = Bench::learning();
        let (mut now, mut accepted, mut refused) = (at(0), Vec::<Tick>::new(), 0);
        for pause in pauses {
            now = now.plus(Duration::from_millis(pause)).max(bench.ready_at(now));
            bench.take(now, || at(0));
            let served = accepted.iter().filter(|&&one| one.plus(MINUTE) > now).count();
            if served < limit as usize {
                accepted.push(now);
                bench.budget.succeeded(ALL, bench.serial, now);
            } else {
                refused += 1;
                bench.refused(bench.serial, 0, None, now);
            }
        }
        prop_assert!(refused <= 1, "{refused} were refused");
        prop_assert!(bench.learned(now).is_none_or(|learned| learned == limit));
    }
}
