//! The levels: one per distinct weight, each with the line of its waiting keys in order of use.
//! Knows which key of all lines is next; nothing of timers, nor of how a time of use comes about.

use std::collections::HashMap;

use super::heap::Entry;
use super::tournament::Tournament;
use super::{LevelId, NONE, Slot, SlotId};

#[derive(Debug)]
pub(super) struct Level {
    /// Virtual time from a use to the next turn.
    pub(super) interval: u64,
    /// The latest use by any key of the level.
    pub(super) last_use: u64,
    /// The least virtual time between two uses within the level: slightly less than even spacing gives.
    pub(super) gap: u64,
    head: SlotId,
    tail: SlotId,
    /// Keys of this weight, wherever they are: at zero the level is free for another weight.
    members: u32,
    /// Those of them that are neither parked nor held.
    active: u32,
}

#[derive(Debug)]
pub(super) struct Levels {
    all: Vec<Level>,
    /// Consulted only when a weight changes.
    by_interval: HashMap<u64, LevelId>,
    free: Vec<LevelId>,
    heads: Tournament,
    /// Keys in all lines.
    len: usize,
}

impl Levels {
    pub(super) fn new() -> Self {
        Self { all: Vec::new(), by_interval: HashMap::new(), free: Vec::new(), heads: Tournament::new(), len: 0 }
    }

    #[inline]
    pub(super) fn get(&self, level: LevelId) -> &Level {
        &self.all[level as usize]
    }

