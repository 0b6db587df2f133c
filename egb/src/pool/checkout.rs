//! Checkouts: one short critical section each, for one key or several, at once or in the order of those who wait; and
//! the fetches of auto-success mode.
#![expect(
    clippy::inline_always,
    reason = "the steps of a checkout are one function to the processor: a third less to do"
)]

use std::task::Waker;
use std::time::Duration;

use super::Pool;
use super::held::{Held, Several};
use super::lanes::{NO_SCOPE, ScopeId, Ticket};
use super::last_use::LastUse;
use super::slot::SharedSlot;
use super::state::State;
use crate::clock::{Tick, Timeline};
use crate::key::Key;
use crate::outcome::Verdict;
use crate::schedule::SlotId;

/// What a caller asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// How many distinct keys.
    pub(crate) count: usize,
    pub(crate) scope: ScopeId,
    /// The hash of a session that sticks to one key.
    pub(crate) session: Option<u64>,
    /// Keys that the same call has tried.
    pub(crate) excluded: &'a [SlotId],
    /// Another attempt of a call that was counted.
    pub(crate) is_retry: bool,
}

impl Wanted<'_> {
    /// `count` keys, and nothing else.
    pub(crate) fn plain(count: usize) -> Self {
        Self { count, scope: NO_SCOPE, session: None, excluded: &[], is_retry: false }
    }

    /// Whether it is one key, and nothing but a scope is said beside.
    #[inline]
    fn is_plain(&self) -> bool {
        self.count == 1 && self.session.is_none() && self.excluded.is_empty() && !self.is_retry
    }
}

/// One successful checkout.
#[derive(Debug)]
pub(crate) struct CheckedOut<T> {
    pub(crate) keys: T,
    pub(crate) serial: u64,
    /// The first change since the writer collected: it has to be woken.
    pub(crate) wake: bool,
}

/// Why no key could be checked out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shortage {
    pub(crate) wanted: usize,
    pub(crate) total: usize,
    pub(crate) disabled: usize,
    pub(crate) parked: usize,
    pub(crate) busy: usize,
    /// Keys that are not disabled and that the call has not tried.
    pub(crate) untried: usize,
    /// Keys that it takes beside those that are free.
    pub(crate) missing: usize,
    /// When there may be enough of them.
    pub(crate) next_due: Option<Duration>,
}

impl Shortage {
    /// Whether time alone can end it.
    pub(crate) fn may_end(&self) -> bool {
        self.wanted <= self.untried
    }

    /// Whether it is known that it lasts for longer than this.
    pub(crate) fn outlasts(&self, time: Duration) -> bool {
        self.missing > 0 && self.busy == 0 && self.next_due.is_some_and(|due| due > time)
    }
}

/// The place of one who has to wait.
pub(crate) struct Queued {
    pub(crate) ticket: Ticket,
    /// When it has to look again, as the next key comes back then; `None` when it will be woken.
    pub(crate) due: Option<Tick>,
    pub(crate) shortage: Shortage,
}

impl Pool {
    /// Checks out the keys that are due, distinct and none of those excluded; all that are wanted or none.
    pub(crate) fn checkout(&self, wanted: &Wanted<'_>) -> Result<CheckedOut<Held>, Shortage> {
        if wanted.count == 1 {
            return self.checkout_one(wanted);
        }
        let now = self.now();
        let (mut popped, mut slots) = (room_for(wanted.count), room_for(wanted.count));
        let taken = self.locked(|state| {
            if state.lane(wanted.scope).is_spoken_for() {
                return Err(state.shortage(wanted, now));
            }
            self.take(state, wanted, now, &mut popped, &mut slots).ok_or_else(|| state.shortage(wanted, now))
        });
        taken.map(|taken| taken.checked_out(slots))
    }

    /// As [`checkout`](Self::checkout) of one key.
    #[inline]
    pub(crate) fn checkout_one(&self, wanted: &Wanted<'_>) -> Result<CheckedOut<Held>, Shortage> {
        if wanted.is_plain()
            && let Some(taken) = self.checkout_at_hand(wanted.scope)
        {
            return Ok(taken);
        }
        self.checkout_due(wanted)
    }

    /// As [`checkout_one`](Self::checkout_one), of a call that nearly every call is. `None` when more has to be looked at.
    #[inline(never)]
    fn checkout_at_hand(&self, scope: ScopeId) -> Option<CheckedOut<Held>> {
        let lately = self.timeline.lately();
        let free = if self.parts.are_out() { None } else { self.state.try_lock() };
        let state = match free.map_or_else(|| self.lock_or_part(scope, lately), Ok) {
            Ok(state) => state,
            Err(taken) => return Some(taken),
        };
        self.work(state, |state| state.take_at_hand(scope, lately, self.home.journaled, &self.timeline))
    }

