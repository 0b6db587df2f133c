//! What the pool's lock guards, and the place of each key: in line, parked until an instant, or out.

use std::sync::Arc;
use std::time::SystemTime;

use super::added::Added;
use super::entry::{Entry, Remains};
use super::held::Several;
use super::home::Legacy;
use super::index::Index;
use super::lanes::{AfterLock, Lane, NO_SCOPE, ScopeId};
use super::last_use::LastUse;
use super::quota::{Groups, Quotas};
use super::sessions::{Sessions, Stuck};
use super::slot::SharedSlot;
use super::{Shortage, Wanted};
use crate::clock::{Tick, Timeline};
use crate::events::{Event, EventKind, News};
use crate::health::Health;
use crate::key::{ByFingerprint, Fingerprint};
use crate::outcome::Reason;
use crate::schedule::SlotId;
use crate::store::{Change, Record, Usage};

/// What each checkout writes comes first.
#[repr(C)]
pub(super) struct State {
    /// Numbers the checkouts, so that a verdict can be told to be older than a cooldown: the last number that was given to one,
    /// or to a part for those to come.
    pub(super) serial: u64,
    /// The latest instant by which a key came back. A coarse reading may be before it, and counts as this then: else a
    /// key would be used before it was free.
    pub(super) latest: Tick,
    /// Since when some threads have keys to themselves, by the coarse clock.
    pub(super) parted: Tick,
    /// By scope; there is always that of calls without one.
    pub(super) lanes: Vec<Lane>,
    /// By slot; `None` is vacant.
    pub(super) entries: Vec<Option<Entry>>,
    /// What happened, to be told once the lock is free.
    pub(super) events: Vec<News>,
    /// Callers to be woken once the lock is free, and wakers to be dropped then.
    pub(super) woken: Vec<AfterLock>,
    pub(super) vacant: Vec<SlotId>,
    pub(super) index: Index,
    pub(super) quotas: Quotas,
    pub(super) groups: Groups,
    pub(super) sessions: Sessions,
    pub(super) disabled: usize,
    pub(super) dirty: Vec<SlotId>,
    /// Last changes of keys that were removed.
    pub(super) farewells: Vec<Change>,
    /// What stays of keys that were removed, as long as it matters.
    pub(super) remains: ByFingerprint<Remains>,
    /// Keys that no source gives.
    pub(super) added: Added,
    /// What the last handle left to the calls that ran.
    pub(super) legacy: Option<Legacy>,
    /// What the store knows of keys that are not in the pool.
    pub(super) strangers: ByFingerprint<Vec<Record>>,
    /// What the store knows of the use of limits by keys and groups that are not in the pool.
    pub(super) unclaimed: ByFingerprint<Vec<Usage>>,
}

impl State {
    #[inline]
    pub(super) fn entry(&self, id: SlotId) -> &Entry {
        self.entries[id as usize].as_ref().expect(OCCUPIED)
    }

    #[inline]
    pub(super) fn entry_mut(&mut self, id: SlotId) -> &mut Entry {
        self.entries[id as usize].as_mut().expect(OCCUPIED)
    }

    /// Those of all keys, in the order of memory.
    pub(super) fn slots(&self) -> impl Iterator<Item = &SharedSlot> {
        self.entries.iter().flatten().map(|entry| &entry.slot)
    }

    /// The slot of the key of that name.
    pub(super) fn find(&self, name: &Fingerprint) -> Option<SlotId> {
        self.index.get(name, names(&self.entries))
    }

    /// Makes room for so many more keys.
    pub(super) fn reserve(&mut self, more: usize) {
        self.index.reserve(more, names(&self.entries));
    }

    /// Fills a vacant slot.
    pub(super) fn enter(&mut self, entry: Entry) {
        let id = entry.slot.id;
        self.entries[id as usize] = Some(entry);
        self.index.insert(id, names(&self.entries));
    }

    /// Empties a slot.
    pub(super) fn take_out(&mut self, id: SlotId) -> Option<Entry> {
        let entry = self.entries[id as usize].take()?;
        self.index.remove(id, &entry.slot.key.fingerprint());
        self.vacant.push(id);
        Some(entry)
    }

    /// Notes what happened to a key.
    pub(super) fn tell(&mut self, id: SlotId, scope: ScopeId, kind: EventKind) {
        let entry = self.entry(id);
        let scope = (scope != NO_SCOPE).then(|| Arc::clone(&self.lane(scope).name));
        let (fingerprint, label) = (entry.slot.key.fingerprint(), entry.terms.label().map(str::to_owned));
        self.events.push(News::Event(Event { fingerprint, label, scope, kind }));
    }

    /// Notes what became of a key's health, if that is worth telling. Returns whether it was.
    pub(super) fn tell_health(
        &mut self,
        id: SlotId,
        scope: ScopeId,
        before: &Health,
        reason: Option<Reason>,
        time: SystemTime,
    ) -> bool {
        let kind = EventKind::between(before, &self.entry(id).health_within(scope), reason, time);
        kind.map(|kind| self.tell(id, scope, kind)).is_some()
    }

