//! What is handed to a store, and what comes from it.

use super::*;
use crate::pool::slot::Quiet;

#[test]
fn a_restart_remembers_when_a_key_was_used_last() {
    // The store keeps microseconds.
    let used = SystemTime::UNIX_EPOCH + Duration::from_micros(1_795_435_200_000_001);
    let bench = Bench::restored(keys(1), vec![record("test-key-0", |state| state.last_used = Some(used))]);
    assert_eq!(bench.pool.stats().keys[0].last_used, Some(used));
    bench.pool.reset();
    assert_eq!(bench.drain()[0].state.last_used, Some(used), "a reset is no use of the key");
}

#[test]
fn changes_are_collected_once_and_add_up() {
    let bench = Bench::new(keys(2));
    for _ in 0..10 {
        bench.call(&Verdict::Success);
    }
    let batch = bench.drain();
    assert_eq!(batch.iter().map(|change| change.added.successes).sum::<i64>(), 10);
    bench.pool.rejected(&batch);
    let again = bench.drain();
    assert_eq!(again.iter().map(|change| change.added.calls).sum::<i64>(), 10);
    bench.pool.committed(&again);
    assert!(bench.drain().is_empty());
    assert_eq!((bench.pool.stats().calls(), bench.pool.stats().successes()), (10, 10));
}

#[test]
fn only_the_first_change_wakes_the_writer() {
    let bench = Bench::new(keys(2));
    assert!(bench.take().wake);
    assert!(!bench.take().wake);
    bench.drain();
    assert!(bench.take().wake);
}

#[test]
fn room_for_what_changes_is_made_at_the_start_and_where_there_is_a_store_alone() {
    let room = |bench: &Bench| {
        let checkout = bench.pool.checkout(&Wanted::plain(2)).unwrap();
        bench.end(&checkout, &Verdict::Success);
        bench.call(&throttled(30));
        drop(bench.pool.fetch());
        let _ = bench.pool.reset();
        bench.pool.state.lock().dirty.capacity()
    };
    assert_eq!(room(&Bench::new(keys(100))), 100);
    assert_eq!(room(&Bench::without_store(keys(100))), 0);
}

#[test]
fn what_others_did_is_taken_over() {
    let bench = Bench::new(keys(2));
    let until = SystemTime::now() + 3600 * SECOND;
    bench.pool.merge(&[
        record("test-key-0", |state| state.health.disabled = true),
        record("test-key-1", |state| state.health.cooldown_until = Some(until)),
        record("not in the pool", |_| ()),
    ]);
    assert_eq!(bench.state(0), KeyState::Disabled);
    assert_eq!(bench.state(1), KeyState::CoolingDown);
    bench.pool.merge(&[record("test-key-0", |_| ())]);
    assert_eq!(bench.state(0), KeyState::Disabled, "an older picture does not enable");
    bench.pool.merge(&[record("test-key-0", |state| state.epoch = 1)]);
    assert_eq!(bench.state(0), KeyState::Available, "a reset elsewhere does");
}

#[test]
fn what_others_know_is_taken_over_within_the_bounds_of_the_policy_here() {
    let grown = |scope: Option<&str>| {
        let record = record("test-key-0", |state| {
            state.health.effective = 10.0;
            state.health.cooldown_until = Some(SystemTime::now() + 3600 * SECOND);
            state.epoch = 1;
        });
        Record { scope: scope.map(Into::into), ..record }
    };
    let merged = Bench::new(keys(1));
    merged.pool.merge(&[grown(None), grown(Some("model"))]);
    let restored = Bench::restored(keys(1), vec![grown(None), grown(Some("model"))]);
    for bench in [merged, restored] {
        let key = bench.pool.stats().keys.remove(0);
        assert_eq!((key.health.factor(), key.scopes[0].health.factor()), (1.0, 1.0));
    }
}

#[test]
fn a_disablement_here_survives_resets_elsewhere_that_were_not_yet_seen() {
    for by_hand in [true, false] {
        let bench = Bench::new(keys(1));
        let print = Key::from("test-key-0").fingerprint();
        if by_hand {
            bench.pool.set_enabled(print, false).unwrap();
        } else {
            bench.call(&Verdict::status(401));
        }
        bench.pool.merge(&[record("test-key-0", |state| state.epoch = 2)]);
        assert_eq!(bench.state(0), KeyState::Disabled);
        let batch = bench.drain();
        assert_eq!((batch[0].state.epoch, batch[0].state.health.is_disabled()), (2, true));
        bench.pool.committed(&batch);
        bench.pool.merge(&[record("test-key-0", |state| state.epoch = 3)]);
        assert_eq!(bench.state(0), KeyState::Available, "a reset of what was stored");
    }
}

#[test]
fn a_cooldown_from_a_clock_that_was_ahead_is_sat_out_once_and_then_taken_from_the_store() {
    let failed = SystemTime::now() + Duration::from_secs(365 * 24 * 3600);
    let ahead = |calls: i64| {
        let mut record = record("test-key-0", |state| {
            let throttled = Failure::status(429).with_retry_after(60 * SECOND);
            state.health = Policy::default().next(&state.health, &Verdict::Failure(throttled), failed);
        });
        record.counters.calls = calls;
        record
    };
    for bench in [Bench::restored(keys(1), vec![ahead(0)]), Bench::new(keys(1))] {
        bench.pool.merge(&[ahead(1)]);
        assert_eq!(bench.state(0), KeyState::CoolingDown);
        bench.clock.advance(61 * SECOND);
        for calls in 2..5 {
            bench.pool.merge(&[ahead(calls)]);
            assert_eq!(bench.state(0), KeyState::Available, "another counter is no reason to rest again");
        }
        bench.call(&Verdict::Success);
        let healed = &bench.drain()[0];
        assert_eq!(healed.state.epoch, 1, "which replaces what is stored");
        assert!(healed.state.health.cooldown_until().unwrap() < bench.clock.utc());
        bench.call(&Verdict::Success);
        assert_eq!(bench.drain()[0].state.epoch, 1);
    }
}

