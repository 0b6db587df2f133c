//! How a key is, for all calls or for those of one scope: its health, and which calls began before
//! that changed.

use std::time::{Duration, SystemTime};

use super::ScopeId;
use crate::clock::{Tick, Timeline, Wall};
use crate::health::{Health, Streaks};
use crate::outcome::{Failure, Reason, Verdict};
use crate::policy::Policy;
use crate::seldom::{Blank, Seldom};
use crate::store::Record;

#[derive(Clone, PartialEq)]
pub(super) struct Condition {
    pub(super) health: Health,
    pub(super) rest: Seldom<Rest>,
}

/// What has to be known of a key that failed, beside its health.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Rest {
    /// The last checkout before the present cooldown began: verdicts up to it are late.
    pub(super) cooling_since: u64,
    pub(super) probe: Option<Probe>,
    /// The end of the cooldown as the store has it, by a wall clock that may have been wrong.
    pub(super) stored_until: Option<SystemTime>,
}

impl Blank for Rest {
    const BLANK: &'static Self = &Self { cooling_since: 0, probe: None, stored_until: None };
}

impl Seldom<Rest> {
    /// That of a key for which the store has this end of a cooldown.
    pub(super) fn stored(until: Option<SystemTime>) -> Self {
        Rest { stored_until: until, ..Rest::default() }.into()
    }

    /// The store has this end of a cooldown by now, if not a later one.
    pub(super) fn note_stored(&mut self, until: Option<SystemTime>) {
        if until > self.stored_until {
            self.stored_until = until;
        }
    }

    /// There is no probe, or none any more.
    pub(super) fn end_probe(&mut self) {
        if let Some(rest) = self.known_mut() {
            rest.probe = None;
        }
    }
}

/// A half-open key whose probe has not ended by then may be probed again: a call that hangs must not
/// keep the key out for ever.
pub(super) const PROBE_TIMEOUT: Duration = Duration::from_secs(60);

/// The checkout that probes a half-open key, and when another one may.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Probe {
    pub(super) serial: u64,
    pub(super) until: Tick,
}

/// The condition of a key for the calls of one scope. There is none while it is in full health.
pub(super) struct Scoped {
    pub(super) scope: ScopeId,
    pub(super) condition: Condition,
    /// Not yet handed to the writer.
    pub(super) dirty: bool,
}

impl Condition {
    pub(super) fn new(health: Health) -> Self {
        Self { health, rest: Seldom::default() }
    }

    /// The condition after an operator's word, given when `latest` was the last checkout.
    pub(super) fn set_by_hand(&mut self, health: Health, latest: u64) {
        let rest = Rest { cooling_since: latest, ..Rest::default() };
        *self = Self { health, rest: rest.into() };
    }

    /// Takes over a cooldown that another process stored. What is stored is heeded once: of one that is beyond
    /// what it was meant to be (its clock was ahead) only the wait counts, and that must not begin anew each
    /// time somebody looks.
    pub(super) fn join_cooldown(&mut self, raw: Option<SystemTime>, theirs: &Health, latest: u64) {
        if raw == self.rest.stored_until {
            return;
        }
        self.rest.stored_until = raw;
        if theirs.cooldown_until > self.health.cooldown_until {
            self.health.cooldown_until = theirs.cooldown_until;
            self.rest.cooling_since = latest;
        }
    }

    /// Takes a verdict that checkout `serial` gave; `latest` is the last checkout so far. Returns whether it changed the
    /// health.
    pub(super) fn judge(
        &mut self,
        policy: &Policy,
        verdict: &Verdict,
        serial: u64,
        latest: u64,
        time: SystemTime,
    ) -> bool {
        let next = match verdict {
            Verdict::Failure(failure) if serial <= self.rest.cooling_since => {
                policy.next_late(&self.health, failure, time)
            }
            _ => policy.next(&self.health, verdict, time),
        };
        if next.cooldown_until != self.health.cooldown_until {
            self.rest.cooling_since = latest;
        }
        self.set_health(next)
    }

    /// Rests until an instant at the least. Returns whether that is news.
    pub(super) fn rest(&mut self, until: SystemTime, latest: u64) -> bool {
        let is_news = self.health.cooldown_until.is_none_or(|earlier| earlier < until);
        if is_news {
            self.health.cooldown_until = Some(until);
            self.rest.cooling_since = latest;
        }
        is_news
    }

    /// Returns whether that is another health.
    pub(super) fn set_health(&mut self, health: Health) -> bool {
        if health.past.streaks.circuit == 0 {
            self.rest.end_probe();
        }
        let is_news = health != self.health;
        self.health = health;
        is_news
    }

    /// A checkout begins; one of a half-open key is its probe, and no other gets it for a while.
    #[inline]
    pub(super) fn begin(&mut self, serial: u64, now: Tick, timeline: &Timeline) {
        if self.health.past.streaks.circuit > 0 && self.health.is_half_open(timeline.time_of(now)) {
            self.rest.probe = Some(Probe { serial, until: now.plus(PROBE_TIMEOUT) });
        }
    }

    /// A checkout ends.
    pub(super) fn end(&mut self, serial: u64) {
        if self.rest.probe.is_some_and(|probe| probe.serial == serial) {
            self.rest.end_probe();
        }
    }

    /// The first instant at which it allows a use.
    pub(super) fn ready_at(&self, timeline: &Timeline) -> Tick {
        let cooldown = self.health.cooldown_until.map_or(Tick::ZERO, |until| timeline.tick_of(until));
        cooldown.max(self.rest.probe.map_or(Tick::ZERO, |probe| probe.until))
    }

    /// Whether a success would leave it as it is, whenever it came.
    pub(super) fn is_serene(&self, policy: &Policy) -> bool {
        // The instant matters only to a circuit, and one with a circuit is never serene.
        self.rest.probe.is_none()
            && !self.health.disabled
            && self.health.past.streaks == Streaks::default()
            && policy.next(&self.health, &Verdict::Success, SystemTime::UNIX_EPOCH) == self.health
    }
}

/// The health that a store has, by this process's clock, weight and policy.
pub(super) fn taken_over(record: &Record, weight: f64, policy: &Policy, wall: Wall, time: SystemTime) -> Health {
    let mut health = record.state.health.moved(|instant| wall.time_of_wall(instant)).restored(time);
    health.set_weight(weight);
    policy.bounded(health)
}

/// Whether a failure speaks of the key itself, whatever it was used for: a revoked key, an empty account.
pub(super) fn is_of_the_key(reason: Reason) -> bool {
    matches!(reason, Reason::InvalidKey | Reason::Billing)
}

/// The verdict within a scope: a key that can't use this model is one that is forbidden to, here alone.
pub(super) fn within_scope(verdict: &Verdict) -> Verdict {
    match verdict {
        Verdict::Failure(failure) if failure.reason() == Reason::Model => {
            let mut forbidden = failure.status_code().map_or(Failure::new(Reason::Forbidden), Failure::status);
            forbidden = forbidden.with_reason(Reason::Forbidden);
            Verdict::Failure(failure.retry_after().into_iter().fold(forbidden, Failure::with_retry_after))
        }
        other => other.clone(),
    }
}
