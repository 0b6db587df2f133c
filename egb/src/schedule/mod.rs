//! Weighted least-recently-used order: which key is next. Knows keys as slot numbers and time as what
//! the caller says; nothing of HTTP, SQL, secrets or health.
//!
//! Every key has an interval, 1 / weight, in virtual time, and its turn comes one interval after its
//! last use; the key with the earliest turn is next, and its turn is the new virtual now. That is
//! stride scheduling (C. Waldspurger, W. Weihl, "Stride Scheduling", MIT/LCS/TM-528, 1995): a key's
//! share is its weight's part of all weights, whatever the number of picks.
//!
//! Keys of one weight take turns in the order of their use, so a first-in-first-out line per distinct
//! weight holds them sorted, and only the heads of the lines compete, in a tournament of
//! log2(weights) matches. A key whose place is neither end of its line (one that was away for a
//! while, or whose weight changed) waits in a heap until its turn comes; used again, it is back in line.
//!
//! Keys that may not be used cost a pick nothing: parked ones sit in a heap by the instant at which
//! they come back, held ones nowhere.

use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use self::heap::{Entry, Heap};
use self::levels::Levels;
use self::slot::{Place, Slot};
use crate::clock::Tick;

mod heap;
mod levels;
mod members;
mod slot;
#[cfg(test)]
mod tests;
mod tournament;

/// A key's number, given by the caller: small and dense, as it indexes memory.
pub(crate) type SlotId = u32;
type LevelId = u32;

/// No slot.
const NONE: SlotId = SlotId::MAX;

/// Virtual time starts here, so that an interval before now is never negative,
const START: u64 = 1 << 61;
/// and from here it is set back to the start, far from overflow.
const SET_BACK_AT: u64 = 1 << 62;

/// So many parked keys come back at a pick at most: when a million become free in one instant, no
/// single pick pays for all of them.
const RETURNS_PER_POP: usize = 8;

/// The order in which keys are used.
///
/// A key that was [popped](Self::pop) is out until it is requeued, put back, parked or held. Calls
/// for a slot that has no key do nothing.
#[derive(Debug)]
pub(crate) struct Schedule {
    slots: Vec<Slot>,
    levels: Levels,
    /// Queued keys that belong in the middle of their line, by their turn.
    returned: Heap,
    /// Parked keys, by the instant of their return.
    timers: Heap,
    /// Virtual now: the latest turn that came.
    now: u64,
    held: usize,
    out: usize,
    rng: SmallRng,
}

