//! What is held against keys, and what is not, when many of them fail.

use super::*;
use crate::outcome::Reason;
use crate::stats::Stats;

fn fail(bench: &Bench, verdict: &Verdict) -> Key {
    let taken = bench.take();
    bench.end(&taken, verdict);
    taken.keys.key().clone()
}

fn network() -> Verdict {
    Verdict::Failure(Failure::new(Reason::Network))
}

fn shares(stats: &Stats) -> Vec<f64> {
    stats.keys.iter().map(|key| key.health.factor()).collect()
}

#[test]
fn a_request_that_every_key_rejects_with_400_disables_none() {
    let bench = Bench::new(keys(20));
    for _ in 0..1_000 {
        fail(&bench, &Verdict::status(400));
    }
    let stats = bench.pool.stats();
    assert_eq!((stats.available(), shares(&stats)), (20, vec![1.0; 20]));
}

#[test]
fn a_network_that_is_down_is_held_against_no_key() {
    for count in [2, 3, 20] {
        let bench = Bench::new(keys(count));
        for _ in 0..500 {
            fail(&bench, &network());
            bench.clock.advance(Duration::from_millis(300));
        }
        let stats = bench.pool.stats();
        assert_eq!((stats.available(), stats.failures()), (count, 500));
        assert_eq!(shares(&stats), vec![1.0; count], "all got back what the first failures took");
        assert!(stats.keys.iter().all(|key| key.health.last_failure().is_some()), "but it is shown");
    }
}

#[test]
fn a_single_key_that_fails_is_judged_as_ever() {
    let bench = Bench::new(keys(1));
    for _ in 0..5 {
        fail(&bench, &Verdict::status(503));
    }
    assert_eq!(bench.pool.stats().available(), 0, "its circuit is open");
}

#[test]
fn one_bad_key_among_good_ones_is_judged_as_ever() {
    let bench = Bench::new(keys(4));
    let bad = bench.take();
    bench.end(&bad, &Verdict::status(503));
    for _ in 0..100 {
        let taken = bench.take();
        let is_bad = taken.keys.key() == bad.keys.key();
        bench.end(&taken, &if is_bad { Verdict::status(503) } else { Verdict::Success });
    }
    let stats = bench.pool.stats();
    assert_eq!((stats.available(), shares(&stats).iter().filter(|share| **share < 1.0).count()), (3, 1));
}

#[test]
fn a_success_ends_it_and_what_fails_then_is_held_against_its_key() {
    let bench = Bench::new(keys(3));
    for _ in 0..9 {
        fail(&bench, &network());
    }
    fail(&bench, &Verdict::Success);
    fail(&bench, &network());
    let stats = bench.pool.stats();
    assert_eq!(shares(&stats).iter().filter(|share| **share < 1.0).count(), 1);
}

#[test]
fn failures_that_are_far_apart_are_not_one_event() {
    let bench = Bench::new(keys(3));
    for _ in 0..3 {
        fail(&bench, &network());
        bench.clock.advance(Duration::from_secs(61));
    }
    assert!(shares(&bench.pool.stats()).iter().all(|share| *share < 1.0));
}

#[test]
fn what_is_forbidden_to_all_keys_is_held_against_none_and_to_some_it_is() {
    let bench = Bench::new(keys(8));
    for _ in 0..8 {
        fail(&bench, &Verdict::status(403));
    }
    let stats = bench.pool.stats();
    assert_eq!((stats.available(), stats.disabled()), (8, 0));

    let bench = Bench::new(keys(8));
    let refused: Vec<Key> = (0..6).map(|_| fail(&bench, &Verdict::status(403))).collect();
    fail(&bench, &Verdict::Success);
    let stats = bench.pool.stats();
    assert_eq!((stats.available(), refused.len()), (2, 6), "six of eight are not all");
}

#[test]
fn the_keys_of_one_call_are_one_failure() {
    let bench = Bench::new(keys(3));
    let all = bench.pool.checkout(&Wanted::plain(3)).ok().unwrap();
    bench.end(&all, &network());
    assert!(shares(&bench.pool.stats()).iter().all(|share| *share < 1.0));
}

#[test]
fn a_key_that_met_something_else_meanwhile_keeps_that() {
    let bench = Bench::new(keys(2));
    let first = bench.take();
    bench.end(&first, &Verdict::status(503));
    bench.pool.report(first.keys.key().fingerprint(), &Verdict::status(429)).unwrap();
    fail(&bench, &Verdict::status(503));
    let stats = bench.pool.stats();
    assert_eq!(stats.keys.iter().filter(|key| key.health.cooldown_until().is_some()).count(), 1);
}

#[test]
fn weather_is_that_of_a_scope() {
    let bench = Bench::new(keys(2));
    let pro = bench.pool.scope("pro");
    let within = |scope| Wanted { scope, ..Wanted::plain(1) };
    for _ in 0..20 {
        let taken = bench.pool.checkout(&within(pro)).ok().unwrap();
        bench.end_in(pro, &taken, &Verdict::status(503));
    }
    let stats = bench.pool.stats();
    assert_eq!((stats.available(), stats.keys.iter().map(|key| key.scopes.len()).sum::<usize>()), (2, 0));
    fail(&bench, &Verdict::status(503));
    assert_eq!(shares(&bench.pool.stats()).iter().filter(|share| **share < 1.0).count(), 1);
}

