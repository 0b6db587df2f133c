//! The keys of one balancer with their health, and which of them may be used: checkout and settle,
//! each one short critical section. Knows nothing of SQL, HTTP or the registry.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::clock::{Tick, Timeline, next_midnight};
use crate::config::KeyConfig;
use crate::health::{Health, Streaks};
use crate::key::{Fingerprint, Key};
use crate::limits::Budget;
use crate::outcome::{Failure, Verdict};
use crate::policy::Policy;
use crate::schedule::{Schedule, SlotId};
use crate::store::{Counters, Record};

mod admin;
mod journal;
#[cfg(test)]
mod tests;

pub use admin::Reloaded;

/// A half-open key whose probe has not ended by then may be probed again: a call that hangs must not
/// keep the key out for ever.
const PROBE_TIMEOUT: Duration = Duration::from_secs(60);

/// All keys that one balancer knows.
pub(crate) struct Pool {
    policy: Policy,
    timeline: Timeline,
    /// Whether changes are kept for a store. Without one nobody would ever collect them.
    journaled: bool,
    state: Mutex<State>,
}

struct State {
    schedule: Schedule,
    /// By slot; `None` is vacant.
    entries: Vec<Option<Entry>>,
    vacant: Vec<SlotId>,
    index: HashMap<Fingerprint, SlotId>,
    /// Numbers the checkouts, so that a verdict can be told to be older than a cooldown.
    serial: u64,
    disabled: usize,
    dirty: Vec<SlotId>,
    /// Last changes of keys that were removed.
    farewells: Vec<crate::store::Change>,
    /// What the store knows of keys that are not in the pool.
    strangers: HashMap<Fingerprint, Record>,
}

/// The part of a key's state that a running call holds on to.
pub(crate) struct Slot {
    pub(crate) id: SlotId,
    pub(crate) key: Key,
    /// A success changes nothing but the count: it needs no lock.
    serene: AtomicBool,
    dirty: AtomicBool,
    in_flight: AtomicU32,
    /// Successes that were counted without the lock and not yet collected.
    quiet_successes: AtomicI64,
}

struct Entry {
    slot: Arc<Slot>,
    config: KeyConfig,
    budget: Budget,
    health: Health,
    /// See [`SharedState::epoch`](crate::store::SharedState::epoch).
    epoch: u64,
    last_used: Option<Tick>,
    /// The last checkout before the present cooldown began: verdicts up to it are late.
    cooling_since: u64,
    /// The checkout that probes the half-open key.
    probe: Option<u64>,
    auto: Auto,
    /// On disk, by all processes.
    stored: Counters,
    /// Handed to the writer and not yet confirmed.
    writing: Counters,
    /// Not yet handed to the writer.
    pending: Counters,
}

/// Keys fetched in auto-success mode and not reported since.
#[derive(Default)]
struct Auto {
    open: u32,
    last_fetch: u64,
}

/// One successful checkout.
pub(crate) struct Checkout<T> {
    pub(crate) slots: T,
    pub(crate) serial: u64,
    /// The first change since the writer collected: it has to be woken.
    pub(crate) wake: bool,
}

/// What a verdict brought about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effect {
    /// See [`Checkout::wake`].
    pub(crate) wake: bool,
    /// A key was disabled: that has to be on disk before the call returns.
    pub(crate) disabled: bool,
}

/// Why no key could be checked out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shortage {
    pub(crate) total: usize,
    pub(crate) disabled: usize,
    pub(crate) parked: usize,
    pub(crate) busy: usize,
    pub(crate) next_due: Option<Duration>,
}

impl Pool {
    pub(crate) fn now(&self) -> Tick {
        self.timeline.now()
    }

    /// Checks out the key that is due, none of `excluded`.
    pub(crate) fn checkout(&self, excluded: &[SlotId]) -> Result<Checkout<Arc<Slot>>, Shortage> {
        let now = self.now();
        let mut state = self.state.lock();
        let state = &mut *state;
        let id = state.pop(now, excluded).ok_or_else(|| state.shortage(now))?;
        let serial = state.next_serial();
        let (slot, wake) = state.use_key(id, serial, now, &self.timeline, self.journaled);
        slot.in_flight.fetch_add(1, Ordering::Relaxed);
        state.settle_place(id, now);
        Ok(Checkout { slots: slot, serial, wake })
    }

