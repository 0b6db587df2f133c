//! One key in the pool: all that is known of it, behind the pool's lock.

use std::sync::Arc;
use std::time::SystemTime;

use super::condition::{Condition, Scoped, is_of_the_key, within_scope};
use super::lanes::{NO_SCOPE, ScopeId};
use super::last_use::LastUse;
use super::quota::{GroupId, Quota, Quotas};
use super::rare::{Rare, Stored};
use super::slot::Slot;
use super::state::State;
use crate::clock::{Tick, Timeline, Wall};
use crate::config::{KeyConfig, SharedTerms};
use crate::health::{Health, LastFailure};
use crate::limits::{Budget, Limits};
use crate::outcome::{Failure, Verdict};
use crate::policy::Policy;
use crate::seldom::Seldom;
use crate::stats::{KeyState, KeyStats, ScopeStats};
use crate::store::{Counters, Record};

/// Two lines of the processor's cache, as a large pool is not in it: what the checkout of a serene key reads and writes
/// is in the first.
#[repr(C, align(64))]
pub(super) struct Entry {
    pub(super) slot: Arc<Slot>,
    /// What it used of its limits, if it is in no group.
    pub(super) budget: Budget,
    pub(super) last_use: LastUse,
    /// Checkouts of it that were not yet handed to the writer, and those of them that began a call.
    calls: u32,
    begun: u32,
    pub(super) group: Option<GroupId>,
    /// Whether calls have to report their end under the lock, for the sake of a limit.
    pub(super) watched: bool,
    /// Whether its health for all calls changed since it was handed to the writer.
    pub(super) changed: bool,
    /// Its place among the keys as given.
    pub(super) position: u32,
    /// Running calls that began before the key was removed and put back.
    pub(super) inherited: u32,
    pub(super) terms: SharedTerms,
    pub(super) stored: Seldom<Stored>,
    /// For all calls.
    pub(super) main: Condition,
    pub(super) rare: Seldom<Rare>,
}

/// What stays of a key that was removed: its running calls, and what it used of its limits.
#[derive(Default)]
pub(super) struct Remains {
    pub(super) slot: Option<Arc<Slot>>,
    pub(super) budget: Budget,
}

impl Remains {
    /// Whether they would matter if the key came back.
    pub(super) fn matter(&self, now: Tick) -> bool {
        let runs = self.slot.as_ref().is_some_and(|slot| slot.running() > 0);
        runs || self.budget.is_used(now)
    }
}

/// So many checkouts are counted in an entry itself at most, far from overflow.
const MANY_CALLS: u32 = 1 << 31;

impl Entry {
    pub(super) fn refresh_serene(&self, policy: &Policy) {
        let serene = self.rare.scoped.is_empty() && !self.watched && self.main.is_serene(policy);
        self.slot.set_serene(serene);
    }

    /// Whether a checkout changes nothing but counts, and no other key.
    #[inline]
    pub(super) fn is_at_rest(&self) -> bool {
        self.slot.is_serene() && self.group.is_none()
    }

    /// No success is implied by the fetches so far.
    pub(super) fn forget_fetches(&mut self) {
        if let Some(rare) = self.rare.known_mut() {
            rare.auto.forget();
        }
    }

    /// The condition for the calls of a scope alone, if it is anything but full health.
    #[inline]
    pub(super) fn within(&self, scope: ScopeId) -> Option<&Condition> {
        self.rare.scoped.iter().find(|scoped| scoped.scope == scope).map(|scoped| &scoped.condition)
    }

    #[inline]
    pub(super) fn within_mut(&mut self, scope: ScopeId) -> Option<&mut Scoped> {
        self.scoped_mut().iter_mut().find(|scoped| scoped.scope == scope)
    }

    /// The conditions for the calls of single scopes.
    pub(super) fn scoped_mut(&mut self) -> &mut [Scoped] {
        self.rare.known_mut().map_or(&mut [], |rare| &mut rare.scoped)
    }