#[test]
fn an_outage_excuses_no_refusal() {
    let bench = Bench::new(keys(4));
    for _ in 0..4 {
        fail(&bench, &Verdict::status(503));
    }
    fail(&bench, &Verdict::status(403));
    assert_eq!(bench.pool.stats().available(), 3);
}

#[test]
fn a_success_in_one_scope_ends_nothing_in_another() {
    for failing in [1, 2] {
        let bench = Bench::new(keys(3));
        let pro = bench.pool.scope("pro");
        let take = |excluded: &[SlotId]| {
            bench.pool.checkout(&Wanted { scope: pro, excluded, ..Wanted::plain(1) }).ok().unwrap()
        };
        let all: Vec<_> = (0..3).map(|_| take(&[])).collect();
        // With a third key out, two that fail are all.
        bench.pool.report(all[2].keys.key().fingerprint(), &Verdict::status(401)).unwrap();
        for failed in &all[..failing] {
            bench.end_in(pro, failed, &Verdict::status(503));
        }
        fail(&bench, &Verdict::Success);
        assert!(bench.pool.home.is_failing.load(Ordering::SeqCst), "in the scope they fail still");
        let good = if failing == 1 { &all[1] } else { &take(&[id(&all[0])]) };
        bench.end_in(pro, good, &Verdict::Success);
        assert!(!bench.pool.home.is_failing.load(Ordering::SeqCst));
        let again = take(&[id(&all[0])]);
        assert_eq!(id(&again), id(&all[1]));
        bench.end_in(pro, &again, &Verdict::status(503));
        let stats = bench.pool.stats();
        let key = stats.keys.iter().find(|row| row.fingerprint == again.keys.key().fingerprint()).unwrap();
        assert_eq!(key.scopes[0].health.factor(), 0.8, "{failing}: a success was between, so this one is its own");
    }
}

#[test]
fn an_outage_of_a_scope_that_is_used_no_more_is_over_after_a_while() {
    let bench = Bench::new(keys(3));
    let retired = bench.pool.scope("retired-model");
    let wanted = Wanted { scope: retired, ..Wanted::plain(1) };
    let checkout = bench.pool.checkout(&wanted).unwrap();
    bench.end_in(retired, &checkout, &Verdict::status(503));
    bench.call(&Verdict::Success);
    assert!(bench.pool.home.is_failing.load(Ordering::SeqCst), "the scope has heard of no success yet");
    bench.clock.advance(61 * SECOND);
    bench.call(&Verdict::Success);
    assert!(!bench.pool.home.is_failing.load(Ordering::SeqCst), "ends of calls need no lock any more");
}

#[test]
fn who_gets_back_what_a_failure_took_keeps_the_weight_that_was_set_since() {
    let with = |weight| keys(2).zip([weight, 1.0]).map(|(key, weight)| key.weight(weight));
    let settings = Settings { policy: Policy::passive(), ..settings() };
    let bench = Bench::with(with(7.0), Vec::new(), settings);
    let first = fail(&bench, &Verdict::status(403));
    assert_eq!(first, Key::from("test-key-0"));
    bench.reload(with(5.0).collect());
    for _ in 0..9 {
        fail(&bench, &Verdict::status(403));
    }
    let health = bench.pool.stats().keys.remove(0).health;
    assert_eq!((health.weight(), health.factor()), (5.0, 1.0));
}

/// Checkouts of this key alone.
fn take_of<const N: usize>(bench: &Bench, scope: ScopeId, key: usize) -> [CheckedOut<Held>; N] {
    let name = Key::from(format!("test-key-{key}")).fingerprint();
    let others = bench
        .pool
        .state
        .lock()
        .slots()
        .filter(|slot| slot.key.fingerprint() != name)
        .map(|slot| slot.id)
        .collect::<Vec<_>>();
    std::array::from_fn(|_| bench.pool.checkout(&Wanted { scope, excluded: &others, ..Wanted::plain(1) }).ok().unwrap())
}

