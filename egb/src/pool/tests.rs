use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use super::condition::PROBE_TIMEOUT;
use super::slot::{Ended, Slot};
use super::*;
use crate::clock::{Clock, ManualClock, Zone};
use crate::config::KeyConfig;
use crate::health::Health;
use crate::key::Key;
use crate::outcome::{Failure, Verdict};
use crate::schedule::SlotId;
use crate::stats::KeyState;
use crate::store::{Change, Counters, Journal, Record, SharedState};

const SECOND: Duration = Duration::from_secs(1);

struct Bench {
    pool: Arc<Pool>,
    clock: ManualClock,
}

fn settings() -> Settings {
    Settings { seed: 7, ..Settings::default() }
}

impl Bench {
    fn new(configs: impl IntoIterator<Item = KeyConfig>) -> Self {
        Self::restored(configs, Vec::new())
    }

    fn restored(configs: impl IntoIterator<Item = KeyConfig>, records: Vec<Record>) -> Self {
        Self::with(configs, records, settings())
    }

    fn learning(configs: impl IntoIterator<Item = KeyConfig>) -> Self {
        Self::with(configs, Vec::new(), Settings { learn: true, ..settings() })
    }

    fn with(configs: impl IntoIterator<Item = KeyConfig>, records: Vec<Record>, settings: Settings) -> Self {
        Self::journaled(configs, records, settings, true)
    }

    fn without_store(configs: impl IntoIterator<Item = KeyConfig>) -> Self {
        Self::journaled(configs, Vec::new(), settings(), false)
    }

    fn journaled(
        configs: impl IntoIterator<Item = KeyConfig>,
        records: Vec<Record>,
        settings: Settings,
        journaled: bool,
    ) -> Self {
        let clock = ManualClock::new();
        let timeline = Timeline::new(Arc::new(clock.clone()), Zone::default());
        let configs = configs.into_iter().collect();
        Self { pool: Pool::new(configs, records, settings, timeline, journaled), clock }
    }

    fn take(&self) -> CheckedOut<Held> {
        self.pool.checkout(&Wanted::plain(1)).expect("a key is free")
    }

    fn end(&self, checkout: &CheckedOut<Held>, verdict: &Verdict) -> Effect {
        self.end_in(NO_SCOPE, checkout, verdict)
    }

    fn end_in(&self, scope: ScopeId, checkout: &CheckedOut<Held>, verdict: &Verdict) -> Effect {
        let slots = checkout.keys.slots();
        let lone = if slots.len() == 1 { Lone::One } else { Lone::OneOfMany };
        let settle = |slot| self.pool.home().settle(slot, checkout.serial, scope, verdict, lone);
        slots.iter().fold(Effect::default(), |_, slot| settle(slot))
    }

    fn shortage(&self) -> Shortage {
        self.pool.checkout(&Wanted::plain(1)).expect_err("no key is free")
    }

    fn call(&self, verdict: &Verdict) -> SlotId {
        let checkout = self.take();
        self.end(&checkout, verdict);
        id(&checkout)
    }

    /// Where a key stands among those given.
    fn position(&self, id: SlotId) -> u32 {
        self.pool.state.lock().entry(id).position
    }

    fn state(&self, position: usize) -> KeyState {
        self.pool.stats().keys[position].state
    }

    fn drain(&self) -> Vec<Change> {
        let mut batch = Vec::new();
        while self.pool.drain(&mut batch, 3) {}
        batch
    }
}

fn keys(count: usize) -> impl Iterator<Item = KeyConfig> {
    (0..count).map(|n| KeyConfig::new(format!("test-key-{n}")))
}

fn throttled(seconds: u64) -> Verdict {
    Verdict::Failure(Failure::status(429).with_retry_after(Duration::from_secs(seconds)))
}

fn id(checkout: &CheckedOut<Held>) -> SlotId {
    checkout.keys.slots()[0].id
}

mod books;
mod lagging;
mod quotas;
mod scopes;
mod sessions;
mod weather;

#[test]
fn a_key_that_cools_down_comes_back_by_itself_and_is_first() {
    let bench = Bench::new(keys(3));
    let cooling = bench.call(&throttled(30));
    for _ in 0..6 {
        assert_ne!(bench.call(&Verdict::Success), cooling);
    }
    bench.clock.advance(30 * SECOND);
    assert_eq!(bench.call(&Verdict::Success), cooling);
}