    /// The id of a slot that is still in the pool; it may have been removed while a call held it.
    pub(super) fn id_of(&self, slot: &SharedSlot) -> Option<SlotId> {
        let entry = self.entries.get(slot.id as usize)?.as_ref()?;
        SharedSlot::ptr_eq(&entry.slot, slot).then_some(slot.id)
    }

    /// The key of a slot that is no longer in the pool, if it was put back or only changed its group: the end of a call
    /// that holds the old slot is about it all the same.
    pub(super) fn heir_of(&mut self, slot: &SharedSlot) -> Option<SlotId> {
        let id = self.find(&slot.key.fingerprint())?;
        let is_held = |slot: &SharedSlot| slot.running() > 0;
        let entry = self.entry_mut(id);
        if let Some(notes) = entry.notes_mut() {
            notes.earlier.retain(is_held);
        }
        if let Some(group) = entry.traits.group() {
            self.groups.forget_guests(group, |guest| !is_held(guest));
        }
        Some(id)
    }

    #[inline]
    pub(super) fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    #[inline]
    pub(super) fn lane(&self, scope: ScopeId) -> &Lane {
        &self.lanes[scope as usize]
    }

    #[inline]
    pub(super) fn lane_mut(&mut self, scope: ScopeId) -> &mut Lane {
        &mut self.lanes[scope as usize]
    }

    /// Makes the lane of a new scope, with all keys in the order of their last use.
    pub(super) fn add_lane(&mut self, name: Arc<str>, seed: u64, now: Tick, timeline: &Timeline) -> ScopeId {
        let scope = ScopeId::try_from(self.lanes.len()).unwrap_or(NO_SCOPE);
        let mut lane = Lane::new(name, seed);
        let entries = self.entries.iter().flatten();
        let turns = entries.map(|entry| (entry.slot.id, entry.main().health.effective, entry.last_use.stamp()));
        let mut turns: Vec<_> = turns.collect();
        // In the order of memory, and so that not all lanes begin with the same key.
        let middle = lane.schedule.random_place(turns.len());
        turns.rotate_left(middle);
        lane.schedule.insert_all(turns);
        self.lanes.push(lane);
        let ids: Vec<SlotId> = self.slots().map(|slot| slot.id).collect();
        ids.into_iter().for_each(|id| self.place(id, now, timeline));
        scope
    }

    /// The key that is due, none of `excluded`; those keep their place.
    #[inline]
    fn pop(&mut self, scope: ScopeId, now: Tick, excluded: &[SlotId]) -> Option<SlotId> {
        self.latest = self.latest.max(now);
        let schedule = &mut self.lane_mut(scope).schedule;
        if excluded.is_empty() {
            return schedule.pop(now);
        }
        let mut skipped = Vec::new();
        let found = loop {
            match schedule.pop(now) {
                Some(id) if excluded.contains(&id) => skipped.push(id),
                found => break found,
            }
        };
        // In reverse, so that each finds its old neighbours.
        skipped.into_iter().rev().for_each(|id| schedule.put_back(id));
        found
    }

    /// The key that the session sticks to if it may be used, else the one that is due.
    fn pop_for_session(&mut self, wanted: &Wanted<'_>, session: u64, now: Tick) -> Option<SlotId> {
        self.latest = self.latest.max(now);
        if let Some(Stuck { id, fingerprint }) = self.sessions.get(wanted.scope, session) {
            let entry = self.entries.get(id as usize).and_then(Option::as_ref);
            let is_same = entry.is_some_and(|entry| entry.slot.key.fingerprint() == fingerprint);
            let is_wanted = is_same && !wanted.excluded.contains(&id);
            if is_wanted && self.lane_mut(wanted.scope).schedule.pop_this(id, now) {
                self.sessions.note_hit();
                return Some(id);
            }
        }
        let id = self.pop(wanted.scope, now, wanted.excluded)?;
        let fingerprint = self.entry(id).slot.key.fingerprint();
        self.sessions.put(wanted.scope, session, Stuck { id, fingerprint });
        Some(id)
    }

    /// Pops one key, as wanted.
    pub(super) fn pop_one(&mut self, wanted: &Wanted<'_>, now: Tick, timeline: &Timeline) -> Option<SlotId> {
        let free = match wanted.session {
            Some(session) => self.pop_for_session(wanted, session, now),
            None => self.pop(wanted.scope, now, wanted.excluded),
        };
        free.or_else(|| self.pop_to_probe(wanted.scope, now, wanted.excluded, timeline))
    }

    /// Pops the keys that are wanted into `popped`, or none at all.
    pub(super) fn pop_many(&mut self, wanted: &Wanted<'_>, now: Tick, popped: &mut Several<SlotId>) -> bool {
        if wanted.count > self.index.len() {
            return false;
        }
        while popped.len() < wanted.count {
            // A popped key is in no list, so the next pop finds another one.
            let next = match wanted.session.filter(|_| popped.is_empty()) {
                Some(session) => self.pop_for_session(wanted, session, now),
                None => self.pop(wanted.scope, now, wanted.excluded),
            };
            let Some(id) = next else {
                let schedule = &mut self.lane_mut(wanted.scope).schedule;
                popped.drain(..).rev().for_each(|id| schedule.put_back(id));
                return false;
            };
            popped.push(id);
        }
        true
    }

