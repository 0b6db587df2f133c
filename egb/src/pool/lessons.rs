//! What the ends of calls teach of limits that nobody gave, and when a call tries more than was learned.

use std::time::Duration;

use super::lanes::ScopeId;
use super::state::State;
use crate::clock::{Tick, Timeline};
use crate::events::EventKind;
use crate::limits::Refusal;
use crate::schedule::SlotId;

/// What the end of a call says of a limit.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lesson {
    Refused { retry_after: Option<Duration> },
    Succeeded,
    Other,
}

/// When a call of a lane may try more than was learned.
#[derive(Debug)]
pub(super) struct Probes {
    next: Tick,
    pause: Duration,
    /// The slot to look at next.
    cursor: usize,
}

impl Default for Probes {
    fn default() -> Self {
        Self { next: Tick::ZERO, pause: Self::FIRST_PAUSE, cursor: 0 }
    }
}

impl Probes {
    const FIRST_PAUSE: Duration = Duration::from_secs(15);
    const LONGEST_PAUSE: Duration = Duration::from_secs(600);

    /// A probe that went well is followed by more, one that was refused by fewer.
    fn ended(&mut self, went_well: bool, now: Tick) {
        if went_well {
            self.pause = Self::FIRST_PAUSE;
            self.next = now.plus(Duration::from_secs(1));
        } else {
            self.pause = (2 * self.pause).min(Self::LONGEST_PAUSE);
            self.next = now.plus(self.pause);
        }
    }
}

impl State {
    /// A call ended: what that says of limits that are learned. Returns whether the quota changed.
    pub(super) fn learn(&mut self, id: SlotId, scope: ScopeId, serial: u64, lesson: Lesson, now: Tick) -> bool {
        let (latest, running) = (self.serial, self.quota(id).running());
        let was_open = self.quota(id).budget.is_open(now);
        let before = self.quota(id).budget.learned(scope);
        if !was_open && !matches!(lesson, Lesson::Refused { .. }) {
            return false;
        }
        let was_probe = self.with_budget(id, |budget, _| match lesson {
            Lesson::Refused { retry_after } => {
                let refusal = Refusal { serial, latest, running, retry_after };
                budget.refused(scope, refusal, now).then_some(false)
            }
            Lesson::Succeeded => budget.succeeded(scope, serial, now).then_some(true),
            Lesson::Other => {
                budget.ended(scope, serial);
                None
            }
        });
        if let Some(went_well) = was_probe {
            self.lane_mut(scope).probes.ended(went_well, now);
        }
        let is_lesson = was_probe == Some(true) || matches!(lesson, Lesson::Refused { .. });
        if let Some(rpm) = self.quota(id).budget.learned(scope)
            && is_lesson
            && before != Some(rpm)
        {
            self.tell(id, scope, EventKind::LimitLearned { rpm });
        }
        true
    }

    /// A key that nothing but a learned limit keeps back, to find out whether that is right. Rarely, and
    /// only called when no other key is free.
    pub(super) fn pop_to_probe(
        &mut self,
        scope: ScopeId,
        now: Tick,
        excluded: &[SlotId],
        timeline: &Timeline,
    ) -> Option<SlotId> {
        /// Keys that are looked at.
        const AT_ONCE: usize = 64;
        let serial = self.serial + 1;
        let slots = self.entries.len();
        if !self.quotas.learn || now < self.lane(scope).probes.next || slots == 0 {
            return None;
        }
        let first = self.lane(scope).probes.cursor;
        let looked_at = (0..AT_ONCE.min(slots)).map(|step| (first + step) % slots);
        let found = looked_at.into_iter().find(|&slot| self.may_probe(slot, scope, now, excluded, timeline));
        let Probes { next, pause, cursor } = &mut self.lane_mut(scope).probes;
        *cursor = found.unwrap_or(first + AT_ONCE) + 1;
        // Should nothing be heard of this one.
        *next = now.plus(*pause);
        let id = SlotId::try_from(found?).ok()?;
        self.with_budget(id, |budget, _| budget.begin_probe(scope, serial, now));
        let members = self.sharing(id);
        self.watch(&members, now);
        for member in members {
            self.entry(member).slot.set_serene(false);
        }
        let schedule = &mut self.lane_mut(scope).schedule;
        schedule.put_back(id);
        schedule.pop_this(id, now).then_some(id)
    }

    fn may_probe(&self, slot: usize, scope: ScopeId, now: Tick, excluded: &[SlotId], timeline: &Timeline) -> bool {
        let Some(entry) = &self.entries[slot] else { return false };
        let quota = self.groups.quota(entry);
        quota.budget.may_probe(scope, now)
            && !entry.main().health.disabled
            && entry.ready_within(scope, timeline) <= now
            && !quota.is_busy(&self.quotas, scope)
            && !excluded.contains(&entry.slot.id)
    }
}