#[test]
fn a_disabled_key_is_never_given_again() {
    let bench = Bench::new(keys(2));
    let checkout = bench.take();
    let effect = bench.end(&checkout, &Verdict::status(401));
    assert!(effect.disabled);
    bench.clock.advance(1_000_000 * SECOND);
    for _ in 0..5 {
        assert_ne!(bench.call(&Verdict::Success), id(&checkout));
    }
}

#[test]
fn a_shortage_says_what_is_missing_and_when_the_first_key_comes_back() {
    let bench = Bench::new(keys(3));
    bench.call(&Verdict::status(401));
    bench.call(&throttled(30));
    bench.call(&throttled(20));
    let shortage = bench.shortage();
    let next_due = Some(20 * SECOND);
    let expected = Shortage { wanted: 1, total: 3, disabled: 1, parked: 2, busy: 0, untried: 2, missing: 1, next_due };
    assert_eq!(shortage, expected);
}

#[test]
fn several_keys_are_distinct_and_too_few_leave_the_order_as_it_was() {
    let bench = Bench::new(keys(3));
    let all = bench.pool.checkout(&Wanted::plain(3)).ok().unwrap();
    let order: Vec<SlotId> = all.keys.slots().iter().map(|slot| slot.id).collect();
    assert_eq!(order.iter().collect::<HashSet<_>>().len(), 3);
    assert!(bench.pool.checkout(&Wanted::plain(4)).is_err());
    let again: Vec<SlotId> = (0..3).map(|_| bench.call(&Verdict::Success)).collect();
    assert_eq!(again, order);
}

#[test]
fn excluded_keys_are_skipped_and_keep_their_turn() {
    let bench = Bench::new(keys(3));
    let order: Vec<SlotId> = (0..3).map(|_| bench.call(&Verdict::Success)).collect();
    let excluding = |excluded| bench.pool.checkout(&Wanted { excluded, ..Wanted::plain(1) });
    assert_eq!(id(&excluding(&order[..2]).ok().unwrap()), order[2]);
    assert_eq!(bench.call(&Verdict::Success), order[0]);
    assert!(excluding(&order).is_err());
}

#[test]
fn a_concurrency_limit_holds_the_key_back_until_a_call_ends_however_it_ends() {
    let bench = Bench::new([KeyConfig::new("test-key-0").concurrency(2)]);
    let (first, second) = (bench.take(), bench.take());
    assert_eq!(bench.state(0), KeyState::Busy);
    assert_eq!(bench.shortage().busy, 1);
    bench.end(&first, &Verdict::Neutral);
    let third = bench.take();
    bench.end(&second, &Verdict::Success);
    bench.end(&third, &throttled(1));
    bench.clock.advance(SECOND);
    assert_eq!(bench.state(0), KeyState::Available);
    assert_eq!(bench.pool.stats().keys[0].in_flight, 0);
}

#[test]
fn a_limit_per_minute_parks_the_key_until_its_window_has_room() {
    let bench = Bench::new([KeyConfig::new("test-key-0").rpm(2)]);
    bench.call(&Verdict::Success);
    bench.clock.advance(10 * SECOND);
    bench.call(&Verdict::Success);
    let wait = bench.shortage().next_due.unwrap();
    assert!((50 * SECOND..51 * SECOND).contains(&wait), "{wait:?}");
    assert!(matches!(bench.state(0), KeyState::Limited { .. }));
    bench.clock.advance(wait);
    bench.call(&Verdict::Success);
}

fn open_circuit(bench: &Bench) {
    for _ in 0..5 {
        bench.call(&Verdict::status(503));
    }
    assert_eq!(bench.state(0), KeyState::CoolingDown);
    bench.clock.advance(10 * SECOND);
    assert_eq!(bench.state(0), KeyState::HalfOpen);
}

#[test]
fn a_half_open_key_gets_one_probe_and_a_success_closes_its_circuit() {
    let bench = Bench::new(keys(1));
    open_circuit(&bench);
    let probe = bench.take();
    assert!(bench.pool.checkout(&Wanted::plain(1)).is_err(), "one probe, however many callers");
    bench.end(&probe, &Verdict::Success);
    bench.take();
    bench.take();
    assert_eq!(bench.state(0), KeyState::Available);
}

