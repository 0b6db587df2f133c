//! Keys that come and go.

use super::*;

#[test]
fn a_reload_keeps_learned_health_and_follows_the_new_settings() {
    let bench = Bench::new(keys(3));
    let failed = bench.call(&Verdict::status(500)) as usize;
    let mut configs: Vec<KeyConfig> = keys(3).collect();
    configs[failed] = configs[failed].clone().weight(3.0);
    configs.push(KeyConfig::new("test-key-3"));
    let removed = (failed + 1) % 3;
    configs.remove(removed);
    let reloaded = bench.reload(configs);
    assert_eq!((reloaded.added, reloaded.removed, reloaded.changed, reloaded.unchanged), (1, 1, 1, 1));
    let stats = bench.pool.stats();
    assert_eq!(stats.total(), 3);
    let health = stats.keys.iter().find(|key| key.health.weight() == 3.0).unwrap().health.clone();
    assert!((health.effective_weight() - 2.4).abs() < 1e-12);
    for _ in 0..9 {
        bench.call(&Verdict::Success);
    }
    let calls: Vec<u64> = bench.pool.stats().keys.iter().map(|key| key.calls).collect();
    assert!(calls.iter().all(|&calls| calls > 0), "{calls:?}");
}

#[test]
fn a_key_that_is_removed_and_put_back_is_enabled_and_keeps_its_counts() {
    let bench = Bench::new(keys(2));
    let disabled = bench.call(&Verdict::status(401)) as usize;
    let other = keys(2).nth(1 - disabled).unwrap();
    bench.reload(vec![other]);
    assert_eq!(bench.pool.stats().total(), 1);
    bench.reload(keys(2).collect());
    let stats = bench.pool.stats();
    assert_eq!(stats.disabled(), 0);
    assert_eq!(stats.failures(), 1);
}

#[test]
fn a_lease_may_outlive_its_key() {
    let bench = Bench::new(keys(2));
    let checkout = bench.take();
    let other = keys(2).nth(1 - bench.position(id(&checkout)) as usize).unwrap();
    bench.reload(vec![other, KeyConfig::new("takes the slot")]);
    assert_eq!(bench.end(&checkout, &Verdict::status(401)), Effect::default());
    assert_eq!(bench.pool.stats().disabled(), 0);
}

#[test]
fn a_verdict_about_a_key_that_was_removed_and_put_back_is_applied() {
    let bench = Bench::new([KeyConfig::new("test-key-0").rpm(2).concurrency(1)]);
    let checkout = bench.take();
    bench.reload(vec![KeyConfig::new("another")]);
    bench.reload(vec![KeyConfig::new("test-key-0").rpm(2).concurrency(1)]);
    assert_eq!(bench.state(0), KeyState::Busy, "the call runs still");
    bench.end(&checkout, &Verdict::Success);
    let second = bench.take();
    bench.end(&second, &Verdict::Success);
    assert!(matches!(bench.state(0), KeyState::Limited { .. }), "what it used stays used");
    let key = &bench.pool.stats().keys[0];
    assert_eq!((key.calls, key.successes, key.in_flight), (2, 2, 0));

    bench.clock.advance(61 * SECOND);
    let checkout = bench.take();
    bench.reload(vec![KeyConfig::new("another")]);
    bench.reload(vec![KeyConfig::new("test-key-0")]);
    assert!(bench.end(&checkout, &Verdict::status(401)).disabled);
    assert_eq!(bench.state(0), KeyState::Disabled);
}

#[test]
fn keys_are_shown_in_the_order_in_which_they_were_given_last() {
    let label = |n: u32| KeyConfig::new(format!("test-key-{n}")).label(n.to_string());
    let bench = Bench::new([1, 2, 3].map(label));
    bench.reload([2, 3, 4].map(label).into());
    let stats = bench.pool.stats();
    let labels: Vec<&str> = stats.keys.iter().filter_map(|key| key.label.as_deref()).collect();
    assert_eq!(labels, ["2", "3", "4"]);
}