    /// Books one use of a popped key. Returns the first instant at which its limits allow another.
    pub(super) fn use_key(&mut self, id: SlotId, scope: ScopeId, serial: u64, now: Tick, timeline: &Timeline) -> Tick {
        let entry = self.entry_mut(id);
        entry.last_use = LastUse::here(now);
        if !entry.slot.is_serene() {
            if let Some(main) = entry.known_main_mut() {
                main.begin(serial, now, timeline);
            }
            if let Some(scoped) = entry.within_mut(scope) {
                scoped.condition.begin(serial, now, timeline);
            }
        }
        self.spend(id, scope, serial, now, timeline)
    }

    /// Puts a key that was popped and used where it belongs now; its limits allow another use at `ready`.
    pub(super) fn settle_place(&mut self, id: SlotId, scope: ScopeId, ready: Tick, now: Tick, timeline: &Timeline) {
        let entry = self.entry(id);
        let shares = entry.traits.group().is_some();
        // A serene key has no probe, and no limit on running calls.
        if entry.slot.is_serene() && !shares && ready <= now {
            self.lane_mut(scope).schedule.requeue(id);
            return;
        }
        let is_probed =
            entry.main().rest.probe.is_some() || entry.within(scope).is_some_and(|within| within.rest.probe.is_some());
        let quota = self.groups.quota(entry);
        let is_spent = quota.is_busy(&self.quotas, scope) || ready > now;
        let schedule = &mut self.lane_mut(scope).schedule;
        if is_spent && shares {
            schedule.mark_used(id);
            self.place_sharing(id, now, timeline);
        } else if is_spent || is_probed {
            schedule.mark_used(id);
            self.place(id, now, timeline);
        } else {
            schedule.requeue(id);
        }
    }

    /// Puts all keys that share the quota of this one where that wants them.
    pub(super) fn place_sharing(&mut self, id: SlotId, now: Tick, timeline: &Timeline) {
        match self.entry(id).traits.group() {
            Some(group) => self.place_group(group, now, timeline),
            None => self.place(id, now, timeline),
        }
    }

    /// Puts a key where its changed state wants it, in every lane.
    pub(super) fn place(&mut self, id: SlotId, now: Tick, timeline: &Timeline) {
        self.latest = self.latest.max(now);
        let Self { lanes, entries, groups, quotas, woken, .. } = self;
        let entry = entries[id as usize].as_ref().expect(OCCUPIED);
        let quota = groups.quota(entry);
        let is_out = entry.main().health.disabled || !entry.slot.key.has_text();
        for (scope, lane) in (NO_SCOPE..).zip(lanes) {
            let ready = entry.ready_within(scope, timeline).max(quota.budget.ready_at(scope));
            lane.schedule.set_weight(id, entry.weight_within(scope));
            if is_out || quota.is_busy(quotas, scope) {
                lane.schedule.hold(id);
            } else if ready > now {
                lane.schedule.park(id, ready);
            } else {
                lane.schedule.put_back(id);
            }
            lane.call(woken);
        }
    }

    #[inline]
    pub(super) fn mark_dirty(&mut self, id: SlotId) -> bool {
        let first = self.dirty.is_empty();
        let slot = &self.entry(id).slot;
        if slot.is_dirty() {
            return false;
        }
        slot.set_dirty();
        self.dirty.push(id);
        first
    }

    pub(super) fn shortage(&self, wanted: &Wanted<'_>, now: Tick) -> Shortage {
        let total = self.index.len();
        let schedule = &self.lane(wanted.scope).schedule;
        let parked = schedule.parked_len();
        let busy = total.saturating_sub(self.disabled + parked + schedule.queued_len());
        let excluded = || wanted.excluded.iter();
        let is_tried = |id: &&SlotId| {
            let entry = self.entries.get(**id as usize).and_then(Option::as_ref);
            entry.is_some_and(|entry| !entry.main().health.disabled)
        };
        let free = schedule.queued_len() - excluded().filter(|id| schedule.is_queued(**id)).count();
        let missing = wanted.count.saturating_sub(free);
        Shortage {
            wanted: wanted.count,
            total,
            disabled: self.disabled,
            parked,
            busy,
            untried: (total - self.disabled).saturating_sub(excluded().filter(is_tried).count()),
            missing,
            // Those that are busy may be free before it.
            next_due: schedule.nth_due(missing.saturating_sub(busy).max(1), wanted.excluded).map(|due| due.since(now)),
        }
    }
}

/// Whose the slots of the index are.
fn names(entries: &[Option<Entry>]) -> impl Fn(SlotId) -> Fingerprint {
    |id| entries[id as usize].as_ref().expect(OCCUPIED).slot.key.fingerprint()
}

pub(super) const OCCUPIED: &str = "the schedule and the index hold occupied slots only";
