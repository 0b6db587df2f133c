//! The keys of one balancer with their health, and which of them may be used: checkout and settle,
//! each one short critical section. Knows nothing of SQL, HTTP or the registry.
#![expect(
    clippy::inline_always,
    reason = "the steps of a checkout are one function to the processor: a third less to do"
)]

use crate::sync::atomic::{AtomicBool, Ordering};
use std::collections::HashMap;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use crate::sync::{Apart, Mutex, MutexGuard, RwLock};

use self::condition::is_of_the_key;
pub(crate) use self::held::{Held, Tried};
pub(crate) use self::lanes::{NO_SCOPE, ScopeId, Ticket};
use self::quota::Lesson;
pub(crate) use self::slot::Slot;
use self::slot::{Afterwards, Ended, Quiet};
use self::state::State;
use self::weather::Kind;
use crate::clock::{Sleep, Tick, Timeline};
use crate::events::{Bus, Events};
use crate::key::{Fingerprint, Key};
use crate::limits::Budget;
use crate::outcome::{Failure, Reason, Verdict};
use crate::policy::Policy;
use crate::schedule::SlotId;

mod added;
mod admin;
#[cfg(feature = "cli")]
mod alone;
mod condition;
mod entry;
mod held;
mod journal;
mod lanes;
mod quota;
mod sessions;
mod slot;
mod state;
#[cfg(test)]
mod tests;
mod weather;

pub(crate) use added::Origin;
pub use admin::Reloaded;
pub(crate) use admin::Settings;
#[cfg(feature = "cli")]
pub(crate) use alone::Alone;
#[cfg(feature = "cli")]
pub(crate) use sessions::capacity as session_capacity;

/// All keys that one balancer knows.
pub(crate) struct Pool {
    policy: Policy,
    timeline: Timeline,
    /// Whether changes are kept for a store. Without one nobody would ever collect them.
    journaled: bool,
    /// Whether what is used of limits is not kept for the store.
    is_bystander: bool,
    seed: u64,
    /// The lanes of `state` by name, beside it so that no string is hashed under its lock. Who needs both
    /// locks takes that of `state` first.
    scopes: RwLock<HashMap<Arc<str>, ScopeId>>,
    has_too_many_scopes: AtomicBool,
    /// Whether a success has to be told to a lane in which calls fail.
    is_failing: AtomicBool,
    bus: Bus,
    state: Apart<Mutex<State>>,
}

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
}

/// One successful checkout.
#[derive(Debug)]
pub(crate) struct CheckedOut<T> {
    pub(crate) keys: T,
    pub(crate) serial: u64,
    /// The first change since the writer collected: it has to be woken.
    pub(crate) wake: bool,
}

/// What a verdict brought about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effect {
    /// See [`CheckedOut::wake`].
    pub(crate) wake: bool,
    /// A key was disabled: that has to be on disk before the call returns.
    pub(crate) disabled: bool,
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

/// So many scopes have a lane; a scope is a model or an endpoint, not a user.
pub(crate) const MAX_SCOPES: usize = 256;

impl Pool {
    pub(crate) fn now(&self) -> Tick {
        self.timeline.now()
    }

    /// A future that is ready at `tick`.
    pub(crate) fn sleep_until(&self, tick: Tick) -> Sleep {
        self.timeline.sleep_until(tick)
    }

    /// A number in [0, 1), for jitter.
    pub(crate) fn random_fraction(&self) -> f64 {
        self.locked(|state| state.lane_mut(NO_SCOPE).schedule.random_fraction())
    }

    /// Works on the state, and tells and wakes whom that concerns once the lock is free again.
    #[inline]
    fn locked<R>(&self, work: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.state.0.lock();
        let result = work(&mut state);
        if state.woken.is_empty() && state.events.is_empty() {
            return result;
        }
        self.tell(state);
        result
    }

