//! One key in the pool: all that is known of it, behind the pool's lock.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use thin_vec::ThinVec;

use super::condition::{Condition, Rest, Scoped, is_of_the_key, within_scope};
use super::lanes::{NO_SCOPE, ScopeId};
use super::quota::{GroupId, Quota, Quotas};
use super::slot::Slot;
use super::state::State;
use crate::clock::{Tick, Timeline, Wall};
use crate::config::KeyConfig;
use crate::health::{Health, LastFailure};
use crate::limits::{Budget, Limits};
use crate::outcome::{Failure, Verdict};
use crate::policy::Policy;
use crate::stats::{KeyState, KeyStats, ScopeStats};
use crate::store::{Counters, Record};

/// In the order in which it is written, as a large pool is not in the processor's cache: what the checkout of a
/// serene key reads comes first.
#[repr(C, align(64))]
pub(super) struct Entry {
    pub(super) slot: Arc<Slot>,
    /// What it used of its limits, if it is in no group.
    pub(super) budget: Budget,
    /// `Tick::ZERO` is never.
    pub(super) last_used: Tick,
    pub(super) group: Option<GroupId>,
    /// Whether calls have to report their end under the lock, for the sake of a limit.
    pub(super) watched: bool,
    /// Not yet handed to the writer.
    pub(super) pending: Counters,
    /// For the calls of some scopes, beside `main`.
    pub(super) scoped: ThinVec<Scoped>,
    pub(super) config: KeyConfig,
    /// For all calls.
    pub(super) main: Condition,
    /// Its place among the keys as given.
    pub(super) position: u32,
    /// Running calls that began before the key was removed and put back.
    pub(super) inherited: u32,
    /// See [`SharedState::epoch`](crate::store::SharedState::epoch).
    pub(super) epoch: u64,
    /// Before this process began, where ticks do not reach: microseconds since 1970 by the wall clock, 0 is never.
    pub(super) used_before: u64,
    /// Of keys that were fetched in auto-success mode.
    pub(super) auto: Option<Box<Auto>>,
    /// On disk, by all processes, or handed to the writer.
    pub(super) stored: Counters,
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

/// An unreported fetch counts as a success once so much time has passed without a report of a failure: a
/// call takes a while to fail, and others fetch the key meanwhile.
const IMPLIED_AFTER: Duration = Duration::from_secs(10);

/// Keys fetched in auto-success mode and not reported since.
#[derive(Default)]
pub(super) struct Auto {
    pub(super) open: u32,
    pub(super) last_fetch: u64,
    /// The first fetch of which nothing was heard since.
    pub(super) unjudged: Option<Unjudged>,
}

#[derive(Clone, Copy)]
pub(super) struct Unjudged {
    serial: u64,
    at: Tick,
}

impl Auto {
    pub(super) fn fetched(&mut self, serial: u64, now: Tick) {
        self.open = self.open.saturating_add(1);
        self.last_fetch = serial;
        self.unjudged.get_or_insert(Unjudged { serial, at: now });
    }

    /// The fetch whose success is implied by now, if there is one since the key's present cooldown began.
    pub(super) fn implied(&mut self, cooling_since: u64, now: Tick) -> Option<u64> {
        let Unjudged { serial, at } = self.unjudged?;
        if serial <= cooling_since {
            // It says nothing of the key since.
            self.unjudged = None;
            return None;
        }
        if now < at.plus(IMPLIED_AFTER) {
            return None;
        }
        self.unjudged = None;
        Some(serial)
    }
}

impl Entry {
    pub(super) fn refresh_serene(&self, policy: &Policy) {
        let serene = self.scoped.is_empty() && !self.watched && self.main.is_serene(policy);
        self.slot.set_serene(serene);
    }

    /// No success is implied by the fetches so far.
    pub(super) fn forget_fetches(&mut self) {
        if let Some(auto) = &mut self.auto {
            auto.unjudged = None;
        }
    }

    /// The condition for the calls of a scope alone, if it is anything but full health.
    #[inline]
    pub(super) fn within(&self, scope: ScopeId) -> Option<&Condition> {
        self.scoped.iter().find(|scoped| scoped.scope == scope).map(|scoped| &scoped.condition)
    }

    #[inline]
    pub(super) fn within_mut(&mut self, scope: ScopeId) -> Option<&mut Scoped> {
        self.scoped.iter_mut().find(|scoped| scoped.scope == scope)
    }

    /// As [`within_mut`](Self::within_mut), made if there is none.
    pub(super) fn within_or_new(&mut self, scope: ScopeId) -> &mut Scoped {
        let at = self.scoped.iter().position(|scoped| scoped.scope == scope).unwrap_or_else(|| {
            let condition = Condition::new(Health::new(self.config.weight));
            self.scoped.push(Scoped { scope, condition, dirty: false });
            self.scoped.len() - 1
        });
        &mut self.scoped[at]
    }

