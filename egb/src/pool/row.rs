//! What statistics show of one key.

use super::entry::Entry;
use super::lanes::{NO_SCOPE, ScopeId};
use super::quota::{Quota, Quotas};
use super::state::State;
use crate::clock::{Tick, Timeline, Wall};
use crate::limits::{Limits, Used};
use crate::stats::{KeyState, KeyStats, ScopeStats};

impl Entry {
    pub(super) fn row(&self, state: &State, timeline: &Timeline, wall: Wall, now: Tick) -> KeyStats {
        let quota = state.groups.quota(self);
        let used = quota.budget.used(state.quotas.allowance(quota.limits), now);
        let mut counters = self.history.stored;
        counters.add(&self.pending());
        counters.successes = counters.successes.saturating_add(self.slot.successes());
        KeyStats {
            masked: self.slot.key.masked(),
            fingerprint: self.slot.key.fingerprint(),
            label: self.terms.label().map(str::to_owned),
            group: self.terms.group().map(str::to_owned),
            state: self.key_state(&quota, &state.quotas, timeline, wall, now),
            health: self.main().health.moved(|instant| wall.wall_of(instant)),
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
            in_flight: self.running(),
            last_used: self.last_use.time(wall),
        }
    }

    /// The scopes in which the key is not in full health, or has limits of its own, by name: in which order this process heard
    /// of them is of no use to anybody.
    fn scopes(&self, quota: &Quota<'_>, state: &State, timeline: &Timeline, wall: Wall, now: Tick) -> Vec<ScopeStats> {
        let (time, lanes, main) = (timeline.time_of(now), &state.lanes, self.main());
        let allowance = state.quotas.allowance(quota.limits);
        let row = |scope: ScopeId| {
            let impaired = self.within(scope).map(|condition| &condition.health).filter(|health| !health.is_full(time));
            let (limits, used) = quota.budget.within(allowance, scope, now);
            let is_limited = limits != Limits::default() || used.learned_rpm.is_some();
            if impaired.is_none() && !is_limited {
                return None;
            }
            let used = if is_limited { used } else { Used::default() };
            Some(ScopeStats {
                scope: lanes[scope as usize].name.to_string(),
                health: impaired.unwrap_or(&main.health).moved(|instant| wall.wall_of(instant)),
                limits,
                learned_rpm: used.learned_rpm,
                used_in_minute: used.in_minute,
                peak_in_minute: used.peak,
                used_today: used.today,
                tokens_in_minute: used.tokens,
            })
        };
        let mut rows: Vec<ScopeStats> = (NO_SCOPE + 1..).take(lanes.len() - 1).filter_map(row).collect();
        rows.sort_unstable_by(|one, other| one.scope.cmp(&other.scope));
        rows
    }

    fn key_state(&self, quota: &Quota<'_>, quotas: &Quotas, timeline: &Timeline, wall: Wall, now: Tick) -> KeyState {
        let time = timeline.time_of(now);
        let health = &self.main().health;
        let limited = quota.budget.ready_at(NO_SCOPE);
        if health.disabled {
            KeyState::Disabled
        } else if health.is_cooling(time) {
            KeyState::CoolingDown
        } else if limited > now {
            KeyState::Limited { until: wall.wall_of(timeline.time_of(limited)) }
        } else if quota.is_busy(quotas, NO_SCOPE) {
            KeyState::Busy
        } else if health.is_half_open(time) {
            KeyState::HalfOpen
        } else {
            KeyState::Available
        }
    }
}

fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}