    #[cold]
    fn tell(&self, mut state: MutexGuard<'_, State>) {
        let (woken, events) = (std::mem::take(&mut state.woken), std::mem::take(&mut state.events));
        #[cfg(feature = "metrics")]
        let gauges = (!events.is_empty()).then(|| state.gauges());
        drop(state);
        woken.into_iter().for_each(Waker::wake);
        #[cfg(feature = "metrics")]
        if let Some(gauges) = gauges {
            gauges.set();
        }
        events.into_iter().for_each(|event| self.bus.send(event));
    }

    pub(crate) fn subscribe(&self) -> Events {
        self.bus.subscribe()
    }

    /// The lane of a scope, made at its first use.
    pub(crate) fn scope(&self, name: &str) -> ScopeId {
        if name.is_empty() {
            return NO_SCOPE;
        }
        if let Some(&scope) = self.scopes.read().get(name) {
            return scope;
        }
        self.locked(|state| self.add_scope(state, name)).unwrap_or(NO_SCOPE)
    }

    /// As [`scope`](Self::scope), under the lock. `None` when there are too many.
    fn add_scope(&self, state: &mut State, name: &str) -> Option<ScopeId> {
        if let Some(&scope) = self.scopes.read().get(name) {
            return Some(scope);
        }
        if state.lanes.len() > MAX_SCOPES {
            if !self.has_too_many_scopes.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    target: "egb",
                    "more than {MAX_SCOPES} scopes: calls with further ones are taken for calls without a scope; \
                     a scope is a model or an endpoint, for users and sessions there is `affinity`"
                );
            }
            return None;
        }
        let name: Arc<str> = name.into();
        let seed = self.seed.wrapping_add(state.lanes.len() as u64);
        let scope = state.add_lane(Arc::clone(&name), seed, self.now(), &self.timeline);
        self.scopes.write().insert(name, scope);
        Some(scope)
    }

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

    #[inline]
    pub(crate) fn checkout_one(&self, wanted: &Wanted<'_>) -> Result<CheckedOut<Held>, Shortage> {
        let now = self.now();
        self.locked(|state| {
            let is_spoken_for = state.lane(wanted.scope).is_spoken_for();
            let taken = if is_spoken_for { None } else { self.take_one(state, wanted, now) };
            taken.ok_or_else(|| state.shortage(wanted, now))
        })
    }

    /// Pops and books.
    #[inline(always)]
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

    /// Pops and books. Several keys go to `slots`, which is allocated before the lock is taken.
    fn take(
        &self,
        state: &mut State,
        wanted: &Wanted<'_>,
        now: Tick,
        popped: &mut Vec<SlotId>,
        slots: &mut Vec<Arc<Slot>>,
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

    #[inline(always)]
    fn begin(
        &self,
        state: &mut State,
        id: SlotId,
        serial: u64,
        wanted: &Wanted<'_>,
        is_first: bool,
        now: Tick,
    ) -> (Arc<Slot>, bool) {
        state.look_ahead(wanted.scope);
        state.use_key(id, wanted.scope, serial, now, &self.timeline);
        let entry = state.entry_mut(id);
        entry.pending.begun += i64::from(is_first && !wanted.is_retry);
        entry.slot.begin(wanted.scope);
        let wake = self.journaled && state.mark_dirty(id);
        state.settle_place(id, wanted.scope, now, &self.timeline);
        (Arc::clone(&state.entry(id).slot), wake)
    }

    /// Auto-success mode: the key alone, with no lease to end. The fetch counts as a success; its
    /// effect on health waits for the next fetch, so that a report in between can contradict it.
    pub(crate) fn fetch(&self) -> Result<CheckedOut<Key>, Shortage> {
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
        self.locked(|state| {
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
            Ok(CheckedOut { keys, serial, wake })
        })
    }

    /// Books the successes that were counted without the lock. A store collects them all the time; without one nobody does.
    fn collect(&self, slot: &Arc<Slot>) -> bool {
        self.locked(|state| {
            let Some(id) = state.id_of(slot) else { return false };
            state.entry_mut(id).pending.successes += slot.take_successes();
            self.journaled && state.mark_dirty(id)
        })
    }

    fn fetch_popped(&self, state: &mut State, id: SlotId, serial: u64, is_first: bool, now: Tick) -> (Key, bool) {
        let entry = state.entry_mut(id);
        let cooling_since = entry.main.cooling_since;
        if let Some(implied) = entry.auto.as_mut().and_then(|auto| auto.implied(cooling_since, now))
            && !entry.slot.is_serene()
        {
            let (time, before) = (self.timeline.time_of(now), entry.main.health.clone());
            entry.judge(&self.policy, NO_SCOPE, &Verdict::Success, (implied, serial), time);
            state.tell_health(id, NO_SCOPE, &before, None, time);
            state.place(id, now, &self.timeline);
        }
        state.use_key(id, NO_SCOPE, serial, now, &self.timeline);
        let entry = state.entry_mut(id);
        entry.auto.get_or_insert_default().fetched(serial, now);
        entry.pending.successes += 1;
        entry.pending.begun += i64::from(is_first);
        let wake = self.journaled && state.mark_dirty(id);
        state.settle_place(id, NO_SCOPE, now, &self.timeline);
        (state.entry(id).slot.key.clone(), wake)
    }

    /// Ends a checkout. `lone` says whether it held this key alone.
    #[inline]
    pub(crate) fn settle(
        &self,
        slot: &Arc<Slot>,
        serial: u64,
        scope: ScopeId,
        verdict: &Verdict,
        lone: Lone,
    ) -> Effect {
        let quiet = match verdict {
            Verdict::Success if !self.is_failing.load(Ordering::SeqCst) => Some(Quiet::Success),
            Verdict::Neutral => Some(Quiet::Neutral),
            Verdict::Success | Verdict::Failure(_) => None,
        };
        match slot.end(scope, quiet) {
            Ended::Quietly(Afterwards::MarkDirty) if self.journaled => {
                Effect { wake: self.mark_dirty(slot), disabled: false }
            }
            Ended::Quietly(Afterwards::Collect) => Effect { wake: self.collect(slot), disabled: false },
            Ended::Quietly(_) => Effect::default(),
            Ended::Loudly => self.settle_loudly(slot, serial, scope, verdict, lone),
        }
    }

    /// As [`settle`](Self::settle), of a call whose verdict may change more than a count.
    #[inline(never)]
    fn settle_loudly(&self, slot: &Arc<Slot>, serial: u64, scope: ScopeId, verdict: &Verdict, lone: Lone) -> Effect {
        let now = self.now();
        let softened = soften(verdict, lone);
        self.locked(|state| {
            slot.end_one();
            if let Some(group) = slot.gauge.as_ref().and_then(|gauge| gauge.group)
                && slot.has_departed()
            {
                state.place_group(group, now, &self.timeline);
            }
            let Some(id) = state.id_of(slot).or_else(|| state.heir_of(slot)) else {
                return Effect::default();
            };
            let entry = state.entry_mut(id);
            entry.main.end(serial);
            if let Some(scoped) = entry.within_mut(scope) {
                scoped.condition.end(serial);
            }
            entry.count(&softened);
            if lone == Lone::One {
                self.learn(state, id, scope, serial, &softened, now);
            }
            let effect = self.judge(state, id, scope, &softened, serial, now);
            if state.entry(id).watched {
                state.place_sharing(id, now, &self.timeline);
                // What it is watched for may be over.
                state.watch(&[id], now);
                state.entry(id).refresh_serene(&self.policy);
            }
            effect
        })
    }

    /// What the end of a call says of limits that are learned.
    fn learn(&self, state: &mut State, id: SlotId, scope: ScopeId, serial: u64, verdict: &Verdict, now: Tick) {
        if !state.quotas.learn {
            return;
        }
        let lesson = match verdict {
            Verdict::Failure(failure) if failure.reason() == Reason::RateLimited => {
                Lesson::Refused { retry_after: failure.retry_after() }
            }
            Verdict::Success => Lesson::Succeeded,
            Verdict::Failure(_) | Verdict::Neutral => Lesson::Other,
        };
        if state.learn(id, scope, serial, lesson, now) {
            let members = state.sharing(id);
            state.watch(&members, now);
            for member in members {
                state.entry(member).refresh_serene(&self.policy);
                state.place(member, now, &self.timeline);
            }
        }
    }

    /// A call says how many tokens it spent of one key. Returns whether the writer has to be woken.
    pub(crate) fn spent(&self, slot: &Slot, serial: u64, scope: ScopeId, tokens: u64) -> bool {
        self.book_tokens(slot.key.fingerprint(), |budget, _| budget.spent(scope, serial, tokens))
    }

    /// As [`spent`](Self::spent), of the key's last call that has not said so.
    pub(crate) fn spent_last(&self, fingerprint: Fingerprint, tokens: u64) -> bool {
        let now = self.now();
        self.book_tokens(fingerprint, |budget, latest| budget.spent_last(latest, tokens, now))
    }

    /// By the key's name: one that was put back has the budget that it left with.
    fn book_tokens(&self, fingerprint: Fingerprint, book: impl FnOnce(&mut Budget, u64)) -> bool {
        let now = self.now();
        self.locked(|state| {
            let Some(id) = state.index.get(&fingerprint).copied() else { return false };
            let latest = state.serial;
            state.with_budget(id, |budget, _| book(budget, latest));
            state.place_sharing(id, now, &self.timeline);
            self.journaled && state.mark_dirty(id)
        })
    }

    /// A verdict that was reported by hand, for a key that was fetched in auto-success mode.
    /// `None` when the key is not in the pool.
    pub(crate) fn report(&self, fingerprint: Fingerprint, verdict: &Verdict) -> Option<Effect> {
        let now = self.now();
        self.locked(|state| {
            let id = *state.index.get(&fingerprint)?;
            let entry = state.entry_mut(id);
            let fetch = entry.auto.as_mut().filter(|auto| auto.open > 0).map(|auto| {
                auto.open -= 1;
                auto.last_fetch
            });
            // Without a fetch it is news of now, and never late.
            let serial = fetch.unwrap_or(u64::MAX);
            entry.main.probe = None;
            entry.forget_fetches();
            if fetch.is_some() {
                // The fetch was counted as a success.
                entry.pending.successes -= 1;
            } else {
                entry.pending.calls += 1;
                entry.pending.begun += 1;
            }
            entry.count(verdict);
            self.learn(state, id, NO_SCOPE, serial, verdict, now);
            Some(self.apply(state, id, NO_SCOPE, verdict, serial, now))
        })
    }

    /// As [`apply`](Self::apply), of a call that reports its successes too: what many keys meet at once is held
    /// against none of them.
    fn judge(
        &self,
        state: &mut State,
        id: SlotId,
        scope: ScopeId,
        verdict: &Verdict,
        serial: u64,
        now: Tick,
    ) -> Effect {
        let (failure, kind) = match verdict {
            Verdict::Failure(failure) if let Some(kind) = Kind::of(failure) => (failure, kind),
            Verdict::Success => {
                state.lane_mut(scope).weather.clear();
                self.is_failing.store(!state.lanes.iter().all(|lane| lane.weather.is_clear(now)), Ordering::SeqCst);
                return self.apply(state, id, scope, verdict, serial, now);
            }
            _ => return self.apply(state, id, scope, verdict, serial, now),
        };
        self.is_failing.store(true, Ordering::SeqCst);
        if state.lane_mut(scope).weather.excuses(kind, now) {
            state.entry_mut(id).note(failure, self.timeline.time_of(now));
            state.place(id, now, &self.timeline);
            return Effect { wake: self.journaled && state.mark_dirty(id), disabled: false };
        }
        let before = state.entry(id).health_within(scope);
        let mut effect = self.apply(state, id, scope, verdict, serial, now);
        for acquitted in state.note_failure((id, scope), kind, serial, before) {
            let entry = state.entry_mut(acquitted);
            if !self.journaled {
                entry.scoped.iter_mut().for_each(|scoped| scoped.dirty = false);
            }
            entry.refresh_serene(&self.policy);
            state.place(acquitted, now, &self.timeline);
            effect.wake |= self.journaled && state.mark_dirty(acquitted);
        }
        effect
    }

    fn apply(
        &self,
        state: &mut State,
        id: SlotId,
        scope: ScopeId,
        verdict: &Verdict,
        serial: u64,
        now: Tick,
    ) -> Effect {
        let time = self.timeline.time_of(now);
        let latest = state.serial;
        let entry = state.entry_mut(id);
        let was_disabled = entry.main.health.disabled;
        let (before, before_within) = (entry.main.health.clone(), entry.health_within(scope));
        entry.judge(&self.policy, scope, verdict, (serial, latest), time);
        if !self.journaled {
            entry.scoped.iter_mut().for_each(|scoped| scoped.dirty = false);
            entry.forget_recovered(time);
            entry.refresh_serene(&self.policy);
        }
        let disabled = entry.main.health.disabled && !was_disabled;
        state.disabled += usize::from(disabled);
        state.place(id, now, &self.timeline);
        let reason = if let Verdict::Failure(failure) = verdict { Some(failure.reason()) } else { None };
        if !state.tell_health(id, NO_SCOPE, &before, reason, time) && scope != NO_SCOPE {
            state.tell_health(id, scope, &before_within, reason, time);
        }
        let mut wake = self.journaled && state.mark_dirty(id);
        if let Verdict::Failure(failure) = verdict {
            wake |= self.share_rest(state, id, scope, failure.reason(), now);
        }
        Effect { wake, disabled }
    }

    /// Keys of one group share a quota: when it is spent for one, it is for all.
    fn share_rest(&self, state: &mut State, id: SlotId, scope: ScopeId, reason: Reason, now: Tick) -> bool {
        let entry = state.entry(id);
        if entry.group.is_none() || !matches!(reason, Reason::RateLimited | Reason::DailyQuota | Reason::Billing) {
            return false;
        }
        let own = if is_of_the_key(reason) { NO_SCOPE } else { scope };
        let condition = if own == NO_SCOPE { Some(&entry.main) } else { entry.within(own) };
        let Some(until) = condition.and_then(|condition| condition.health.cooldown_until) else { return false };
        let latest = state.serial;
        let mut wake = false;
        for member in state.sharing(id) {
            if member == id {
                continue;
            }
            let entry = state.entry_mut(member);
            let before = entry.health_within(own);
            let is_news = entry.rest(own, until, latest, &self.policy);
            if !self.journaled {
                entry.scoped.iter_mut().for_each(|scoped| scoped.dirty = false);
            }
            if is_news {
                state.tell_health(member, own, &before, None, self.timeline.time_of(now));
                state.place(member, now, &self.timeline);
                wake |= self.journaled && state.mark_dirty(member);
            }
        }
        wake
    }

    /// The first change of a key since the writer collected.
    #[cold]
    fn mark_dirty(&self, slot: &Arc<Slot>) -> bool {
        self.locked(|state| state.id_of(slot).is_some_and(|id| state.mark_dirty(id)))
    }
}

/// What was popped and booked under the lock.
struct Taken {
    /// `None` for several keys, which are in the caller's vector.
    one: Option<Held>,
    serial: u64,
    wake: bool,
}

impl Taken {
    fn checked_out(self, several: Vec<Arc<Slot>>) -> CheckedOut<Held> {
        let keys = self.one.unwrap_or_else(|| Held::many(several));
        CheckedOut { keys, serial: self.serial, wake: self.wake }
    }
}

/// Allocated before the lock is taken, and not for one; an absurd `count` is refused under it.
fn room_for<T>(count: usize) -> Vec<T> {
    if count == 1 { Vec::new() } else { Vec::with_capacity(count.min(256)) }
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