    /// Forgets conditions that are full health again and that no store waits for.
    pub(super) fn forget_recovered(&mut self, now: SystemTime) {
        self.scoped.retain(|scoped| {
            scoped.dirty || scoped.condition.rest.probe.is_some() || !scoped.condition.health.is_full(now)
        });
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
        self.within(scope).map_or_else(|| Health::new(self.config.weight), |condition| condition.health.clone())
    }

    /// Shows a failure that is not held against the key.
    pub(super) fn note(&mut self, failure: &Failure, at: SystemTime) {
        let health = &mut self.main.health;
        health.past.error_count = health.past.error_count.saturating_add(1);
        health.past.last_failure = Some(LastFailure { at, status: failure.status_code(), reason: failure.reason() });
        self.main.changed = true;
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
                self.main.judge(policy, verdict, serial, latest, time);
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
        let condition = if scope == NO_SCOPE {
            &mut self.main
        } else {
            let scoped = self.within_or_new(scope);
            scoped.dirty = true;
            &mut scoped.condition
        };
        let is_news = condition.rest(until, latest);
        self.refresh_serene(policy);
        is_news
    }

    pub(super) fn count(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Success => self.pending.successes += 1,
            Verdict::Neutral => {}
            Verdict::Failure(failure) => {
                self.pending.failures += 1;
                self.pending.throttled += i64::from(failure.status_code() == Some(429));
            }
        }
    }

    pub(super) fn new(slot: Slot, position: u32, config: KeyConfig, group: Option<GroupId>, remains: Remains) -> Self {
        let Remains { slot: earlier, budget } = remains;
        let inherited = earlier.map_or(0, |earlier| earlier.running());
        slot.inherit(inherited);
        Self {
            slot: Arc::new(slot),
            position,
            inherited,
            group,
            budget,
            watched: false,
            main: Condition::new(Health::new(config.weight)),
            config,
            scoped: ThinVec::new(),
            epoch: 0,
            last_used: Tick::ZERO,
            used_before: 0,
            auto: None,
            stored: Counters::default(),
            pending: Counters::default(),
        }
    }

    /// Goes on with what the store knows.
    pub(super) fn restore(&mut self, record: &Record, policy: &Policy, wall: Wall, time: SystemTime) {
        let mut health = record.state.health.moved(|instant| wall.time_of_wall(instant)).restored(time);
        health.set_weight(self.config.weight);
        let rest = Rest::stored(record.state.health.cooldown_until);
        self.main = Condition { rest, ..Condition::new(policy.bounded(health)) };
        self.epoch = record.state.epoch;
        self.stored = record.counters;
        self.used_before = record.state.last_used.map_or(0, micros);
    }

    /// Another process used it.
    pub(super) fn saw_use(&mut self, record: &Record) {
        self.used_before = self.used_before.max(record.state.last_used.map_or(0, micros));
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
        self.pending.successes += old.take_successes();
    }

    pub(super) fn row(&self, state: &State, timeline: &Timeline, wall: Wall, now: Tick) -> KeyStats {
        let quota = state.groups.quota(self);
        let used = quota.budget.used(now);
        let mut counters = self.stored;
        counters.add(&self.pending);
        counters.successes = counters.successes.saturating_add(self.slot.successes());
        KeyStats {
            masked: self.slot.key.masked(),
            fingerprint: self.slot.key.fingerprint(),
            label: self.config.label_text().map(str::to_owned),
            group: self.config.group_name().map(str::to_owned),
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
            last_used: self.last_used(wall),
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

    /// A stamp that orders keys by their last use, whichever process made it.
    pub(super) fn use_stamp(&self) -> Option<u64> {
        const THIS_PROCESS: u64 = 1 << 63;
        match (self.last_used, self.used_before) {
            (Tick::ZERO, 0) => None,
            (Tick::ZERO, used_before) => Some(used_before.min(THIS_PROCESS - 1)),
            (tick, _) => Some(tick.0.saturating_add(THIS_PROCESS)),
        }
    }

    /// When the key was used last, by the wall clock.
    pub(super) fn last_used(&self, wall: Wall) -> Option<SystemTime> {
        match (self.last_used, self.used_before) {
            (Tick::ZERO, 0) => None,
            (Tick::ZERO, used_before) => SystemTime::UNIX_EPOCH.checked_add(Duration::from_micros(used_before)),
            (tick, _) => Some(wall.past_wall_of(tick)),
        }
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

/// An order-preserving stamp of an instant.
fn micros(instant: SystemTime) -> u64 {
    u64::try_from(instant.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_micros()).unwrap_or(u64::MAX)
}

fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_four_cache_lines_and_a_checkout_writes_the_first() {
        assert_eq!(size_of::<Option<Entry>>(), 256);
        assert!(std::mem::offset_of!(Entry, pending) + size_of::<u64>() * 2 <= 64);
    }
}
