//! Limits of tokens a minute.

use super::*;

#[test]
fn tokens_are_charged_as_calls_spend_on_average_and_corrected_after_the_fact() {
    let mut bench = Bench::new(Limits::default().with_tpm(1_000));
    assert_eq!(bench.take(at(0), || at(0)), at(0), "nothing is known yet");
    bench.spent(ALL, 1, 400);
    assert_eq!(bench.take(at(10), || at(0)), at(WINDOW_MILLIS), "400 and 400 leave no room for 400");
    assert_eq!(bench.used(at(10)).tokens, Some(800));
    bench.spent(ALL, 2, 100);
    assert_eq!(bench.used(at(10)).tokens, Some(500));
    assert_eq!(bench.ready_at(at(10)), at(10), "the average sank to 362.5");
    bench.spent(ALL, 2, 900);
    assert_eq!(bench.ready_at(at(10)), at(10 + WINDOW_MILLIS), "the first alone gives not enough room");
    assert_eq!(bench.used(at(10 + WINDOW_MILLIS)).tokens, Some(0));
}

#[test]
fn a_call_that_is_larger_than_the_limit_gets_an_empty_minute() {
    let mut bench = Bench::new(Limits::default().with_tpm(100));
    bench.take(at(0), || at(0));
    bench.spent(ALL, 1, 5_000);
    assert_eq!(bench.ready_at(at(1)), at(WINDOW_MILLIS));
    assert_eq!(bench.take(at(WINDOW_MILLIS), || at(0)), at(2 * WINDOW_MILLIS));
}

#[test]
fn spending_beyond_all_numbers_blocks_no_key_for_longer_than_a_minute() {
    let mut bench = Bench::new(Limits::default().with_tpm(1_000));
    for millis in 0..3 {
        bench.take(at(millis), || at(0));
        bench.spent(ALL, bench.serial, u64::MAX);
    }
    bench.spent_last(bench.serial, u64::MAX, at(3));
    let later = at(10 + WINDOW_MILLIS);
    assert_eq!(bench.ready_at(later), later);
    bench.take(later, || at(0));
    bench.spent(ALL, bench.serial, 1);
    assert_eq!(bench.used(later).tokens, Some(1));
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
        (bench.used(at(2)).tokens.unwrap(), scoped.unwrap())
    };
    bench.spent_last(2, 70, at(2));
    assert_eq!(tokens(&bench), (70, 70));
    bench.spent_last(2, 5, at(2));
    assert_eq!(tokens(&bench), (75, 70));
    bench.spent_last(2, 3, at(2));
    assert_eq!(tokens(&bench), (78, 70), "nobody is left: a call of its own");
}

#[test]
fn each_of_several_charges_of_one_call_has_its_own_word() {
    let mut bench = Bench::new(Limits::default().with_tpm(1_000));
    bench.scopes = vec![(1, Limits::default().with_tpm(900))];
    bench.set_limits(bench.all);
    let spent = |bench: &mut Bench, serial, nth, tokens| {
        let allowance = Allowance { all: bench.all, scopes: &bench.scopes, learn: false };
        bench.budget.spent(allowance, 1, Charge { serial, which: Which::Nth(nth) }, tokens);
    };
    let tokens = |bench: &Bench| {
        let scoped = bench.used_of_scopes(at(2)).next().and_then(|(.., used)| used.tokens);
        (bench.used(at(2)).tokens.unwrap(), scoped.unwrap())
    };
    for serial in [1, 2, 2, 2, 3] {
        bench.serial = serial - 1;
        bench.take_in(1, at(0), || at(0));
    }
    (0..3).for_each(|nth| spent(&mut bench, 2, nth, 100));
    assert_eq!(tokens(&bench), (300, 300));
    (0..4).for_each(|nth| spent(&mut bench, 2, nth, 50));
    assert_eq!(tokens(&bench), (150, 150), "the last word counts, and there is no fourth charge");
    spent(&mut bench, 1, 1, 7);
    assert_eq!(tokens(&bench), (150, 150), "it has one charge");
    bench.spent_last(3, 1, at(1));
    bench.spent_last(3, 2, at(1));
    assert_eq!(tokens(&bench), (153, 153));

    let mut bench = Bench::new(Limits::default().with_tpm(1_000));
    for _ in 0..2 {
        bench.serial = 0;
        bench.take(at(0), || at(0));
    }
    bench.spent_last(1, 20, at(1));
    bench.spent_last(1, 30, at(1));
    assert_eq!(bench.used(at(2)).tokens, Some(50), "neither is the other's");
}

#[test]
fn many_calls_are_added_up_and_no_token_is_lost() {
    let mut bench = Bench::new(Limits::default().with_tpm(u32::MAX));
    for serial in 1..=10_000 {
        bench.take(at(serial), || at(0));
        bench.spent(ALL, serial, 3);
    }
    assert_eq!(bench.used(at(10_001)).tokens, Some(30_000));
}