    #[inline(never)]
    fn checkout_due(&self, wanted: &Wanted<'_>) -> Result<CheckedOut<Held>, Shortage> {
        let now = self.now();
        self.locked(|state| {
            let is_spoken_for = state.lane(wanted.scope).is_spoken_for();
            let taken = if is_spoken_for { None } else { self.take_one(state, wanted, now) };
            taken.ok_or_else(|| state.shortage(wanted, now))
        })
    }

    /// Pops and books.
    fn take_one(&self, state: &mut State, wanted: &Wanted<'_>, now: Tick) -> Option<CheckedOut<Held>> {
        let id = state.pop_one(wanted, now, &self.timeline)?;
        let serial = state.next_serial();
        let (slot, wake) = self.begin(state, id, serial, wanted, true, now);
        Some(CheckedOut { keys: Held::one(slot), serial, wake })
    }

    /// As [`checkout`](Self::checkout), in the order in which callers came. One who has to wait is
    /// woken when it is worth another look, and keeps its place until it leaves with
    /// [`leave_queue`](Self::leave_queue).
    pub(crate) fn checkout_in_line(
        &self,
        wanted: &Wanted<'_>,
        ticket: Option<Ticket>,
        waker: &Waker,
    ) -> Result<CheckedOut<Held>, Queued> {
        let now = self.now();
        let (mut popped, mut slots) = (room_for(wanted.count), room_for(wanted.count));
        let taken = self.locked(|state| {
            let is_turn = state.lane(wanted.scope).is_turn(!wanted.excluded.is_empty(), ticket, now);
            if is_turn && let Some(taken) = self.take(state, wanted, now, &mut popped, &mut slots) {
                if let Some(ticket) = ticket {
                    let State { lanes, woken, .. } = state;
                    lanes[wanted.scope as usize].leave(ticket, woken);
                }
                return Ok(taken);
            }
            let shortage = state.shortage(wanted, now);
            let State { lanes, woken, .. } = state;
            let lane = &mut lanes[wanted.scope as usize];
            let ticket = lane.queue.join(ticket, wanted, waker);
            lane.looked(ticket, woken);
            let due = if lane.queue.is_first(ticket) { lane.schedule.next_due() } else { None };
            Err(Queued { ticket, due, shortage })
        });
        taken.map(|taken| taken.checked_out(slots))
    }

    /// Gives up a place in the queue.
    pub(crate) fn leave_queue(&self, scope: ScopeId, ticket: Ticket) {
        self.locked(|state| {
            let State { lanes, woken, .. } = state;
            lanes[scope as usize].leave(ticket, woken);
        });
    }

    /// Pops and books. Several keys go to `slots`, in which room was made before the lock was taken.
    fn take(
        &self,
        state: &mut State,
        wanted: &Wanted<'_>,
        now: Tick,
        popped: &mut Several<SlotId>,
        slots: &mut Several<SharedSlot>,
    ) -> Option<Taken> {
        if wanted.count == 1 {
            let CheckedOut { keys, serial, wake } = self.take_one(state, wanted, now)?;
            return Some(Taken { one: Some(keys), serial, wake });
        }
        if !state.pop_many(wanted, now, popped) {
            return None;
        }
        let serial = state.next_serial();
        let mut wake = false;
        for (position, id) in popped.drain(..).enumerate() {
            let (slot, first) = self.begin(state, id, serial, wanted, position == 0, now);
            wake |= first;
            slots.push(slot);
        }
        Some(Taken { one: None, serial, wake })
    }

    fn begin(
        &self,
        state: &mut State,
        id: SlotId,
        serial: u64,
        wanted: &Wanted<'_>,
        is_first: bool,
        now: Tick,
    ) -> (SharedSlot, bool) {
        let ready = state.use_key(id, wanted.scope, serial, now, &self.timeline);
        state.entry_mut(id).begin(wanted.scope, is_first && !wanted.is_retry);
        let wake = self.home.journaled && state.mark_dirty(id);
        state.settle_place(id, wanted.scope, ready, now, &self.timeline);
        (SharedSlot::clone(&state.entry(id).slot), wake)
    }

    /// Auto-success mode: the key alone, with no lease to end. The fetch counts as a success; its
    /// effect on health waits for the next fetch, so that a report in between can contradict it.
    pub(crate) fn fetch(&self) -> Result<CheckedOut<Key>, Shortage> {
        let lately = self.timeline.lately();
        let fetched = self.locked(|state| {
            let now = lately.max(state.latest);
            let id = state.lane(NO_SCOPE).at_hand(now).filter(|&id| state.entry(id).is_at_rest())?;
            let serial = state.next_serial();
            state.lane_mut(NO_SCOPE).schedule.pop(now);
            let (keys, wake) = self.fetch_popped(state, id, serial, true, now);
            Some(CheckedOut { keys, serial, wake })
        });
        fetched.map_or_else(|| self.fetch_due(), Ok)
    }