#[test]
fn a_probe_that_says_nothing_or_hangs_makes_room_for_another() {
    let bench = Bench::new(keys(1));
    open_circuit(&bench);
    let probe = bench.take();
    bench.end(&probe, &Verdict::Neutral);
    let _hangs = bench.take();
    assert!(bench.pool.checkout(&Wanted::plain(1)).is_err());
    bench.clock.advance(PROBE_TIMEOUT);
    bench.take();
}

#[test]
fn a_failed_probe_opens_the_circuit_again() {
    let bench = Bench::new(keys(1));
    open_circuit(&bench);
    let probe = bench.take();
    bench.end(&probe, &Verdict::status(503));
    assert_eq!(bench.state(0), KeyState::CoolingDown);
}

#[test]
fn calls_that_fail_together_are_one_failure() {
    let bench = Bench::new(keys(1));
    let together: Vec<_> = (0..4).map(|_| bench.take()).collect();
    for checkout in &together {
        bench.end(checkout, &Verdict::status(403));
    }
    let key = &bench.pool.stats().keys[0];
    assert!(!key.health.is_disabled());
    assert_eq!(key.health.effective_weight(), 0.8);
    assert_eq!((key.calls, key.failures), (4, 4));
}

#[test]
fn a_call_with_several_keys_disables_none_of_them_at_once() {
    let bench = Bench::new(keys(2));
    let both = bench.pool.checkout(&Wanted::plain(2)).ok().unwrap();
    bench.end(&both, &Verdict::status(401));
    assert_eq!(bench.pool.stats().disabled(), 0);
    assert_eq!(bench.state(0), KeyState::CoolingDown);
}

#[test]
fn fetching_counts_as_success_until_a_report_contradicts_it() {
    let bench = Bench::new(keys(1));
    let fetched = bench.pool.fetch().ok().unwrap();
    let key = &bench.pool.stats().keys[0];
    assert_eq!((key.calls, key.successes, key.failures), (1, 1, 0));
    bench.pool.report(fetched.keys.fingerprint(), &throttled(5)).unwrap();
    let key = &bench.pool.stats().keys[0];
    assert_eq!((key.calls, key.successes, key.failures, key.throttled), (1, 0, 1, 1));
    assert_eq!(key.state, KeyState::CoolingDown);
}

#[test]
fn waits_double_in_auto_success_mode_too() {
    let bench = Bench::new(keys(1));
    let mut waits = Vec::new();
    for _ in 0..3 {
        let fetched = bench.pool.fetch().ok().unwrap();
        bench.pool.report(fetched.keys.fingerprint(), &Verdict::status(429)).unwrap();
        let wait = bench.pool.fetch().err().unwrap().next_due.unwrap();
        waits.push(wait.as_secs());
        bench.clock.advance(wait);
    }
    assert_eq!(waits, [1, 2, 4]);
    bench.pool.fetch().ok().unwrap();
    bench.clock.advance(10 * SECOND);
    bench.pool.fetch().ok().unwrap();
    assert_eq!(bench.pool.stats().keys[0].health.consecutive_errors(), 0, "the fetch before was a success");
}

#[test]
fn waits_double_after_many_fetches_that_nobody_reported() {
    let bench = Bench::new(keys(1));
    for _ in 0..50 {
        bench.pool.fetch().ok().unwrap();
    }
    let mut waits = Vec::new();
    for _ in 0..3 {
        let fetched = bench.pool.fetch().ok().unwrap();
        bench.pool.report(fetched.keys.fingerprint(), &Verdict::status(429)).unwrap();
        let wait = bench.pool.fetch().err().unwrap().next_due.unwrap();
        waits.push(wait.as_secs());
        bench.clock.advance(wait);
    }
    assert_eq!(waits, [1, 2, 4]);
}

/// Two workers who fetch a key at once, call with it, and report what happened.
fn two_workers(bench: &Bench, status: u16) -> Option<Duration> {
    let both: Vec<_> = (0..2).filter_map(|_| bench.pool.fetch().ok()).collect();
    for fetched in &both {
        bench.pool.report(fetched.keys.fingerprint(), &Verdict::status(status)).unwrap();
    }
    bench.pool.fetch().err().and_then(|shortage| shortage.next_due)
}