#[test]
fn what_an_operator_says_between_two_failures_of_an_outage_is_not_undone() {
    let name = Key::from("test-key-0").fingerprint();
    let bench = Bench::new(keys(2));
    let [first, second] = take_of(&bench, NO_SCOPE, 0);
    bench.pool.set_enabled(name, false).unwrap();
    bench.end(&first, &Verdict::status(503));
    bench.pool.set_enabled(name, true).unwrap();
    bench.end(&second, &Verdict::status(503));
    let [other] = take_of(&bench, NO_SCOPE, 1);
    bench.end(&other, &Verdict::status(503));
    let [again] = take_of(&bench, NO_SCOPE, 0);
    bench.end(&again, &Verdict::status(503));
    assert_eq!((bench.state(0), bench.pool.stats().disabled()), (KeyState::Available, 0));
    bench.pool.set_enabled(name, false).unwrap();
    assert_eq!((bench.state(0), bench.pool.state.lock().disabled), (KeyState::Disabled, 1));

    let bench = Bench::new(keys(2));
    let [first, second, refused] = take_of(&bench, NO_SCOPE, 0);
    bench.end(&refused, &throttled(3_600));
    bench.end(&first, &Verdict::status(503));
    bench.pool.reset();
    bench.end(&second, &Verdict::status(503));
    let [other] = take_of(&bench, NO_SCOPE, 1);
    bench.end(&other, &Verdict::status(503));
    assert_eq!(bench.state(0), KeyState::Available, "it was reset");
}

#[test]
fn what_an_operator_has_settled_is_no_proof_that_all_keys_are_refused() {
    let name = Key::from("test-key-0").fingerprint();
    let elsewhere = |bench: &Bench| bench.pool.merge(&[record("test-key-0", |state| state.epoch = 1)]);
    let here = |bench: &Bench| assert!(bench.pool.set_enabled(name, true).is_some());
    for settle in [&elsewhere as &dyn Fn(&Bench), &here] {
        let bench = Bench::new(keys(2));
        let ([first], [other]) = (take_of(&bench, NO_SCOPE, 0), take_of(&bench, NO_SCOPE, 1));
        bench.end(&first, &Verdict::status(403));
        settle(&bench);
        bench.end(&other, &Verdict::status(403));
        assert_eq!(shares(&bench.pool.stats())[1], 0.8);
    }
}

#[test]
fn a_key_that_met_something_else_between_two_failures_of_an_outage_keeps_that_alone() {
    let bench = Bench::new(keys(2));
    let [first, second, third] = take_of(&bench, NO_SCOPE, 0);
    bench.end(&first, &Verdict::status(503));
    bench.end(&second, &throttled(3_600));
    bench.end(&third, &Verdict::status(503));
    fail(&bench, &Verdict::status(503));
    bench.clock.advance(3_599 * SECOND);
    assert_eq!(bench.state(0), KeyState::CoolingDown, "it has its hour to wait");
    bench.clock.advance(SECOND);
    assert_eq!(bench.state(0), KeyState::Available);
}

#[test]
fn a_revoked_key_stays_out_whatever_its_scopes_meet() {
    for bench in [Bench::new(keys(2)), Bench::without_store(keys(2))] {
        let pro = bench.pool.scope("pro");
        let ([a1, a2], [b1, b2]) = (take_of(&bench, pro, 0), take_of(&bench, pro, 1));
        let [revoked] = take_of(&bench, NO_SCOPE, 0);
        bench.end(&revoked, &Verdict::status(401));
        for (taken, status) in [(b1, 403), (a1, 403), (b2, 503), (a2, 503)] {
            bench.end_in(pro, &taken, &Verdict::status(status));
        }
        let stats = bench.pool.stats();
        assert_eq!((bench.state(0), stats.keys[0].health.error_count()), (KeyState::Disabled, 1));
        assert_eq!(bench.pool.state.lock().disabled, 1);
    }
}

#[test]
fn a_key_that_rests_longer_than_its_group_rests_as_long_as_that_once_it_is_acquitted() {
    let bench = Bench::new(keys(4).enumerate().map(|(n, key)| if n < 2 { key.group("project") } else { key }));
    let calls: [_; 5] = take_of(&bench, NO_SCOPE, 0);
    let [member] = take_of(&bench, NO_SCOPE, 1);
    let others: [[_; 1]; 2] = [take_of(&bench, NO_SCOPE, 2), take_of(&bench, NO_SCOPE, 3)];
    for call in &calls {
        bench.end(call, &Verdict::status(503));
    }
    assert_eq!(bench.state(0), KeyState::CoolingDown, "its circuit is open");
    bench.end(&member, &throttled(1));
    for call in others.as_flattened() {
        bench.end(call, &Verdict::status(503));
    }
    assert_eq!(bench.state(0), KeyState::CoolingDown);
    bench.clock.advance(SECOND);
    assert_eq!(bench.state(0), KeyState::Available, "the outage is held against none");
}

#[test]
fn what_is_excused_in_one_scope_takes_nothing_of_what_is_given_back_in_another() {
    let bench = Bench::new(keys(2));
    let pro = bench.pool.scope("pro");
    let ([a], [b]) = (take_of(&bench, pro, 0), take_of(&bench, pro, 1));
    let ([excused], [first, second]) = (take_of(&bench, pro, 0), take_of(&bench, NO_SCOPE, 0));
    bench.end(&first, &network());
    bench.end_in(pro, &a, &network());
    bench.end_in(pro, &b, &network());
    bench.end_in(pro, &excused, &network());
    bench.end(&second, &network());
    let [other] = take_of(&bench, NO_SCOPE, 1);
    bench.end(&other, &network());
    assert_eq!(shares(&bench.pool.stats()), [1.0, 1.0]);
}