    /// Checks out `count` distinct keys, none of `excluded`, or none at all.
    pub(crate) fn checkout_many(
        &self,
        count: usize,
        excluded: &[SlotId],
    ) -> Result<Checkout<Vec<Arc<Slot>>>, Shortage> {
        let now = self.now();
        let mut slots = Vec::new();
        let mut state = self.state.lock();
        let state = &mut *state;
        let popped = state.pop_many(count, now, excluded)?;
        let serial = state.next_serial();
        let mut wake = false;
        for id in popped {
            let (slot, first) = state.use_key(id, serial, now, &self.timeline, self.journaled);
            slot.in_flight.fetch_add(1, Ordering::Relaxed);
            state.settle_place(id, now);
            wake |= first;
            slots.push(slot);
        }
        Ok(Checkout { slots, serial, wake })
    }

    /// Auto-success mode: the key alone, with no lease to end. The fetch counts as a success; its
    /// effect on health waits for the next fetch, so that a report in between can contradict it.
    pub(crate) fn fetch(&self) -> Result<Checkout<Key>, Shortage> {
        let now = self.now();
        let mut state = self.state.lock();
        let state = &mut *state;
        let id = state.pop(now, &[]).ok_or_else(|| state.shortage(now))?;
        let serial = state.next_serial();
        let (slots, wake) = self.fetch_popped(state, id, serial, now);
        Ok(Checkout { slots, serial, wake })
    }

    /// As [`fetch`](Self::fetch), for `count` distinct keys.
    pub(crate) fn fetch_many(&self, count: usize) -> Result<Checkout<Vec<Key>>, Shortage> {
        let now = self.now();
        let mut state = self.state.lock();
        let state = &mut *state;
        let popped = state.pop_many(count, now, &[])?;
        let serial = state.next_serial();
        let mut wake = false;
        let fetched = popped.into_iter().map(|id| {
            let (key, first) = self.fetch_popped(state, id, serial, now);
            wake |= first;
            key
        });
        Ok(Checkout { slots: fetched.collect(), serial, wake })
    }

    fn fetch_popped(&self, state: &mut State, id: SlotId, serial: u64, now: Tick) -> (Key, bool) {
        let entry = state.entry_mut(id);
        if entry.auto.open > 0 && !entry.slot.serene.load(Ordering::Relaxed) {
            let time = self.timeline.time_of(now);
            entry.set_health(self.policy.next(&entry.health, &Verdict::Success, time), &self.policy);
            let weight = entry.health.effective;
            state.schedule.set_weight(id, weight);
        }
        let (slot, wake) = state.use_key(id, serial, now, &self.timeline, self.journaled);
        let entry = state.entry_mut(id);
        entry.auto = Auto { open: entry.auto.open.saturating_add(1), last_fetch: serial };
        entry.pending.successes += 1;
        state.settle_place(id, now);
        (slot.key.clone(), wake)
    }

    /// Ends a checkout. `lone` says whether it held this key alone.
    pub(crate) fn settle(&self, slot: &Arc<Slot>, serial: u64, verdict: &Verdict, lone: Lone) -> Effect {
        slot.in_flight.fetch_sub(1, Ordering::AcqRel);
        if slot.serene.load(Ordering::Acquire) {
            match verdict {
                Verdict::Success => {
                    slot.quiet_successes.fetch_add(1, Ordering::SeqCst);
                    return Effect { wake: self.mark_dirty(slot), disabled: false };
                }
                Verdict::Neutral => return Effect::default(),
                Verdict::Failure(_) => {}
            }
        }
        let now = self.now();
        let softened = soften(verdict, lone);
        let mut state = self.state.lock();
        let Some(id) = state.id_of(slot) else {
            return Effect::default();
        };
        let entry = state.entry_mut(id);
        let late = serial <= entry.cooling_since;
        if entry.probe == Some(serial) {
            entry.probe = None;
        }
        entry.count(&softened);
        self.apply(&mut state, id, &softened, late, now)
    }