#[test]
fn two_workers_in_auto_success_mode_wait_longer_each_time() {
    let bench = Bench::new(keys(1));
    let mut waits = Vec::new();
    for _ in 0..3 {
        let wait = two_workers(&bench, 429).unwrap();
        waits.push(wait.as_secs());
        bench.clock.advance(wait);
    }
    assert_eq!(waits, [1, 2, 4]);
}

#[test]
fn two_workers_in_auto_success_mode_open_the_circuit() {
    let bench = Bench::new(keys(1));
    (0..20).any(|_| two_workers(&bench, 503).is_some());
    assert_eq!(bench.state(0), KeyState::CoolingDown, "nothing but 503 in a row");
}

#[test]
fn a_fetch_from_before_the_circuit_opened_does_not_close_it() {
    let bench = Bench::new(keys(1));
    bench.pool.fetch().ok().unwrap();
    open_circuit(&bench);
    bench.pool.fetch().ok().unwrap();
    assert!(bench.pool.fetch().is_err(), "it is a probe, and the only one");
}

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
fn reports_by_hand_work_without_a_fetch() {
    let bench = Bench::new(keys(1));
    let fingerprint = Key::from("test-key-0").fingerprint();
    for _ in 0..3 {
        bench.pool.report(fingerprint, &Verdict::status(403)).unwrap();
    }
    assert_eq!(bench.state(0), KeyState::Disabled);
    assert_eq!(bench.pool.report(Key::from("other").fingerprint(), &Verdict::Success), None);
}

#[test]
fn operators_disable_enable_and_reset() {
    let bench = Bench::new(keys(2));
    let print = Key::from("test-key-1").fingerprint();
    assert!(bench.pool.set_enabled(print, false).unwrap().disabled);
    assert_eq!(bench.state(1), KeyState::Disabled);
    assert_eq!(bench.call(&throttled(60)), 0);
    assert!(bench.pool.checkout(&Wanted::plain(1)).is_err());
    bench.pool.set_enabled(print, true).unwrap();
    assert_eq!(bench.call(&Verdict::Success), 1);
    bench.pool.reset();
    assert_eq!(bench.pool.stats().available(), 2);
    assert_eq!(bench.pool.stats().keys[0].health.effective_weight(), 1.0);
}

#[test]
fn a_reload_keeps_learned_health_and_follows_the_new_settings() {
    let bench = Bench::new(keys(3));
    let failed = bench.call(&Verdict::status(500)) as usize;
    let mut configs: Vec<KeyConfig> = keys(3).collect();
    configs[failed] = configs[failed].clone().weight(3.0);
    configs.push(KeyConfig::new("test-key-3"));
    let removed = (failed + 1) % 3;
    configs.remove(removed);
    let reloaded = bench.pool.reload(configs);
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
    bench.pool.reload(vec![other]);
    assert_eq!(bench.pool.stats().total(), 1);
    bench.pool.reload(keys(2).collect());
    let stats = bench.pool.stats();
    assert_eq!(stats.disabled(), 0);
    assert_eq!(stats.failures(), 1);
}

#[test]
fn a_lease_may_outlive_its_key() {
    let bench = Bench::new(keys(2));
    let checkout = bench.take();
    let other = keys(2).nth(1 - bench.position(id(&checkout)) as usize).unwrap();
    bench.pool.reload(vec![other, KeyConfig::new("takes the slot")]);
    assert_eq!(bench.end(&checkout, &Verdict::status(401)), Effect::default());
    assert_eq!(bench.pool.stats().disabled(), 0);
}