    #[inline(never)]
    fn fetch_due(&self) -> Result<CheckedOut<Key>, Shortage> {
        let now = self.now();
        let wanted = Wanted::plain(1);
        self.locked(|state| {
            let is_spoken_for = state.lane(NO_SCOPE).is_spoken_for();
            let popped = if is_spoken_for { None } else { state.pop_one(&wanted, now, &self.timeline) };
            let id = popped.ok_or_else(|| state.shortage(&wanted, now))?;
            let serial = state.next_serial();
            let (keys, wake) = self.fetch_popped(state, id, serial, true, now);
            Ok(CheckedOut { keys, serial, wake })
        })
    }

    /// As [`fetch`](Self::fetch), for `count` distinct keys.
    pub(crate) fn fetch_many(&self, count: usize) -> Result<CheckedOut<Vec<Key>>, Shortage> {
        let now = self.now();
        let wanted = Wanted::plain(count);
        let (mut popped, mut keys) = (room_for(count), room_for(count));
        let fetched = self.locked(|state| {
            if state.lane(NO_SCOPE).is_spoken_for() || !state.pop_many(&wanted, now, &mut popped) {
                return Err(state.shortage(&wanted, now));
            }
            let serial = state.next_serial();
            let mut wake = false;
            for (position, id) in popped.drain(..).enumerate() {
                let (key, first) = self.fetch_popped(state, id, serial, position == 0, now);
                wake |= first;
                keys.push(key);
            }
            Ok((serial, wake))
        });
        fetched.map(|(serial, wake)| CheckedOut { keys: keys.into_vec(), serial, wake })
    }

    fn fetch_popped(&self, state: &mut State, id: SlotId, serial: u64, is_first: bool, now: Tick) -> (Key, bool) {
        let entry = state.entry_mut(id);
        let cooling_since = entry.main().rest.cooling_since;
        if let Some(implied) = entry.notes_mut().and_then(|notes| notes.auto.implied(cooling_since, now))
            && !entry.slot.is_serene()
        {
            let (time, before) = (self.timeline.time_of(now), entry.main().health.clone());
            entry.judge(&self.policy, NO_SCOPE, &Verdict::Success, (implied, serial), time);
            state.tell_health(id, NO_SCOPE, &before, None, time);
            state.place(id, now, &self.timeline);
        }
        let ready = state.use_key(id, NO_SCOPE, serial, now, &self.timeline);
        let entry = state.entry_mut(id);
        entry.count_fetch(is_first);
        entry.history.notes.auto.fetched(serial, now);
        entry.history.notes.pending.successes += 1;
        let wake = self.home.journaled && state.mark_dirty(id);
        state.settle_place(id, NO_SCOPE, ready, now, &self.timeline);
        (state.entry(id).slot.key.clone(), wake)
    }
}

impl State {
    /// Pops and books, by a reading of the clock that may be late.
    #[inline(always)]
    pub(super) fn take_at_hand(
        &mut self,
        scope: ScopeId,
        lately: Tick,
        journaled: bool,
        timeline: &Timeline,
    ) -> Option<CheckedOut<Held>> {
        let Self { serial, latest, lanes, entries, quotas, dirty, .. } = self;
        let now = lately.max(*latest);
        let lane = &mut lanes[scope as usize];
        let id = lane.at_hand(now)?;
        let entry = entries[id as usize].as_mut().filter(|entry| entry.is_at_rest())?;
        *serial += 1;
        let serial = *serial;
        entry.last_use = LastUse::here(now);
        entry.begin(scope, true);
        let ready = if entry.traits.is_counted() {
            let allowance = || quotas.allowance(entry.terms.limits);
            entry.budget.take(allowance, scope, serial, now, || timeline.next_midnight(now))
        } else {
            Tick::ZERO
        };
        let slot = SharedSlot::clone(&entry.slot);
        let mut wake = false;
        if journaled && !slot.is_dirty() {
            wake = dirty.is_empty();
            slot.set_dirty();
            dirty.push(id);
        }
        if ready <= now {
            // A serene key has no probe, and no limit on running calls.
            lane.schedule.rotate(id);
        } else {
            lane.schedule.mark_used(id);
            self.place(id, now, timeline);
        }
        Some(CheckedOut { keys: Held::one(slot), serial, wake })
    }
}

/// What was popped and booked under the lock.
struct Taken {
    /// `None` for several keys, which are with the caller.
    one: Option<Held>,
    serial: u64,
    wake: bool,
}

impl Taken {
    fn checked_out(self, several: Several<SharedSlot>) -> CheckedOut<Held> {
        let keys = self.one.unwrap_or_else(|| Held::many(several));
        CheckedOut { keys, serial: self.serial, wake: self.wake }
    }
}

/// Made before the lock is taken; an absurd `count` is refused under it.
fn room_for<T>(count: usize) -> Several<T> {
    Several::with_capacity(count.min(256))
}
