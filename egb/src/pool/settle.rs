//! Ends of calls: what a verdict does to a key, to its limits and to the keys that share them. Most calls end without
//! the pool's lock, by a count in the key's slot.

use crate::sync::atomic::Ordering;
use std::collections::HashMap;
use std::time::SystemTime;

use super::Pool;
use super::home::Legacy;
use super::lanes::{NO_SCOPE, ScopeId};
use super::lessons::Lesson;
use super::slot::SharedSlot;
use super::state::State;
use super::weather::Kind;
use crate::clock::Tick;
use crate::key::Fingerprint;
use crate::limits::{Charge, Which};
use crate::outcome::{Failure, Reason, Verdict};
use crate::schedule::SlotId;

/// What a verdict brought about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effect {
    /// See [`CheckedOut::wake`](super::CheckedOut::wake).
    pub(crate) wake: bool,
    /// A key was disabled: that has to be on disk before the call returns.
    pub(crate) disabled: bool,
    /// It was the last of the calls to which their balancer was left: [`Home::bury`](super::Home::bury).
    pub(crate) last: bool,
}

/// Whether a lease held one key or several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lone {
    One,
    OneOfMany,
}

impl Pool {
    /// Ends a checkout whose verdict may change more than a count.
    pub(super) fn settle_loudly(
        &self,
        slot: &SharedSlot,
        serial: u64,
        scope: ScopeId,
        verdict: &Verdict,
        lone: Lone,
    ) -> Effect {
        let now = self.now();
        let softened = soften(verdict, lone);
        self.locked(|state| {
            slot.end_one();
            let last = state.legacy.as_mut().is_some_and(Legacy::end_one);
            if let Some(group) = slot.group()
                && slot.has_departed()
            {
                state.place_group(group, now, &self.timeline);
            }
            let Some(id) = state.id_of(slot).or_else(|| state.heir_of(slot)) else {
                return Effect { last, ..Effect::default() };
            };
            let entry = state.entry_mut(id);
            if let Some(main) = entry.known_main_mut() {
                main.end(serial);
            }
            if let Some(scoped) = entry.within_mut(scope) {
                scoped.condition.end(serial);
            }
            entry.count(&softened);
            if lone == Lone::One {
                self.learn(state, id, scope, serial, &softened, now);
            }
            let effect = self.judge(state, id, scope, &softened, serial, now);
            if state.entry(id).traits.is_watched() {
                state.place_sharing(id, now, &self.timeline);
                // What it is watched for may be over.
                state.watch(&[id], now);
                state.entry(id).refresh_serene(&self.policy);
            }
            Effect { last, ..effect }
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

    /// A call says how many tokens it spent of each of its keys. Returns whether the writer has to be woken.
    pub(crate) fn spent(&self, slots: &[SharedSlot], serial: u64, scope: ScopeId, tokens: u64) -> bool {
        // Keys of one group are charged to one budget.
        let mut charged = HashMap::new();
        let mut wake = false;
        for slot in slots {
            wake |= self.book_tokens(slot.key.fingerprint(), |state, id| {
                let mut nth = 0;
                if let Some(group) = state.entry(id).traits.group() {
                    let charged = charged.entry(group).or_insert(0);
                    (nth, *charged) = (*charged, *charged + 1);
                }
                let charge = Charge { serial, which: Which::Nth(nth) };
                state.with_budget(id, |budget, allowance| budget.spent(allowance, scope, charge, tokens));
            });
        }
        wake
    }

    /// As [`spent`](Self::spent), of the key's last call that has not said so.
    pub(crate) fn spent_last(&self, fingerprint: Fingerprint, tokens: u64) -> bool {
        let now = self.now();
        self.book_tokens(fingerprint, |state, id| {
            let latest = state.serial;
            state.with_budget(id, |budget, allowance| budget.spent_last(allowance, latest, tokens, now));
        })
    }

    /// By the key's name: one that was put back has the budget that it left with.
    fn book_tokens(&self, fingerprint: Fingerprint, book: impl FnOnce(&mut State, SlotId)) -> bool {
        let now = self.now();
        self.locked(|state| {
            let Some(id) = state.find(&fingerprint) else { return false };
            book(state, id);
            state.place_sharing(id, now, &self.timeline);
            self.home.journaled && state.mark_dirty(id)
        })
    }

    /// A verdict that was reported by hand, for a key that was fetched in auto-success mode.
    /// `None` when the key is not in the pool.
    pub(crate) fn report(&self, fingerprint: Fingerprint, verdict: &Verdict) -> Option<Effect> {
        let now = self.now();
        self.locked(|state| {
            let id = state.find(&fingerprint)?;
            let entry = state.entry_mut(id);
            let fetch = entry.notes_mut().and_then(|notes| notes.auto.reported());
            // Without a fetch it is news of now, and never late.
            let serial = fetch.unwrap_or(u64::MAX);
            if let Some(main) = entry.known_main_mut() {
                main.rest.end_probe();
            }
            entry.forget_fetches();
            if fetch.is_some() {
                // The fetch was counted as a success.
                entry.history.notes.pending.successes -= 1;
            } else {
                entry.count_fetch(true);
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
                self.home
                    .is_failing
                    .store(!state.lanes.iter().all(|lane| lane.weather.is_clear(now)), Ordering::SeqCst);
                return self.apply(state, id, scope, verdict, serial, now);
            }
            _ => return self.apply(state, id, scope, verdict, serial, now),
        };
        self.home.is_failing.store(true, Ordering::SeqCst);
        if state.lane_mut(scope).weather.excuses(kind, now) {
            state.note_excused(id, failure, self.timeline.time_of(now));
            state.place(id, now, &self.timeline);
            return Effect { wake: self.home.journaled && state.mark_dirty(id), ..Effect::default() };
        }
        let before = state.entry(id).health_within(scope);
        let mut effect = self.apply(state, id, scope, verdict, serial, now);
        for acquitted in state.note_failure((id, scope), kind, serial, before) {
            let entry = state.entry_mut(acquitted);
            if !self.home.journaled {
                entry.scoped_mut().iter_mut().for_each(|scoped| scoped.dirty = false);
            }
            entry.refresh_serene(&self.policy);
            state.place(acquitted, now, &self.timeline);
            effect.wake |= self.home.journaled && state.mark_dirty(acquitted);
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
        let was_disabled = entry.main().health.disabled;
        let (before, before_within) = (entry.main().health.clone(), entry.health_within(scope));
        let shared = entry.rest_of_group(&self.policy, scope, verdict, (serial, latest), time);
        entry.judge(&self.policy, scope, verdict, (serial, latest), time);
        if !self.home.journaled {
            entry.scoped_mut().iter_mut().for_each(|scoped| scoped.dirty = false);
            entry.forget_recovered(time);
            entry.refresh_serene(&self.policy);
        }
        let disabled = entry.main().health.disabled && !was_disabled;
        state.disabled += usize::from(disabled);
        state.place(id, now, &self.timeline);
        let reason = if let Verdict::Failure(failure) = verdict { Some(failure.reason()) } else { None };
        if !state.tell_health(id, NO_SCOPE, &before, reason, time) && scope != NO_SCOPE {
            state.tell_health(id, scope, &before_within, reason, time);
        }
        let mut wake = self.home.journaled && state.mark_dirty(id);
        if let Some((scope, until)) = shared {
            wake |= self.share_rest(state, id, scope, until, now);
        }
        Effect { wake, disabled, last: false }
    }

    /// Keys of one group share a quota: when it is spent for one, it is for all.
    fn share_rest(&self, state: &mut State, id: SlotId, scope: ScopeId, until: SystemTime, now: Tick) -> bool {
        let latest = state.serial;
        let mut wake = false;
        for member in state.sharing(id) {
            if member == id {
                continue;
            }
            let entry = state.entry_mut(member);
            let before = entry.health_within(scope);
            let is_news = entry.rest(scope, until, latest, &self.policy);
            if !self.home.journaled {
                entry.scoped_mut().iter_mut().for_each(|scoped| scoped.dirty = false);
            }
            state.note_rest(member, scope, until);
            if is_news {
                state.tell_health(member, scope, &before, None, self.timeline.time_of(now));
                state.place(member, now, &self.timeline);
                wake |= self.home.journaled && state.mark_dirty(member);
            }
        }
        wake
    }

    /// The first change of a key since the writer collected.
    pub(super) fn mark_dirty(&self, slot: &SharedSlot) -> bool {
        self.locked(|state| state.id_of(slot).is_some_and(|id| state.mark_dirty(id)))
    }

    /// Books the successes that the slot counted. A store collects them all the time; without one nobody does.
    pub(super) fn collect(&self, slot: &SharedSlot) -> bool {
        self.locked(|state| {
            let Some(id) = state.id_of(slot) else { return false };
            state.entry_mut(id).count_successes(slot.take_successes());
            self.home.journaled && state.mark_dirty(id)
        })
    }
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
