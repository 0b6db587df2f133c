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

    fn reload(&self, configs: Vec<KeyConfig>) -> Reloaded {
        let (reloaded, untold) = self.pool.reload(configs);
        untold.tell();
        reloaded
    }

    fn take(&self) -> CheckedOut<Held> {
        self.pool.checkout(&Wanted::plain(1)).expect("a key is free")
    }

    /// As a thread of this number does, which may find the lock hard to get.
    fn take_of(&self, thread: usize, is_hard: bool) -> Option<CheckedOut<Held>> {
        let lately = self.pool.timeline.lately();
        let of_part = self.pool.parts.lock(thread).take(lately, &self.pool.timeline);
        let taken = of_part.or_else(|| match self.pool.part(thread, self.pool.state.lock(), lately, is_hard) {
            Ok(mut state) => state.take_at_hand(NO_SCOPE, lately, true, &self.pool.timeline),
            Err(taken) => Some(taken),
        });
        taken.or_else(|| {
            self.pool.locked(|_| ());
            self.pool.checkout(&Wanted::plain(1)).ok()
        })
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

fn open_circuit(bench: &Bench) {
    for _ in 0..5 {
        bench.call(&Verdict::status(503));
    }
    assert_eq!(bench.state(0), KeyState::CoolingDown);
    bench.clock.advance(10 * SECOND);
    assert_eq!(bench.state(0), KeyState::HalfOpen);
}

fn record(key: &str, change: impl FnOnce(&mut SharedState)) -> Record {
    let mut state = SharedState { health: Health::new(1.0), epoch: 0, last_used: None };
    change(&mut state);
    Record { fingerprint: Key::from(key).fingerprint(), scope: None, state, counters: Counters::default() }
}

mod acquittals;
mod books;
mod circuits;
mod fetches;
mod lagging;
mod members;
mod moves;
mod parts;
mod quotas;
mod scopes;
mod sessions;
mod stored;
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
