//! Failures that many keys meet at once are not the keys' fault: the server is down, or this host's network,
//! or what is asked for is refused to everybody.

use std::time::{Duration, SystemTime};

use super::lanes::{NO_SCOPE, ScopeId};
use super::state::{OCCUPIED, State};
use crate::clock::Tick;
use crate::health::{Health, Past};
use crate::key::Fingerprint;
use crate::outcome::{Failure, Reason};
use crate::schedule::SlotId;

/// Failures belong together when no success and no more than this is between them.
const TOGETHER: Duration = Duration::from_secs(60);

/// So many keys that a server fails are proof enough. A refusal has to meet all keys in use: some of them may
/// well be of one kind and used one after the other.
const MANY: usize = 5;

/// More keys than are ever remembered are never all.
const MAX_FAILED: usize = 64;

/// What can go wrong for all keys at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The server fails, or does not answer.
    Outage,
    /// It forbids what is asked for.
    Refusal,
}

impl Kind {
    pub(super) fn of(failure: &Failure) -> Option<Self> {
        match failure.reason() {
            Reason::Server | Reason::Network => Some(Self::Outage),
            Reason::Forbidden => Some(Self::Refusal),
            _ => None,
        }
    }
}

/// The keys of a lane that failed since its last success.
#[derive(Default)]
pub(super) struct Weather {
    failed: Vec<Failed>,
    last: Tick,
    /// What is nobody's fault now.
    common: Option<Kind>,
}

/// A key that failed, and what that did to it.
struct Failed {
    id: SlotId,
    fingerprint: Fingerprint,
    kind: Kind,
    serial: u64,
    before: Health,
    after: Health,
}

impl Weather {
    /// A call succeeded: what failed before is over.
    pub(super) fn clear(&mut self) {
        self.failed.clear();
        self.common = None;
    }

    pub(super) fn is_clear(&self, now: Tick) -> bool {
        let is_over = self.last.plus(TOGETHER) <= now;
        is_over || (self.failed.is_empty() && self.common.is_none())
    }

    /// Whether such a failure is not to be held against its key.
    pub(super) fn excuses(&mut self, kind: Kind, now: Tick) -> bool {
        if self.last.plus(TOGETHER) <= now {
            self.clear();
        }
        self.last = now;
        self.common == Some(kind)
    }
}

impl State {
    /// A key failed, and was judged for it. When it is one of many, all of them get back what that took; they
    /// are returned.
    pub(super) fn note_failure(
        &mut self,
        (id, scope): (SlotId, ScopeId),
        kind: Kind,
        serial: u64,
        before: Health,
    ) -> Vec<SlotId> {
        let entry = self.entry(id);
        let (fingerprint, after) = (entry.slot.key.fingerprint(), entry.health_within(scope));
        let failed = &mut self.lane_mut(scope).weather.failed;
        let known =
            failed.iter().position(|known| (known.id, known.fingerprint, known.kind) == (id, fingerprint, kind));
        match known {
            Some(known) => {
                let failed = &mut failed[known];
                // What its first failure found is what it gets back, but nothing of what else happened to it since.
                if before != failed.after {
                    failed.before = before;
                }
                (failed.after, failed.serial) = (after, serial);
            }
            None if failed.len() < MAX_FAILED => failed.push(Failed { id, fingerprint, kind, serial, before, after }),
            None => {}
        }
        if !self.is_common(scope, kind) {
            return Vec::new();
        }
        let weather = &mut self.lane_mut(scope).weather;
        weather.common = Some(kind);
        let (common, others) = std::mem::take(&mut weather.failed).into_iter().partition(|failed| failed.kind == kind);
        weather.failed = others;
        common.iter().filter_map(|failed| self.acquit(scope, failed)).collect()
    }

    fn is_common(&self, scope: ScopeId, kind: Kind) -> bool {
        let lane = self.lane(scope);
        let failed: Vec<&Failed> = lane.weather.failed.iter().filter(|failed| failed.kind == kind).collect();
        let parked = failed.iter().filter(|failed| lane.schedule.is_parked(failed.id)).count();
        let in_use = (self.index.len() - self.disabled).saturating_sub(lane.schedule.parked_len()) + parked;
        let enough = match kind {
            Kind::Outage => in_use.min(MANY),
            Kind::Refusal => in_use,
        };
        // Several keys of one call are one failure.
        let calls_differ = failed.iter().any(|other| other.serial != failed[0].serial);
        calls_differ && failed.len() >= enough.max(2)
    }

    /// Gives a key back what a failure took, unless something else happened to it since.
    fn acquit(&mut self, scope: ScopeId, failed: &Failed) -> Option<SlotId> {
        let entry = self.entries.get_mut(failed.id as usize)?.as_mut()?;
        let is_same = entry.slot.key.fingerprint() == failed.fingerprint && entry.health_within(scope) == failed.after;
        // A disablement is on disk, and others may have heard of it.
        if !is_same || failed.after.disabled {
            return None;
        }
        let Past { error_count, last_failure, .. } = *failed.after.past;
        let past = Past { error_count, last_failure, ..(*failed.before.past).clone() };
        let mut health = Health { past: past.into(), disabled: failed.after.disabled, ..failed.before.clone() };
        // It may be another by now.
        health.set_weight(entry.terms.weight);
        if scope != NO_SCOPE {
            // What is forgotten was not held against it any more.
            let scoped = entry.within_mut(scope)?;
            scoped.condition.set_health(health);
            scoped.dirty = true;
        } else if entry.change_main(|main| main.set_health(health)) {
            entry.traits.set_changed(true);
        }
        Some(failed.id)
    }

    /// Shows a failure that is excused; what earlier ones took can be given back all the same.
    pub(super) fn note_excused(&mut self, id: SlotId, failure: &Failure, at: SystemTime) {
        let entry = self.entries[id as usize].as_mut().expect(OCCUPIED);
        let before = entry.main().health.clone();
        entry.note(failure, at);
        let failed = &mut self.lanes[NO_SCOPE as usize].weather.failed;
        for failed in failed.iter_mut().filter(|failed| failed.id == id && failed.after == before) {
            failed.after = entry.main().health.clone();
        }
    }

    /// A key is to rest for a reason of its own: an acquittal gives back nothing of that, even where it rests longer.
    pub(super) fn note_rest(&mut self, id: SlotId, scope: ScopeId, until: SystemTime) {
        let failed = &mut self.lane_mut(scope).weather.failed;
        for failed in failed.iter_mut().filter(|failed| failed.id == id) {
            failed.before.cooldown_until = failed.before.cooldown_until.max(Some(until));
        }
    }

    /// An operator has spoken of a key: what failures took before is settled.
    pub(super) fn forget_failures(&mut self, id: SlotId) {
        for lane in &mut self.lanes {
            lane.weather.failed.retain(|failed| failed.id != id);
        }
    }
}