    /// A verdict that was reported by hand, for a key that was fetched in auto-success mode.
    /// `None` when the key is not in the pool.
    pub(crate) fn report(&self, fingerprint: Fingerprint, verdict: &Verdict) -> Option<Effect> {
        let now = self.now();
        let mut state = self.state.lock();
        let id = *state.index.get(&fingerprint)?;
        let entry = state.entry_mut(id);
        let fetched = entry.auto.open > 0;
        let late = fetched && entry.auto.last_fetch <= entry.cooling_since;
        entry.probe = None;
        entry.auto.open = entry.auto.open.saturating_sub(1);
        if fetched {
            // The fetch was counted as a success.
            entry.pending.successes -= 1;
        } else {
            entry.pending.calls += 1;
        }
        entry.count(verdict);
        Some(self.apply(&mut state, id, verdict, late, now))
    }

    fn apply(&self, state: &mut State, id: SlotId, verdict: &Verdict, late: bool, now: Tick) -> Effect {
        let time = self.timeline.time_of(now);
        let serial = state.serial;
        let entry = state.entry_mut(id);
        let next = match verdict {
            Verdict::Failure(failure) if late => self.policy.next_late(&entry.health, failure, time),
            _ => self.policy.next(&entry.health, verdict, time),
        };
        if next.cooldown_until != entry.health.cooldown_until {
            entry.cooling_since = serial;
        }
        let disabled = next.disabled && !entry.health.disabled;
        entry.set_health(next, &self.policy);
        state.disabled += usize::from(disabled);
        state.place(id, now, &self.timeline);
        Effect { wake: self.journaled && state.mark_dirty(id), disabled }
    }

    /// Notes without the lock, unless it is the first change since the writer collected.
    fn mark_dirty(&self, slot: &Arc<Slot>) -> bool {
        if !self.journaled || slot.dirty.load(Ordering::SeqCst) {
            return false;
        }
        let mut state = self.state.lock();
        state.id_of(slot).is_some_and(|id| state.mark_dirty(id))
    }
}

/// Whether a lease held one key or several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lone {
    One,
    OneOfMany,
}

/// A call with several keys can't tell which of them was refused: none is disabled for one failure.
/// Each is treated as forbidden instead, so that a dead key is disabled after three such calls and
/// an innocent one is cleared by its next success elsewhere.
fn soften(verdict: &Verdict, lone: Lone) -> Verdict {
    use crate::outcome::Reason;
    match (verdict, lone) {
        (Verdict::Failure(failure), Lone::OneOfMany)
            if matches!(failure.reason(), Reason::InvalidKey | Reason::Billing) =>
        {
            let mut softened = Failure::new(Reason::Forbidden);
            if let Some(status) = failure.status_code() {
                softened = Failure::status(status).with_reason(Reason::Forbidden);
            }
            Verdict::Failure(softened)
        }
        _ => verdict.clone(),
    }
}

impl State {
    fn entry_mut(&mut self, id: SlotId) -> &mut Entry {
        self.entries[id as usize].as_mut().expect("the schedule and the index hold occupied slots only")
    }

    /// The id of a slot that is still in the pool; it may have been removed while a call held it.
    fn id_of(&self, slot: &Arc<Slot>) -> Option<SlotId> {
        let entry = self.entries.get(slot.id as usize)?.as_ref()?;
        Arc::ptr_eq(&entry.slot, slot).then_some(slot.id)
    }

    fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// The key that is due, none of `excluded`; those keep their place.
    fn pop(&mut self, now: Tick, excluded: &[SlotId]) -> Option<SlotId> {
        let id = self.schedule.pop(now)?;
        if !excluded.contains(&id) {
            return Some(id);
        }
        let next = self.pop(now, excluded);
        self.schedule.put_back(id);
        next
    }

    /// The `count` keys that are due, or none at all.
    fn pop_many(&mut self, count: usize, now: Tick, excluded: &[SlotId]) -> Result<Vec<SlotId>, Shortage> {
        let mut popped = Vec::with_capacity(count.min(self.index.len()));
        while popped.len() < count {
            // A popped key is in no list, so the next pop finds another one.
            let Some(id) = self.pop(now, excluded) else {
                // In reverse, so that each finds its old neighbours.
                popped.iter().rev().for_each(|&id| self.schedule.put_back(id));
                return Err(self.shortage(now));
            };
            popped.push(id);
        }
        Ok(popped)
    }