#[test]
fn a_verdict_about_a_key_that_was_removed_and_put_back_is_applied() {
    let bench = Bench::new([KeyConfig::new("test-key-0").rpm(2).concurrency(1)]);
    let checkout = bench.take();
    bench.pool.reload(vec![KeyConfig::new("another")]);
    bench.pool.reload(vec![KeyConfig::new("test-key-0").rpm(2).concurrency(1)]);
    assert_eq!(bench.state(0), KeyState::Busy, "the call runs still");
    bench.end(&checkout, &Verdict::Success);
    let second = bench.take();
    bench.end(&second, &Verdict::Success);
    assert!(matches!(bench.state(0), KeyState::Limited { .. }), "what it used stays used");
    let key = &bench.pool.stats().keys[0];
    assert_eq!((key.calls, key.successes, key.in_flight), (2, 2, 0));

    bench.clock.advance(61 * SECOND);
    let checkout = bench.take();
    bench.pool.reload(vec![KeyConfig::new("another")]);
    bench.pool.reload(vec![KeyConfig::new("test-key-0")]);
    assert!(bench.end(&checkout, &Verdict::status(401)).disabled);
    assert_eq!(bench.state(0), KeyState::Disabled);
}

#[test]
fn keys_are_shown_in_the_order_in_which_they_were_given_last() {
    let label = |n: u32| KeyConfig::new(format!("test-key-{n}")).label(n.to_string());
    let bench = Bench::new([1, 2, 3].map(label));
    bench.pool.reload([2, 3, 4].map(label).into());
    let stats = bench.pool.stats();
    let labels: Vec<&str> = stats.keys.iter().filter_map(|key| key.label.as_deref()).collect();
    assert_eq!(labels, ["2", "3", "4"]);
}

#[test]
fn counts_of_a_removed_key_that_could_not_be_written_are_not_lost_when_it_is_back() {
    let bench = Bench::new(keys(1));
    bench.call(&Verdict::Success);
    bench.call(&Verdict::Success);
    bench.pool.reload(vec![KeyConfig::new("another")]);
    let batch = bench.drain();
    bench.pool.reload(keys(1).collect());
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

fn record(key: &str, change: impl FnOnce(&mut SharedState)) -> Record {
    let mut state = SharedState { health: Health::new(1.0), epoch: 0, last_used: None };
    change(&mut state);
    Record { fingerprint: Key::from(key).fingerprint(), scope: None, state, counters: Counters::default() }
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
fn a_restart_goes_on_where_it_stopped() {
    let used = |seconds: u64| SystemTime::now() - Duration::from_secs(seconds);
    let records = vec![
        record("test-key-0", |state| state.last_used = Some(used(10))),
        record("test-key-1", |state| state.last_used = Some(used(30))),
        record("test-key-2", |state| {
            state.last_used = Some(used(20));
            state.health.disabled = true;
        }),
        record("test-key-3", |state| {
            state.last_used = Some(used(40));
            state.health.cooldown_until = Some(SystemTime::now() + 60 * SECOND);
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
fn a_probe_in_auto_success_mode_that_is_not_contradicted_closes_the_circuit() {
    let bench = Bench::new(keys(1));
    open_circuit(&bench);
    bench.pool.fetch().ok().unwrap();
    assert!(bench.pool.fetch().is_err(), "the probe is out");
    bench.clock.advance(PROBE_TIMEOUT);
    bench.pool.fetch().ok().unwrap();
    bench.pool.fetch().ok().unwrap();
    assert_eq!(bench.state(0), KeyState::Available);
}

#[test]
fn a_call_that_ends_while_its_key_is_removed_and_put_back_is_ended_once() {
    let key = || KeyConfig::new("test-key-0").concurrency(2);
    let bench = Bench::new([key()]);
    let (first, second) = (bench.take(), bench.take());
    // The first has ended, and waits for the lock that the operator has.
    let slot = &first.keys.slots()[0];
    assert_eq!(slot.end(NO_SCOPE, None), Ended::Loudly);
    bench.pool.reload(Vec::new());
    bench.pool.reload(vec![key()]);
    assert_eq!(bench.pool.stats().keys[0].in_flight, 2, "neither has been told to the pool");
    bench.pool.reload(Vec::new());
    bench.pool.settle_loudly(slot, first.serial, NO_SCOPE, &Verdict::Success, Lone::One);
    bench.pool.reload(vec![key()]);
    let third = bench.take();
    assert_eq!(bench.pool.stats().keys[0].in_flight, 2);
    assert_eq!(bench.shortage().busy, 1);
    bench.end(&second, &Verdict::Success);
    bench.end(&third, &Verdict::Success);
    assert_eq!(bench.pool.stats().keys[0].in_flight, 0);
}