#[test]
fn a_cooldown_that_was_stored_before_the_start_and_is_sat_out_is_none_when_others_write_and_healed() {
    let failed = SystemTime::now() + Duration::from_secs(365 * 24 * 3600);
    let ahead = || {
        record("test-key-0", |state| {
            let throttled = Failure::status(429).with_retry_after(60 * SECOND);
            state.health = Policy::default().next(&state.health, &Verdict::Failure(throttled), failed);
        })
    };
    let bench = Bench::restored(keys(1), vec![ahead()]);
    bench.clock.advance(61 * SECOND);
    bench.pool.merge(&[ahead()]);
    assert_eq!(bench.state(0), KeyState::Available, "it is known");
    let bench = Bench::restored(keys(1), vec![ahead()]);
    bench.clock.advance(61 * SECOND);
    bench.call(&Verdict::Success);
    assert_eq!(bench.drain()[0].state.epoch, 1, "what is stored is replaced");
}

#[test]
fn a_share_that_another_policy_let_grow_is_bounded_by_that_of_now() {
    let share = |policy| {
        let records = vec![record("test-key-0", |state| state.health.effective = 5.0)];
        let configs = keys(1).map(|key| key.weight(2.0));
        let bench = Bench::with(configs, records, Settings { policy, ..settings() });
        bench.pool.stats().keys[0].health.effective_weight()
    };
    assert_eq!((share(Policy::default()), share(Policy::classic())), (2.0, 10.0));
}

#[test]
fn only_a_change_of_health_is_news() {
    let bench = Bench::new(keys(1));
    bench.call(&Verdict::Success);
    assert!(!bench.drain()[0].is_news);
    bench.call(&Verdict::status(500));
    let batch = bench.drain();
    assert!(batch[0].is_news);
    bench.pool.rejected(&batch);
    assert!(bench.drain()[0].is_news, "it is not known yet");
    bench.call(&Verdict::Neutral);
    assert!(!bench.drain()[0].is_news);
}

#[test]
fn a_restart_goes_on_where_it_stopped() {
    let now = SystemTime::now();
    let used = |seconds: u64| now - Duration::from_secs(seconds);
    let records = vec![
        record("test-key-0", |state| state.last_used = Some(used(10))),
        record("test-key-1", |state| state.last_used = Some(used(30))),
        record("test-key-2", |state| {
            state.last_used = Some(used(20));
            state.health.disabled = true;
        }),
        record("test-key-3", |state| {
            state.last_used = Some(used(40));
            state.health.cooldown_until = Some(now + 60 * SECOND);
        }),
    ];
    let bench = Bench::restored(keys(4), records);
    let call = || bench.position(bench.call(&Verdict::Success));
    let order: Vec<u32> = (0..4).map(|_| call()).collect();
    assert_eq!(order, [1, 0, 1, 0]);
    bench.clock.advance(61 * SECOND);
    assert_eq!(call(), 3);
}

#[test]
fn a_wall_clock_that_was_set_back_blocks_no_key_for_ever() {
    let failed = SystemTime::now() + Duration::from_secs(365 * 24 * 3600);
    let records = vec![record("test-key-0", |state| {
        let throttled = Failure::status(429).with_retry_after(60 * SECOND);
        state.health = Policy::default().next(&state.health, &Verdict::Failure(throttled), failed);
    })];
    let bench = Bench::restored(keys(1), records);
    assert_eq!(bench.state(0), KeyState::CoolingDown);
    bench.clock.advance(61 * SECOND);
    assert_eq!(bench.state(0), KeyState::Available);
}

#[test]
fn what_happened_here_is_kept_when_another_process_resets_what_it_knows() {
    let bench = Bench::new(keys(1).map(|key| key.weight(3.0)));
    bench.call(&throttled(60));
    let before = bench.pool.stats().keys.remove(0).health;
    bench.pool.merge(&[record("test-key-0", |state| state.epoch = 1)]);
    let after = bench.pool.stats().keys.remove(0).health;
    assert_eq!(after.cooldown_until(), before.cooldown_until());
    assert!(after.last_failure().is_some() && after.last_failure() == before.last_failure());
    assert_eq!((after.weight(), after.effective_weight()), (3.0, 3.0), "of theirs, the share; of ours, the weight");
}

#[test]
fn what_the_last_calls_counted_is_written_when_their_balancer_is_closed() {
    let bench = Bench::new(keys(1));
    let checkouts = [bench.take(), bench.take()];
    bench.drain();
    // As by a thread that ends a call and has not told the writer yet.
    checkouts[0].keys.slots()[0].end(NO_SCOPE, Some(Quiet::Success));
    assert!(bench.pool.close(Box::new(())).is_none(), "a call runs");
    assert_eq!(bench.drain().iter().map(|change| change.added.successes).sum::<i64>(), 1);
}