    #[inline]
    pub(super) fn get_mut(&mut self, level: LevelId) -> &mut Level {
        &mut self.all[level as usize]
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Levels that have keys, wherever these are.
    pub(super) fn in_use(&self) -> usize {
        self.all.len() - self.free.len()
    }

    /// The key with the earliest turn of all lines.
    #[inline]
    pub(super) fn first(&self) -> Option<Entry> {
        self.heads.first()
    }

    /// When it is the turn of the head of this line; `u64::MAX` when nobody waits.
    #[inline]
    pub(super) fn turn(&self, level: LevelId) -> u64 {
        self.heads.turn(level)
    }

    /// When it is the turn of this key.
    #[inline]
    pub(super) fn turn_of(&self, slot: &Slot) -> u64 {
        slot.last_use + self.get(slot.level).interval
    }

    /// Counts a key in to the level of this interval, which is made if need be.
    pub(super) fn join(&mut self, interval: u64) -> LevelId {
        let level = match self.by_interval.get(&interval) {
            Some(&level) => level,
            None => self.open(interval),
        };
        self.get_mut(level).members += 1;
        level
    }

    /// Counts a key out.
    pub(super) fn leave(&mut self, level: LevelId) {
        let left = self.get_mut(level);
        left.members -= 1;
        if left.members == 0 {
            let interval = left.interval;
            self.by_interval.remove(&interval);
            self.free.push(level);
        }
    }

    fn open(&mut self, interval: u64) -> LevelId {
        let fresh = Level { interval, last_use: 0, gap: interval, head: NONE, tail: NONE, members: 0, active: 0 };
        let level = if let Some(level) = self.free.pop() {
            *self.get_mut(level) = fresh;
            level
        } else {
            self.all.push(fresh);
            self.heads.grow(self.all.len());
            // One level per key at most, and slot ids are 32 bits.
            LevelId::try_from(self.all.len() - 1).unwrap_or(NONE)
        };
        self.by_interval.insert(interval, level);
        level
    }

    /// One more key of the level takes part in the order.
    pub(super) fn activate(&mut self, level: LevelId) {
        self.get_mut(level).set_active(1);
    }

    /// One key less takes part.
    pub(super) fn deactivate(&mut self, level: LevelId) {
        self.get_mut(level).set_active(-1);
    }

    /// Lines up a key whose last use is the latest of its level.
    #[inline]
    pub(super) fn append(&mut self, id: SlotId, slots: &mut [Slot]) {
        let slot = &mut slots[id as usize];
        let (level_id, last_use) = (slot.level, slot.last_use);
        let level = &mut self.all[level_id as usize];
        let before = std::mem::replace(&mut level.tail, id);
        (slot.before, slot.after) = (before, NONE);
        if before == NONE {
            level.head = id;
            self.heads.set(level_id, Some(Entry { at: last_use + level.interval, id }));
        } else {
            slots[before as usize].after = id;
        }
        self.len += 1;
    }

    /// Lines up a key at the end where it belongs; false when its place is neither end.
    pub(super) fn line_up(&mut self, id: SlotId, slots: &mut [Slot]) -> bool {
        let Slot { last_use, level: level_id, .. } = slots[id as usize];
        let level = &mut self.all[level_id as usize];
        let order = (last_use, id);
        let order_of = |other: SlotId| (slots[other as usize].last_use, other);
        let (before, after) = if level.head == NONE {
            (NONE, NONE)
        } else if order > order_of(level.tail) {
            (level.tail, NONE)
        } else if order < order_of(level.head) {
            (NONE, level.head)
        } else {
            return false;
        };
        slots[id as usize].before = before;
        slots[id as usize].after = after;
        if after == NONE {
            level.tail = id;
        } else {
            slots[after as usize].before = id;
        }
        if before == NONE {
            level.head = id;
            self.heads.set(level_id, Some(Entry { at: last_use + level.interval, id }));
        } else {
            slots[before as usize].after = id;
        }
        self.len += 1;
        true
    }

    /// Takes a key out of its line.
    #[inline]
    pub(super) fn unlink(&mut self, id: SlotId, slots: &mut [Slot]) {
        let Slot { level: level_id, before, after, .. } = slots[id as usize];
        let level = &mut self.all[level_id as usize];
        if after == NONE {
            level.tail = before;
        } else {
            slots[after as usize].before = before;
        }
        if before == NONE {
            level.head = after;
            let head = slots.get(after as usize);
            let head = head.map(|head| Entry { at: head.last_use + level.interval, id: after });
            self.heads.set(level_id, head);
        } else {
            slots[before as usize].after = after;
        }
        self.len -= 1;
    }

    /// Uses the head of a line, which goes to the end of it.
    #[inline]
    pub(super) fn rotate(&mut self, id: SlotId, turn: u64, now: u64, slots: &mut [Slot]) {
        let Slot { level: level_id, after, .. } = slots[id as usize];
        let level = &mut self.all[level_id as usize];
        let last_use = level.stamp(turn, now);
        let slot = &mut slots[id as usize];
        slot.last_use = last_use;
        if after == NONE {
            self.heads.set(level_id, Some(Entry { at: last_use + level.interval, id }));
            return;
        }
        let before = std::mem::replace(&mut level.tail, id);
        level.head = after;
        (slot.before, slot.after) = (before, NONE);
        slots[before as usize].after = id;
        let head = &mut slots[after as usize];
        head.before = NONE;
        let at = head.last_use + level.interval;
        self.heads.set(level_id, Some(Entry { at, id: after }));
    }

    /// Makes all times earlier by `shift`.
    pub(super) fn shift_back(&mut self, shift: u64) {
        for level in &mut self.all {
            level.last_use = level.last_use.saturating_sub(shift);
        }
        self.heads.shift_back(shift);
    }

    /// Levels in memory, in use or free.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.all.len()
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = (LevelId, &Level)> {
        (0..).zip(&self.all).filter(|(id, _)| !self.free.contains(id))
    }
}

impl Level {
    /// A key with this last use is of the level: whoever is used next comes after it.
    pub(super) fn note_use(&mut self, last_use: u64) {
        self.last_use = self.last_use.max(last_use);
    }

    /// The last use of a key of the level that is used now, after all others of it, when `turn` had come.
    #[inline]
    pub(super) fn stamp(&mut self, turn: u64, now: u64) -> u64 {
        // Keys that became free together, and so are all late, are spread over an interval again; else
        // they would be used in one go for ever after. None falls behind by more than a turn.
        let paced = turn.max(self.last_use + self.gap).min(now + 2 * self.interval);
        self.last_use = paced.max(now).max(self.last_use + 1);
        self.last_use
    }

    fn set_active(&mut self, change: i32) {
        self.active = self.active.saturating_add_signed(change);
        // Even spacing is interval / active. A little less never delays a key that is spaced evenly.
        self.gap = self.interval / (u64::from(self.active) + 1);
    }

    #[cfg(test)]
    pub(super) fn counts(&self) -> (u32, u32) {
        (self.members, self.active)
    }

    #[cfg(test)]
    pub(super) fn ends(&self) -> (SlotId, SlotId) {
        (self.head, self.tail)
    }
}