    /// Books one use of a popped key.
    fn use_key(
        &mut self,
        id: SlotId,
        serial: u64,
        now: Tick,
        timeline: &Timeline,
        journaled: bool,
    ) -> (Arc<Slot>, bool) {
        let entry = self.entry_mut(id);
        entry.last_used = Some(now);
        entry.pending.calls += 1;
        if entry.health.streaks.circuit > 0 && entry.health.is_half_open(timeline.time_of(now)) {
            entry.probe = Some(serial);
        }
        entry.budget.take(now, || timeline.tick_of(next_midnight(timeline.time_of(now))));
        let slot = Arc::clone(&entry.slot);
        let wake = journaled && self.mark_dirty(id);
        (slot, wake)
    }

    /// Puts a key that was popped and used where it belongs now.
    fn settle_place(&mut self, id: SlotId, now: Tick) {
        let entry = self.entry_mut(id);
        let busy = entry.is_busy();
        let ready = if entry.probe.is_some() { now.plus(PROBE_TIMEOUT) } else { entry.budget.ready_at(now) };
        if !busy && ready <= now {
            self.schedule.requeue(id);
            return;
        }
        self.schedule.mark_used(id);
        if busy { self.schedule.hold(id) } else { self.schedule.park(id, ready) }
    }

    /// Puts a key where its changed state wants it.
    fn place(&mut self, id: SlotId, now: Tick, timeline: &Timeline) {
        let entry = self.entry_mut(id);
        let weight = entry.health.effective;
        let cooldown = entry.health.cooldown_until.map_or(Tick::ZERO, |until| timeline.tick_of(until));
        let probe = if entry.probe.is_some() { now.plus(PROBE_TIMEOUT) } else { Tick::ZERO };
        let ready = cooldown.max(probe).max(entry.budget.ready_at(now));
        let out = entry.health.disabled || entry.is_busy();
        self.schedule.set_weight(id, weight);
        if out {
            self.schedule.hold(id);
        } else if ready > now {
            self.schedule.park(id, ready);
        } else {
            self.schedule.put_back(id);
        }
    }

    fn mark_dirty(&mut self, id: SlotId) -> bool {
        let first = self.dirty.is_empty();
        let slot = &self.entry_mut(id).slot;
        if slot.dirty.swap(true, Ordering::SeqCst) {
            return false;
        }
        self.dirty.push(id);
        first
    }

    fn shortage(&self, now: Tick) -> Shortage {
        let total = self.index.len();
        let parked = self.schedule.parked_len();
        Shortage {
            total,
            disabled: self.disabled,
            parked,
            busy: total.saturating_sub(self.disabled + parked + self.schedule.queued_len()),
            next_due: self.schedule.next_due().map(|due| due.since(now)),
        }
    }
}

impl Entry {
    fn set_health(&mut self, health: Health, policy: &Policy) {
        if health.streaks.circuit == 0 {
            self.probe = None;
        }
        self.health = health;
        self.refresh_serene(policy);
    }

    fn refresh_serene(&self, policy: &Policy) {
        // The instant matters only to a circuit, and one with a circuit is never serene.
        let unmoved = self.health.streaks == Streaks::default()
            && policy.next(&self.health, &Verdict::Success, std::time::SystemTime::UNIX_EPOCH) == self.health;
        let serene = unmoved && !self.health.disabled && self.concurrency().is_none() && self.probe.is_none();
        self.slot.serene.store(serene, Ordering::Release);
    }

    fn concurrency(&self) -> Option<u32> {
        self.config.limits.concurrency.map(std::num::NonZero::get)
    }

    /// Whether the key serves as many calls as it may.
    fn is_busy(&self) -> bool {
        self.concurrency().is_some_and(|limit| self.slot.in_flight.load(Ordering::Acquire) >= limit)
    }

    fn count(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Success => self.pending.successes += 1,
            Verdict::Neutral => {}
            Verdict::Failure(failure) => {
                self.pending.failures += 1;
                self.pending.throttled += i64::from(failure.status_code() == Some(429));
            }
        }
    }
}