    /// As [`within_mut`](Self::within_mut), made if there is none.
    pub(super) fn within_or_new(&mut self, scope: ScopeId) -> &mut Scoped {
        let scoped = &mut self.rare.scoped;
        let at = scoped.iter().position(|scoped| scoped.scope == scope).unwrap_or_else(|| {
            let condition = Condition::new(Health::new(self.main.health.weight));
            scoped.push(Scoped { scope, condition, dirty: false });
            scoped.len() - 1
        });
        &mut scoped[at]
    }

    /// Forgets conditions that are full health again and that no store waits for.
    pub(super) fn forget_recovered(&mut self, now: SystemTime) {
        let matters = |scoped: &Scoped| {
            scoped.dirty || scoped.condition.rest.probe.is_some() || !scoped.condition.health.is_full(now)
        };
        if let Some(rare) = self.rare.known_mut() {
            rare.scoped.retain(matters);
        }
    }

    /// The share of traffic among the calls of a scope.
    pub(super) fn weight_within(&self, scope: ScopeId) -> f64 {
        let effective = self.main.health.effective;
        self.within(scope).map_or(effective, |condition| effective * condition.health.factor())
    }

    /// The health that failures in a scope change.
    pub(super) fn health_within(&self, scope: ScopeId) -> Health {
        if scope == NO_SCOPE {
            return self.main.health.clone();
        }
        self.within(scope).map_or_else(|| Health::new(self.main.health.weight), |condition| condition.health.clone())
    }

    /// Shows a failure that is not held against the key.
    pub(super) fn note(&mut self, failure: &Failure, at: SystemTime) {
        let health = &mut self.main.health;
        health.past.error_count = health.past.error_count.saturating_add(1);
        health.past.last_failure = Some(LastFailure { at, status: failure.status_code(), reason: failure.reason() });
        self.changed = true;
    }

    /// Takes a verdict that checkout `serial` gave.
    pub(super) fn judge(
        &mut self,
        policy: &Policy,
        scope: ScopeId,
        verdict: &Verdict,
        (serial, latest): (u64, u64),
        time: SystemTime,
    ) {
        match verdict {
            Verdict::Failure(failure) if scope != NO_SCOPE && !is_of_the_key(failure.reason()) => {
                let scoped = self.within_or_new(scope);
                scoped.condition.judge(policy, &within_scope(verdict), serial, latest, time);
                // It is out for this scope as long as that lasts, and never for good.
                scoped.condition.health.disabled = false;
                scoped.dirty = true;
            }
            _ => {
                self.changed |= self.main.judge(policy, verdict, serial, latest, time);
                if let Some(scoped) = self.within_mut(scope) {
                    scoped.condition.judge(policy, verdict, serial, latest, time);
                    scoped.dirty = true;
                }
            }
        }
        if matches!(verdict, Verdict::Failure(_)) {
            self.forget_fetches();
        }
        self.refresh_serene(policy);
    }

    /// The first instant at which the key's condition allows a call of this scope; its limits aside.
    pub(super) fn ready_within(&self, scope: ScopeId, timeline: &Timeline) -> Tick {
        let within = self.within(scope).map_or(Tick::ZERO, |condition| condition.ready_at(timeline));
        self.main.ready_at(timeline).max(within)
    }

    /// Rests until an instant at the least, for the calls of a scope or for all. Returns whether that is news.
    pub(super) fn rest(&mut self, scope: ScopeId, until: SystemTime, latest: u64, policy: &Policy) -> bool {
        let is_news = if scope == NO_SCOPE {
            let is_news = self.main.rest(until, latest);
            self.changed |= is_news;
            is_news
        } else {
            let scoped = self.within_or_new(scope);
            scoped.dirty = true;
            scoped.condition.rest(until, latest)
        };
        self.refresh_serene(policy);
        is_news
    }

    /// Counts a checkout, which may be the first of its call.
    #[inline]
    pub(super) fn count_checkout(&mut self, begins: bool) {
        self.calls += 1;
        self.begun += u32::from(begins);
        if self.calls >= MANY_CALLS {
            self.rare.pending = self.take_pending();
        }
    }

