//! Which keys are in the order, and how often each has a turn: they join, change their weight and leave.

use rand::RngExt;

use super::slot::{Place, Slot};
use super::{Schedule, SlotId};

/// The interval of weight 1: 2^40. With these bounds weights from 1e-6 to 4e9 keep their proportion (at
/// weight 1000 to within 1e-9), as long as all together stay below 1e12; those beyond count as the bound.
const UNIT: f64 = 1_099_511_627_776.0;
pub(super) const MIN_INTERVAL: u64 = 1 << 8;
pub(super) const MAX_INTERVAL: u64 = 1 << 60;

/// More keys than this have room in the heaps from the start: to move so many when a heap grows would hold up a pick for
/// milliseconds. Fewer move in less than one, and most of them never need it.
const MANY: usize = 1 << 18;

impl Schedule {
    /// Adds keys: slot, weight and time of the last use (any stamp that grows).
    ///
    /// Those never used come first, as given, then the others by last use. The first keys of
    /// a schedule have their turns spread evenly over an interval, from a random start, so that
    /// several processes that start together use different keys; keys added later are due at once. A slot that
    /// has a key already gets the new one in its place.
    pub(crate) fn insert_all(&mut self, keys: impl IntoIterator<Item = (SlotId, f64, Option<u64>)>) {
        let mut keys: Vec<_> = keys.into_iter().map(|(id, weight, used)| (interval(weight), used, id)).collect();
        for &(_, _, id) in &keys {
            self.remove(id);
        }
        // `None` is less than any stamp: never used comes first.
        keys.sort_by_key(|&(interval, used, _)| (interval, used));
        let is_first = self.is_empty();
        if let Some(top) = keys.iter().map(|&(.., id)| id as usize).max() {
            self.slots.resize(self.slots.len().max(top + 1), Slot::VACANT);
            if self.slots.len() > MANY {
                self.returned.reserve(self.slots.len());
                self.timers.reserve(self.slots.len());
            }
        }
        for line in keys.chunk_by(|a, b| a.0 == b.0) {
            let (interval, len) = (line[0].0, line.len() as u64);
            let (first, step) = if is_first {
                let step = interval / len;
                (self.now - interval + self.rng.random_range(0..=step), step)
            } else {
                (self.now - interval - len, 1)
            };
            for (index, &(interval, _, id)) in line.iter().enumerate().rev() {
                self.insert(id, interval, first + index as u64 * step);
            }
        }
    }

    fn insert(&mut self, id: SlotId, interval: u64, last_use: u64) {
        if self.place(id) != Place::Vacant {
            // It was given twice.
            return;
        }
        let level = self.levels.join(interval);
        self.levels.activate(level);
        self.levels.get_mut(level).note_use(last_use);
        self.slots[id as usize] = Slot { last_use, level, place: Place::Out, ..Slot::VACANT };
        self.out += 1;
        self.queue(id);
    }

    /// Changes the weight; the last use stays, so a key that is queued has another turn at once.
    pub(crate) fn set_weight(&mut self, id: SlotId, weight: f64) {
        let place = self.place(id);
        let interval = interval(weight);
        if place == Place::Vacant || self.level_of(id).interval == interval {
            return;
        }
        let was_queued = self.is_queued(id);
        if was_queued {
            self.take(id);
        }
        let old = self.slots[id as usize].level;
        let new = self.levels.join(interval);
        if !matches!(place, Place::Parked | Place::Held) {
            self.levels.deactivate(old);
            self.levels.activate(new);
        }
        self.levels.leave(old);
        let slot = &mut self.slots[id as usize];
        slot.level = new;
        // A key used ahead of its turn is stamped later than now.
        slot.last_use = slot.last_use.min(self.now);
        self.levels.get_mut(new).note_use(slot.last_use);
        if was_queued {
            self.queue(id);
        }
    }

    /// Forgets a key.
    pub(crate) fn remove(&mut self, id: SlotId) {
        if self.place(id) == Place::Vacant {
            return;
        }
        self.take(id);
        self.out -= 1;
        let level = self.slots[id as usize].level;
        self.levels.deactivate(level);
        self.levels.leave(level);
        self.slots[id as usize] = Slot::VACANT;
    }
}

pub(super) fn interval(weight: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, and the bounds follow"
    )]
    let interval = (UNIT / weight).round() as u64;
    interval.clamp(MIN_INTERVAL, MAX_INTERVAL)
}
