//! Tests of budgets: what passes, what waits, and for how long.

use proptest::collection::vec;
use proptest::prelude::*;

use super::tally::Tally;
use super::*;

const MILLIS: u64 = 1_000_000;
const WINDOW_MILLIS: u64 = 60_190;
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

/// A budget and what it is for.
struct Bench {
    budget: Budget,
    all: Limits,
    scopes: Vec<(u32, Limits)>,
    learn: bool,
    serial: u64,
}

impl Bench {
    fn new(all: Limits) -> Self {
        let mut bench = Self { budget: Budget::default(), all, scopes: Vec::new(), learn: false, serial: 0 };
        bench.set_limits(all);
        bench
    }

    fn learning() -> Self {
        Self { learn: true, ..Self::new(Limits::default()) }
    }

    fn set_limits(&mut self, all: Limits) {
        self.all = all;
        let Self { budget, scopes, learn, .. } = self;
        budget.set_limits(Allowance { all, scopes, learn: *learn });
    }

    fn take(&mut self, now: Tick, midnight: impl Fn() -> Tick) -> Tick {
        self.take_in(ALL, now, midnight)
    }

    /// Returns when the key may be used again.
    fn take_in(&mut self, scope: u32, now: Tick, midnight: impl Fn() -> Tick) -> Tick {
        self.serial += 1;
        let Self { budget, all, scopes, learn, serial } = self;
        let allowance = || Allowance { all: *all, scopes, learn: *learn };
        let ready = budget.take(allowance, scope, *serial, now, midnight);
        assert_eq!(ready, budget.ready_at(scope), "both say the same");
        self.ready_at(now)
    }

    fn ready_at(&self, now: Tick) -> Tick {
        self.budget.ready_at(ALL).max(now)
    }

    fn used_in_minute(&self, now: Tick) -> Option<u32> {
        self.budget.used(now).in_minute
    }

    fn used_today(&self, now: Tick) -> Option<u32> {
        self.budget.used(now).today
    }

    fn refused(&mut self, serial: u64, running: u32, retry_after: Option<Duration>, now: Tick) {
        let refusal = Refusal { serial, latest: self.serial, running, retry_after };
        self.budget.refused(ALL, refusal, now);
    }

    fn used_of_scopes(&self, now: Tick) -> impl Iterator<Item = (u32, Limits, Used)> {
        self.budget.scopes(Allowance { all: self.all, scopes: &self.scopes, learn: self.learn }, now)
    }

    fn learned(&self, now: Tick) -> Option<u32> {
        self.budget.used(now).learned_rpm
    }
}

/// Uses the key as often as it may be at `now`, at most `wanted` times.
fn use_up(budget: &mut Bench, now: Tick, wanted: u32) -> u32 {
    (0..wanted)
        .take_while(|_| budget.ready_at(now) <= now && budget.take(now, || midnight_after(now)) >= now)
        .map(|_| 1)
        .sum()
}

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
fn what_is_kept_of_a_key_stays_small() {
    // What a take reads and writes are the first 64 bytes; what few keys have is behind the last 8.
    assert_eq!((size_of::<Tally>(), size_of::<Meter>(), size_of::<Ledger>()), (48, 72, 72));
}

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
fn limits_of_a_scope_count_its_calls_alone_and_those_of_all_count_them_too() {
    let mut bench = Bench::new(per_minute(3));
    bench.scopes = vec![(1, per_minute(1)), (2, per_minute(5))];
    bench.set_limits(per_minute(3));
    let ready = |bench: &Bench, scope| bench.budget.ready_at(scope);
    bench.take_in(1, at(0), || at(0));
    assert_eq!(ready(&bench, 1), at(WINDOW_MILLIS));
    assert_eq!((ready(&bench, 2), ready(&bench, ALL)), (Tick::ZERO, Tick::ZERO));
    bench.take_in(2, at(1), || at(0));
    bench.take_in(ALL, at(2), || at(0));
    assert_eq!(
        (ready(&bench, 2), ready(&bench, 3), ready(&bench, ALL)),
        (at(WINDOW_MILLIS), at(WINDOW_MILLIS), at(WINDOW_MILLIS))
    );
    let used: Vec<_> = bench.used_of_scopes(at(5)).map(|(scope, _, used)| (scope, used.in_minute)).collect();
    assert_eq!(used, [(1, Some(1)), (2, Some(1))]);
}