#[test]
fn counts_of_a_removed_key_that_could_not_be_written_are_not_lost_when_it_is_back() {
    let bench = Bench::new(keys(1));
    bench.call(&Verdict::Success);
    bench.call(&Verdict::Success);
    bench.reload(vec![KeyConfig::new("another")]);
    let batch = bench.drain();
    bench.reload(keys(1).collect());
    bench.pool.rejected(&batch);
    bench.call(&Verdict::Success);
    let again = bench.drain();
    let print = Key::from("test-key-0").fingerprint();
    let written: i64 = again.iter().filter(|change| change.fingerprint == print).map(|change| change.added.calls).sum();
    assert_eq!(written, 3);
    bench.pool.committed(&again);
    let stats = bench.pool.stats();
    assert_eq!(stats.keys.iter().map(|key| key.calls).sum::<u64>(), 3);
}

#[test]
fn keys_lie_in_memory_in_the_order_of_their_use_and_each_process_has_its_own() {
    let first_of = |seed| {
        let bench = Bench::with(keys(100), Vec::new(), Settings { seed, ..settings() });
        let order: Vec<SlotId> = (0..100).map(|_| bench.call(&Verdict::Success)).collect();
        assert!(order.is_sorted(), "{order:?}");
        bench.position(order[0])
    };
    let firsts: HashSet<u32> = (0..20).map(first_of).collect();
    assert!(firsts.len() > 10, "{firsts:?}");
}

#[test]
fn a_call_that_ends_while_its_key_is_removed_and_put_back_is_ended_once() {
    let key = || KeyConfig::new("test-key-0").concurrency(2);
    let bench = Bench::new([key()]);
    let (first, second) = (bench.take(), bench.take());
    // The first has ended, and waits for the lock that the operator has.
    let slot = &first.keys.slots()[0];
    assert_eq!(slot.end(NO_SCOPE, None), Ended::Loudly);
    bench.reload(Vec::new());
    bench.reload(vec![key()]);
    assert_eq!(bench.pool.stats().keys[0].in_flight, 2, "neither has been told to the pool");
    bench.reload(Vec::new());
    bench.pool.settle_loudly(slot, first.serial, NO_SCOPE, &Verdict::Success, Lone::One);
    bench.reload(vec![key()]);
    let third = bench.take();
    assert_eq!(bench.pool.stats().keys[0].in_flight, 2);
    assert_eq!(bench.shortage().busy, 1);
    bench.end(&second, &Verdict::Success);
    bench.end(&third, &Verdict::Success);
    assert_eq!(bench.pool.stats().keys[0].in_flight, 0);
}

#[test]
fn a_reload_gives_keys_that_were_used_other_limits() {
    for group in [None, Some("project")] {
        let keys = |rpm| keys(1).map(move |key| group.into_iter().fold(key.rpm(rpm), KeyConfig::group));
        let bench = Bench::new(keys(2));
        (0..2).for_each(|_| {
            bench.call(&Verdict::Success);
        });
        bench.shortage();
        bench.reload(keys(3).collect());
        bench.call(&Verdict::Success);
        bench.shortage();
    }
}

#[test]
fn a_reload_changes_the_share_within_a_scope_too() {
    let bench = Bench::new(keys(2));
    let scope = bench.pool.scope("model");
    let wanted = Wanted { scope, ..Wanted::plain(1) };
    let checkout = bench.pool.checkout(&wanted).unwrap();
    bench.end_in(scope, &checkout, &Verdict::status(403));
    let shares = || bench.pool.stats().keys.into_iter().flat_map(|key| key.scopes).map(|scope| scope.health);
    let before = shares().next().unwrap();
    bench.reload(keys(2).map(|key| key.weight(4.0)).collect());
    let after = shares().next().unwrap();
    assert_eq!((after.weight(), after.effective_weight()), (4.0, 4.0 * before.effective_weight()));
}

#[test]
fn successes_counted_without_the_lock_go_along_to_another_group() {
    let bench = Bench::new(keys(1));
    (0..3).for_each(|_| {
        bench.call(&Verdict::Success);
    });
    bench.reload(keys(1).map(|key| key.group("project")).collect());
    let row = bench.pool.stats().keys.remove(0);
    assert_eq!((row.calls, row.successes), (3, 3));
}