    pub(super) fn count(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Success => self.rare.pending.successes += 1,
            Verdict::Neutral => {}
            Verdict::Failure(failure) => {
                self.rare.pending.failures += 1;
                self.rare.pending.throttled += i64::from(failure.status_code() == Some(429));
            }
        }
    }

    /// Books successes that were counted without the lock.
    pub(super) fn count_successes(&mut self, successes: i64) {
        if successes > 0 {
            self.rare.pending.successes += successes;
        }
    }

    /// What was counted and not yet handed to the writer, successes in the slot aside.
    fn pending(&self) -> Counters {
        let mut pending = self.rare.pending;
        pending.add(&Counters { calls: self.calls.into(), begun: self.begun.into(), ..Counters::default() });
        pending
    }

    /// As [`pending`](Self::pending); it is no longer.
    pub(super) fn take_pending(&mut self) -> Counters {
        let pending = self.pending();
        (self.calls, self.begun) = (0, 0);
        if let Some(rare) = self.rare.known_mut() {
            rare.pending = Counters::default();
        }
        pending
    }

    pub(super) fn new(slot: Slot, position: u32, config: KeyConfig, group: Option<GroupId>, remains: Remains) -> Self {
        let Remains { slot: earlier, budget } = remains;
        let inherited = earlier.map_or(0, |earlier| earlier.running());
        slot.inherit(inherited);
        Self {
            slot: Arc::new(slot),
            budget,
            last_use: LastUse::default(),
            calls: 0,
            begun: 0,
            group,
            watched: false,
            changed: false,
            position,
            inherited,
            terms: config.terms,
            stored: Seldom::default(),
            main: Condition::new(Health::new(config.weight)),
            rare: Seldom::default(),
        }
    }

    /// Whether it has these settings.
    pub(super) fn is_configured_as(&self, config: &KeyConfig) -> bool {
        self.main.health.weight.to_bits() == config.weight.to_bits() && self.terms == config.terms
    }

    /// Goes on with what the store knows.
    pub(super) fn restore(&mut self, record: &Record, policy: &Policy, wall: Wall, time: SystemTime) {
        let mut health = record.state.health.moved(|instant| wall.time_of_wall(instant)).restored(time);
        health.set_weight(self.main.health.weight);
        let rest = Seldom::stored(record.state.health.cooldown_until);
        self.main = Condition { rest, ..Condition::new(policy.bounded(health)) };
        self.stored.set(Stored { counters: record.counters, epoch: record.state.epoch });
        self.last_use = LastUse::stored(record.state.last_used);
    }

    /// Another process used it.
    pub(super) fn saw_use(&mut self, record: &Record) {
        self.last_use = self.last_use.max(LastUse::stored(record.state.last_used));
    }

    /// Goes on in a new slot, which the pool's other members do not know: calls that hold the old one settle
    /// with its heir.
    pub(super) fn move_to(&mut self, slot: Slot) {
        let old = std::mem::replace(&mut self.slot, Arc::new(slot));
        old.depart();
        self.inherited = old.running();
        self.slot.inherit(self.inherited);
        if old.is_dirty() {
            self.slot.set_dirty();
        }
        self.count_successes(old.take_successes());
    }

    pub(super) fn row(&self, state: &State, timeline: &Timeline, wall: Wall, now: Tick) -> KeyStats {
        let quota = state.groups.quota(self);
        let used = quota.budget.used(state.quotas.allowance(quota.limits), now);
        let mut counters = self.stored.counters;
        counters.add(&self.pending());
        counters.successes = counters.successes.saturating_add(self.slot.successes());
        KeyStats {
            masked: self.slot.key.masked(),
            fingerprint: self.slot.key.fingerprint(),
            label: self.terms.label().map(str::to_owned),
            group: self.terms.group().map(str::to_owned),
            state: self.key_state(&quota, &state.quotas, timeline, wall, now),
            health: self.main.health.moved(|instant| wall.wall_of(instant)),
            scopes: self.scopes(&quota, state, timeline, wall, now),
            limits: quota.limits,
            learned_rpm: used.learned_rpm,
            used_in_minute: used.in_minute,
            peak_in_minute: used.peak,
            used_today: used.today,
            tokens_in_minute: used.tokens,
            calls: unsigned(counters.calls),
            begun: unsigned(counters.begun),
            successes: unsigned(counters.successes),
            failures: unsigned(counters.failures),
            throttled: unsigned(counters.throttled),
            in_flight: self.slot.running(),
            last_used: self.last_use.time(wall),
        }
    }

    /// The scopes in which the key is not in full health, or has limits of its own.
    fn scopes(&self, quota: &Quota<'_>, state: &State, timeline: &Timeline, wall: Wall, now: Tick) -> Vec<ScopeStats> {
        let (time, lanes) = (timeline.time_of(now), &state.lanes);
        let allowance = state.quotas.allowance(quota.limits);
        let row = |scope: ScopeId| {
            let impaired = self.within(scope).map(|condition| &condition.health).filter(|health| !health.is_full(time));
            let limited = quota.budget.scopes(allowance, now).find(|(of, ..)| *of == scope);
            let limited =
                limited.filter(|(_, limits, used)| *limits != Limits::default() || used.learned_rpm.is_some());
            if impaired.is_none() && limited.is_none() {
                return None;
            }
            let (_, limits, used) = limited.unwrap_or_default();
            Some(ScopeStats {
                scope: lanes[scope as usize].name.to_string(),
                health: impaired.unwrap_or(&self.main.health).moved(|instant| wall.wall_of(instant)),
                limits,
                learned_rpm: used.learned_rpm,
                used_in_minute: used.in_minute,
                peak_in_minute: used.peak,
                used_today: used.today,
                tokens_in_minute: used.tokens,
            })
        };
        (NO_SCOPE + 1..).take(lanes.len() - 1).filter_map(row).collect()
    }

    fn key_state(&self, quota: &Quota<'_>, quotas: &Quotas, timeline: &Timeline, wall: Wall, now: Tick) -> KeyState {
        let time = timeline.time_of(now);
        let limited = quota.budget.ready_at(NO_SCOPE);
        if self.main.health.disabled {
            KeyState::Disabled
        } else if self.main.health.is_cooling(time) {
            KeyState::CoolingDown
        } else if limited > now {
            KeyState::Limited { until: wall.wall_of(timeline.time_of(limited)) }
        } else if quota.is_busy(quotas, NO_SCOPE) {
            KeyState::Busy
        } else if self.main.health.is_half_open(time) {
            KeyState::HalfOpen
        } else {
            KeyState::Available
        }
    }
}

fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;
    use std::sync::Weak;

    use super::*;
    use crate::key::Key;
    use crate::pool::Home;

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn an_entry_is_two_cache_lines_and_a_checkout_writes_the_first() {
        assert_eq!(size_of::<Option<Entry>>(), 128);
        let written = [offset_of!(Entry, last_use) + 8, offset_of!(Entry, begun) + 4, offset_of!(Entry, group) + 4];
        assert!(written.iter().all(|end| *end <= 64));
    }

    #[test]
    fn checkouts_are_counted_beyond_what_an_entry_has_room_for() {
        let slot = Slot::new(0, Key::from("test-key"), None, Arc::new(Home::new(Weak::new(), false)));
        let mut entry = Entry::new(slot, 0, KeyConfig::new("test-key"), None, Remains::default());
        (entry.calls, entry.begun) = (MANY_CALLS - 2, 7);
        for begins in [true, false, true, false] {
            entry.count_checkout(begins);
        }
        assert_eq!((entry.calls, entry.rare.pending.begun), (2, 8));
        let all = Counters { calls: i64::from(MANY_CALLS) + 2, begun: 9, ..Counters::default() };
        assert_eq!(entry.pending(), all);
        assert_eq!((entry.take_pending(), entry.pending()), (all, Counters::default()));
    }
}