#[test]
fn tokens_are_charged_as_calls_spend_on_average_and_corrected_after_the_fact() {
    let mut bench = Bench::new(Limits::default().with_tpm(1_000));
    assert_eq!(bench.take(at(0), || at(0)), at(0), "nothing is known yet");
    bench.budget.spent(ALL, 1, 400);
    assert_eq!(bench.take(at(10), || at(0)), at(WINDOW_MILLIS), "400 and 400 leave no room for 400");
    assert_eq!(bench.budget.used(at(10)).tokens, Some(800));
    bench.budget.spent(ALL, 2, 100);
    assert_eq!(bench.budget.used(at(10)).tokens, Some(500));
    assert_eq!(bench.ready_at(at(10)), at(10), "the average sank to 362.5");
    bench.budget.spent(ALL, 2, 900);
    assert_eq!(bench.ready_at(at(10)), at(10 + WINDOW_MILLIS), "the first alone gives not enough room");
    assert_eq!(bench.budget.used(at(10 + WINDOW_MILLIS)).tokens, Some(0));
}

#[test]
fn a_call_that_is_larger_than_the_limit_gets_an_empty_minute() {
    let mut bench = Bench::new(Limits::default().with_tpm(100));
    bench.take(at(0), || at(0));
    bench.budget.spent(ALL, 1, 5_000);
    assert_eq!(bench.ready_at(at(1)), at(WINDOW_MILLIS));
    assert_eq!(bench.take(at(WINDOW_MILLIS), || at(0)), at(2 * WINDOW_MILLIS));
}

#[test]
fn spending_beyond_all_numbers_blocks_no_key_for_longer_than_a_minute() {
    let mut bench = Bench::new(Limits::default().with_tpm(1_000));
    for millis in 0..3 {
        bench.take(at(millis), || at(0));
        bench.budget.spent(ALL, bench.serial, u64::MAX);
    }
    bench.budget.spent_last(bench.serial, u64::MAX, at(3));
    let later = at(10 + WINDOW_MILLIS);
    assert_eq!(bench.ready_at(later), later);
    bench.take(later, || at(0));
    bench.budget.spent(ALL, bench.serial, 1);
    assert_eq!(bench.budget.used(later).tokens, Some(1));
}

#[test]
fn tokens_without_a_checkout_go_to_the_last_call_that_has_not_said_so() {
    let mut bench = Bench::new(Limits::default().with_tpm(1_000));
    bench.scopes = vec![(1, Limits::default().with_tpm(500))];
    bench.set_limits(bench.all);
    bench.take_in(ALL, at(0), || at(0));
    bench.take_in(1, at(1), || at(0));
    let tokens = |bench: &Bench| {
        let scoped = bench.used_of_scopes(at(2)).next().and_then(|(.., used)| used.tokens);
        (bench.budget.used(at(2)).tokens.unwrap(), scoped.unwrap())
    };
    bench.budget.spent_last(2, 70, at(2));
    assert_eq!(tokens(&bench), (70, 70));
    bench.budget.spent_last(2, 5, at(2));
    assert_eq!(tokens(&bench), (75, 70));
    bench.budget.spent_last(2, 3, at(2));
    assert_eq!(tokens(&bench), (78, 70), "nobody is left: a call of its own");
}

#[test]
fn many_calls_are_added_up_and_no_token_is_lost() {
    let mut bench = Bench::new(Limits::default().with_tpm(u32::MAX));
    for serial in 1..=10_000 {
        bench.take(at(serial), || at(0));
        bench.budget.spent(ALL, serial, 3);
    }
    assert_eq!(bench.budget.used(at(10_001)).tokens, Some(30_000));
}

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
