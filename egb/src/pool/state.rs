//! What the pool's lock guards, and the place of each key: in line, parked until an instant, or out.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Shortage;
use super::entry::{Entry, Slot};
use crate::clock::{Tick, Timeline, next_midnight};
use crate::key::Fingerprint;
use crate::schedule::{Schedule, SlotId};
use crate::store::{Change, Record};

/// A half-open key whose probe has not ended by then may be probed again: a call that hangs must not
/// keep the key out for ever.
pub(super) const PROBE_TIMEOUT: Duration = Duration::from_secs(60);

pub(super) struct State {
    pub(super) schedule: Schedule,
    /// By slot; `None` is vacant.
    pub(super) entries: Vec<Option<Entry>>,
    pub(super) vacant: Vec<SlotId>,
    pub(super) index: HashMap<Fingerprint, SlotId>,
    /// Numbers the checkouts, so that a verdict can be told to be older than a cooldown.
    pub(super) serial: u64,
    pub(super) disabled: usize,
    pub(super) dirty: Vec<SlotId>,
    /// Last changes of keys that were removed.
    pub(super) farewells: Vec<Change>,
    /// What the store knows of keys that are not in the pool.
    pub(super) strangers: HashMap<Fingerprint, Record>,
}

impl State {
    pub(super) fn entry_mut(&mut self, id: SlotId) -> &mut Entry {
        self.entries[id as usize].as_mut().expect("the schedule and the index hold occupied slots only")
    }

    /// The id of a slot that is still in the pool; it may have been removed while a call held it.
    pub(super) fn id_of(&self, slot: &Arc<Slot>) -> Option<SlotId> {
        let entry = self.entries.get(slot.id as usize)?.as_ref()?;
        Arc::ptr_eq(&entry.slot, slot).then_some(slot.id)
    }

    pub(super) fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// The key that is due, none of `excluded`; those keep their place.
    pub(super) fn pop(&mut self, now: Tick, excluded: &[SlotId]) -> Option<SlotId> {
        let id = self.schedule.pop(now)?;
        if !excluded.contains(&id) {
            return Some(id);
        }
        let next = self.pop(now, excluded);
        self.schedule.put_back(id);
        next
    }

    /// Pops the `count` keys that are due into `popped`, or none at all.
    pub(super) fn pop_many(
        &mut self,
        count: usize,
        now: Tick,
        excluded: &[SlotId],
        popped: &mut Vec<SlotId>,
    ) -> Result<(), Shortage> {
        if count > self.index.len() {
            return Err(self.shortage(now));
        }
        while popped.len() < count {
            // A popped key is in no list, so the next pop finds another one.
            let Some(id) = self.pop(now, excluded) else {
                // In reverse, so that each finds its old neighbours.
                popped.iter().rev().for_each(|&id| self.schedule.put_back(id));
                return Err(self.shortage(now));
            };
            popped.push(id);
        }
        Ok(())
    }

    /// Books one use of a popped key.
    pub(super) fn use_key(
        &mut self,
        id: SlotId,
        serial: u64,
        now: Tick,
        timeline: &Timeline,
        journaled: bool,
    ) -> (Arc<Slot>, bool) {
        let entry = self.entry_mut(id);
        entry.last_used = Some(now);
        entry.pending.calls += 1;
        if entry.health.streaks.circuit > 0 && entry.health.is_half_open(timeline.time_of(now)) {
            entry.probe = Some(serial);
        }
        entry.budget.take(now, || {
            // Once a day: the wall clock may have been set since the start.
            let wall = timeline.wall();
            timeline.tick_of(wall.time_of_wall(next_midnight(wall.wall_of(timeline.time_of(now)))))
        });
        let slot = Arc::clone(&entry.slot);
        let wake = journaled && self.mark_dirty(id);
        (slot, wake)
    }

    /// Puts a key that was popped and used where it belongs now.
    pub(super) fn settle_place(&mut self, id: SlotId, now: Tick) {
        let entry = self.entry_mut(id);
        let busy = entry.is_busy();
        let probed = if entry.probe.is_some() { now.plus(PROBE_TIMEOUT) } else { Tick::ZERO };
        let ready = probed.max(entry.budget.ready_at(now));
        if !busy && ready <= now {
            self.schedule.requeue(id);
            return;
        }
        self.schedule.mark_used(id);
        if busy { self.schedule.hold(id) } else { self.schedule.park(id, ready) }
    }

    /// Puts a key where its changed state wants it.
    pub(super) fn place(&mut self, id: SlotId, now: Tick, timeline: &Timeline) {
        let entry = self.entry_mut(id);
        let weight = entry.health.effective;
        let cooldown = entry.health.cooldown_until.map_or(Tick::ZERO, |until| timeline.tick_of(until));
        let probe = if entry.probe.is_some() { now.plus(PROBE_TIMEOUT) } else { Tick::ZERO };
        let ready = cooldown.max(probe).max(entry.budget.ready_at(now));
        let out = entry.health.disabled || entry.is_busy();
        self.schedule.set_weight(id, weight);
        if out {
            self.schedule.hold(id);
        } else if ready > now {
            self.schedule.park(id, ready);
        } else {
            self.schedule.put_back(id);
        }
    }

    pub(super) fn mark_dirty(&mut self, id: SlotId) -> bool {
        let first = self.dirty.is_empty();
        let slot = &self.entry_mut(id).slot;
        if slot.dirty.swap(true, Ordering::SeqCst) {
            return false;
        }
        self.dirty.push(id);
        first
    }

    pub(super) fn shortage(&self, now: Tick) -> Shortage {
        let total = self.index.len();
        let parked = self.schedule.parked_len();
        Shortage {
            total,
            disabled: self.disabled,
            parked,
            busy: total.saturating_sub(self.disabled + parked + self.schedule.queued_len()),
            next_due: self.schedule.next_due().map(|due| due.since(now)),
        }
    }
}