impl Schedule {
    /// An empty schedule. The seed decides where in an interval the first keys start.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            slots: Vec::new(),
            levels: Levels::new(),
            returned: Heap::default(),
            timers: Heap::default(),
            now: START,
            held: 0,
            out: 0,
            rng: SmallRng::seed_from_u64(seed),
        }
    }

    /// Takes the key out whose turn is next; `None` when nobody waits. Parked keys whose instant has
    /// come take part again with the turn that they had, up to eight more of them at each pick.
    #[inline]
    pub(crate) fn pop(&mut self, now: Tick) -> Option<SlotId> {
        if self.timers.first().is_some_and(|timer| timer.at <= now.0) {
            self.return_parked(now);
        }
        let id = self.first()?.id;
        match self.slots[id as usize].place {
            Place::Line => {
                self.slots[id as usize].place = Place::Out;
                self.levels.unlink(id, &mut self.slots);
                self.out += 1;
            }
            _ => self.take(id),
        }
        Some(id)
    }

    fn return_parked(&mut self, now: Tick) {
        for _ in 0..RETURNS_PER_POP {
            match self.timers.first() {
                Some(timer) if timer.at <= now.0 => self.put_back(timer.id),
                _ => break,
            }
        }
    }

    /// The key that [`pop`](Self::pop) would take, if it heads its line and no parked key's instant has come. It is for
    /// [`rotate`](Self::rotate), or for any call that takes a key from wherever it is.
    #[inline]
    pub(crate) fn at_hand(&self, now: Tick) -> Option<SlotId> {
        if self.timers.first().is_some_and(|timer| timer.at <= now.0) {
            return None;
        }
        let line = self.levels.first()?;
        match self.returned.first() {
            Some(returned) if returned < line => None,
            _ => Some(line.id),
        }
    }

    /// As [`pop`](Self::pop) and [`requeue`](Self::requeue) of the key [at hand](Self::at_hand).
    #[expect(clippy::inline_always, reason = "less to do than in a function of its own, at every use")]
    #[inline(always)]
    pub(crate) fn rotate(&mut self, id: SlotId) {
        // Its turn is the earliest of all.
        let turn = self.levels.turn_of(&self.slots[id as usize]);
        self.now = self.now.max(turn);
        self.levels.rotate(id, turn, self.now, &mut self.slots);
        if self.now >= SET_BACK_AT {
            self.set_back();
        }
    }

    /// Takes this key out ahead of its turn, if it may be used now: if it is queued, or parked and
    /// its instant has come.
    pub(crate) fn pop_this(&mut self, id: SlotId, now: Tick) -> bool {
        let may_be_used = match self.place(id) {
            Place::Line | Place::Heap => true,
            Place::Parked => self.timers.at(self.slots[id as usize].position()) <= now.0,
            Place::Vacant | Place::Out | Place::Held => false,
        };
        if may_be_used {
            self.take(id);
        }
        may_be_used
    }

    /// Puts keys in random order, for a start.
    pub(crate) fn shuffle<T>(&mut self, keys: &mut [T]) {
        keys.shuffle(&mut self.rng);
    }

    /// One of so many places, at random.
    pub(crate) fn random_place(&mut self, places: usize) -> usize {
        self.rng.random_range(0..places.max(1))
    }

    /// A number in [0, 1) from the generator that the order is seeded with.
    pub(crate) fn random_fraction(&mut self) -> f64 {
        self.rng.random()
    }

    /// The key is used now and goes to the end of its line. Keys popped together are requeued in the
    /// order in which they were popped.
    #[inline]
    pub(crate) fn requeue(&mut self, id: SlotId) {
        if self.place(id) == Place::Out {
            self.stamp(id);
            self.out -= 1;
            self.slots[id as usize].place = Place::Line;
            self.levels.append(id, &mut self.slots);
        } else {
            self.mark_used(id);
            self.put_back(id);
        }
    }

    /// The key is used now; it is out, to be parked or held (one that is parked or held stays so).
    pub(crate) fn mark_used(&mut self, id: SlotId) {
        match self.place(id) {
            Place::Vacant => return,
            Place::Line | Place::Heap => self.take(id),
            Place::Out | Place::Parked | Place::Held => {}
        }
        self.stamp(id);
    }

    /// Back to the old turn, from out, parked or held: that of a key which wasn't used after all, or
    /// which may be used again. N pops put back are as if they had never been.
    pub(crate) fn put_back(&mut self, id: SlotId) {
        if matches!(self.place(id), Place::Out | Place::Parked | Place::Held) {
            self.take(id);
            self.queue(id);
        }
    }

    /// Out of the order until an instant: from anywhere, and in place of an instant set before.
    pub(crate) fn park(&mut self, id: SlotId, until: Tick) {
        if self.place(id) == Place::Vacant {
            return;
        }
        self.take(id);
        self.leave_order(id, Place::Parked);
        self.timers.push(Entry { at: until.0, id }, &mut self.slots);
    }

    /// Out of the order until [`put_back`](Self::put_back), from anywhere.
    pub(crate) fn hold(&mut self, id: SlotId) {
        if self.place(id) == Place::Vacant {
            return;
        }
        self.take(id);
        self.leave_order(id, Place::Held);
        self.held += 1;
    }

    /// When the first parked key comes back.
    pub(crate) fn next_due(&self) -> Option<Tick> {
        self.timers.first().map(|timer| Tick(timer.at))
    }

    /// When the `n`th of the parked keys comes back, from 1; some are not counted.
    pub(crate) fn nth_due(&self, n: usize, excluded: &[SlotId]) -> Option<Tick> {
        match (n, excluded) {
            (1, []) => self.next_due(),
            _ => self.timers.nth(n, |id| excluded.contains(&id)).map(|timer| Tick(timer.at)),
        }
    }

    /// Whether all keys have the same weight.
    pub(crate) fn has_one_weight(&self) -> bool {
        self.levels.in_use() == 1
    }

    /// Keys that wait for their turn.
    #[inline]
    pub(crate) fn queued_len(&self) -> usize {
        self.levels.len() + self.returned.len()
    }

    /// Keys that come back at an instant.
    pub(crate) fn parked_len(&self) -> usize {
        self.timers.len()
    }

    /// Keys that come back when the caller says.
    #[cfg(test)]
    pub(crate) fn held_len(&self) -> usize {
        self.held
    }

    pub(crate) fn is_queued(&self, id: SlotId) -> bool {
        matches!(self.place(id), Place::Line | Place::Heap)
    }

    pub(crate) fn is_parked(&self, id: SlotId) -> bool {
        self.place(id) == Place::Parked
    }

    #[cfg(test)]
    pub(crate) fn is_held(&self, id: SlotId) -> bool {
        self.place(id) == Place::Held
    }

    fn is_empty(&self) -> bool {
        self.queued_len() + self.parked_len() + self.held + self.out == 0
    }

    #[inline]
    fn place(&self, id: SlotId) -> Place {
        self.slots.get(id as usize).map_or(Place::Vacant, |slot| slot.place)
    }

    #[inline]
    fn level_of(&self, id: SlotId) -> &levels::Level {
        self.levels.get(self.slots[id as usize].level)
    }

    /// The queued key with the earliest turn.
    #[inline]
    fn first(&self) -> Option<Entry> {
        match (self.levels.first(), self.returned.first()) {
            (Some(line), Some(returned)) => Some(line.min(returned)),
            (line, returned) => line.or(returned),
        }
    }

    /// From any place to out.
    fn take(&mut self, id: SlotId) {
        let slot = &mut self.slots[id as usize];
        let (level, position) = (slot.level, slot.position());
        match std::mem::replace(&mut slot.place, Place::Out) {
            Place::Vacant | Place::Out => return,
            Place::Line => self.levels.unlink(id, &mut self.slots),
            Place::Heap => self.returned.remove(position, &mut self.slots),
            Place::Parked => {
                self.timers.remove(position, &mut self.slots);
                self.levels.activate(level);
            }
            Place::Held => {
                self.held -= 1;
                self.levels.activate(level);
            }
        }
        self.out += 1;
    }

    /// From out to the turn that the last use gives.
    fn queue(&mut self, id: SlotId) {
        self.out -= 1;
        self.slots[id as usize].place = Place::Line;
        if !self.levels.line_up(id, &mut self.slots) {
            self.slots[id as usize].place = Place::Heap;
            let at = self.slots[id as usize].last_use + self.level_of(id).interval;
            self.returned.push(Entry { at, id }, &mut self.slots);
        }
    }

    /// From out to a place where the key takes no part.
    fn leave_order(&mut self, id: SlotId, place: Place) {
        self.out -= 1;
        let slot = &mut self.slots[id as usize];
        slot.place = place;
        self.levels.deactivate(slot.level);
    }

    /// Sets the last use of a key, after all others of its level. It is the key's turn, not the moment:
    /// a late pick must not cost the key a part of its share.
    #[inline]
    fn stamp(&mut self, id: SlotId) {
        let slot = self.slots[id as usize];
        // One used ahead of others of its level (a session sticks to it) takes the level's turn.
        let turn = self.levels.turn_of(&slot).min(self.levels.turn(slot.level));
        // The next turn of the others bounds now: one used ahead of them must not make them late.
        self.now = self.now.max(turn.min(self.first().map_or(u64::MAX, |first| first.at)));
        self.slots[id as usize].last_use = self.levels.get_mut(slot.level).stamp(turn, self.now);
        if self.now >= SET_BACK_AT {
            self.set_back();
        }
    }

    /// Sets virtual time back to its start. All queued keys have their turn now or later and so keep
    /// their distance; a key that was away for long may get a later last use, and is overdue still.
    #[cold]
    fn set_back(&mut self) {
        let shift = self.now - START;
        self.now = START;
        self.levels.shift_back(shift);
        self.returned.shift_back(shift);
        for slot in &mut self.slots {
            slot.last_use = slot.last_use.saturating_sub(shift);
        }
    }
}
