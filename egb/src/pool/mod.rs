//! The keys of one balancer with their health, and which of them may be used: checkout and settle,
//! each one short critical section. Knows nothing of SQL, HTTP or the registry.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;

use self::entry::Auto;
pub(crate) use self::entry::Slot;
use self::state::State;
use crate::clock::{Tick, Timeline};
use crate::key::{Fingerprint, Key};
use crate::outcome::{Failure, Verdict};
use crate::policy::Policy;
use crate::schedule::SlotId;

mod admin;
mod entry;
mod journal;
mod state;
#[cfg(test)]
mod tests;

pub use admin::Reloaded;

/// All keys that one balancer knows.
pub(crate) struct Pool {
    policy: Policy,
    timeline: Timeline,
    /// Whether changes are kept for a store. Without one nobody would ever collect them.
    journaled: bool,
    state: Mutex<State>,
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
        let (mut popped, mut slots) = (room_for(count), room_for(count));
        let mut state = self.state.lock();
        let state = &mut *state;
        state.pop_many(count, now, excluded, &mut popped)?;
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
        let (mut popped, mut keys) = (room_for(count), room_for(count));
        let mut state = self.state.lock();
        let state = &mut *state;
        state.pop_many(count, now, &[], &mut popped)?;
        let serial = state.next_serial();
        let mut wake = false;
        for id in popped {
            let (key, first) = self.fetch_popped(state, id, serial, now);
            wake |= first;
            keys.push(key);
        }
        Ok(Checkout { slots: keys, serial, wake })
    }

    fn fetch_popped(&self, state: &mut State, id: SlotId, serial: u64, now: Tick) -> (Key, bool) {
        let entry = state.entry_mut(id);
        // A fetch from before the cooldown began says nothing of the key since.
        let implied = entry.auto.unjudged && entry.auto.last_fetch > entry.cooling_since;
        if implied && !entry.slot.serene.load(Ordering::SeqCst) {
            let time = self.timeline.time_of(now);
            entry.set_health(self.policy.next(&entry.health, &Verdict::Success, time), &self.policy);
            let weight = entry.health.effective;
            state.schedule.set_weight(id, weight);
        }
        let (slot, wake) = state.use_key(id, serial, now, &self.timeline, self.journaled);
        let entry = state.entry_mut(id);
        entry.auto = Auto { open: entry.auto.open.saturating_add(1), unjudged: true, last_fetch: serial };
        entry.pending.successes += 1;
        state.settle_place(id, now);
        (slot.key.clone(), wake)
    }

    /// Ends a checkout. `lone` says whether it held this key alone.
    pub(crate) fn settle(&self, slot: &Arc<Slot>, serial: u64, verdict: &Verdict, lone: Lone) -> Effect {
        slot.in_flight.fetch_sub(1, Ordering::SeqCst);
        if slot.serene.load(Ordering::SeqCst) {
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
        entry.auto.unjudged = false;
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

/// Allocated before the lock is taken; an absurd `count` is refused under it.
fn room_for<T>(count: usize) -> Vec<T> {
    Vec::with_capacity(count.min(256))
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
