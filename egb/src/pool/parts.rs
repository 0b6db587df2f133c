//! Parts of the keys that threads have to themselves for a moment, while they do nothing but ask for keys.
//!
//! Two processors that take turns at one order pass the state of every key back and forth, and together do less than one
//! alone. So a thread that finds the pool's lock [hard to get](crate::sync::Brief::lock_held) takes a part of the keys out
//! of the order, with all that is known of them, and for some thousand calls goes by an order of its own. The others have the
//! other keys.
//!
//! To everybody else that makes no difference: who takes the pool's lock for anything but a plain checkout first has all
//! keys [back](Pool::recall_parts). Which keys make up a part is up to chance, each time anew, and there are parts only where
//! all keys have one weight, so that none is used more than its share. One thread alone, or threads that do something with
//! their keys, get here only where the thread that writes held the lock for long.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use super::entry::Entry;
use super::held::Held;
use super::lanes::{NO_SCOPE, ScopeId};
use super::last_use::LastUse;
use super::slot::SharedSlot;
use super::state::State;
use super::{CheckedOut, Pool};
use crate::clock::{Tick, Timeline};
use crate::schedule::{Schedule, SlotId};
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sync::{Mutex, MutexGuard, thread_local};

/// Threads share a part if there are more of them.
const PARTS: usize = 32;

/// Keys of a part at most: to take so many out of the order and to put them back holds the lock for about a tenth of a
/// millisecond.
const MOST_KEYS: usize = 1_024;

/// Keys of a pool at most that has parts: all of them are looked at for one.
const MOST_IN_POOL: usize = 4 * MOST_KEYS;

/// Checkouts of a part, a millisecond or two of them: so many that to make it is little beside.
pub(super) const CALLS: u32 = 16_384;

/// How long keys are in a part at most, by the coarse clock: its thread may have found something else to do.
pub(super) const LONGEST: Duration = Duration::from_millis(10);

/// The parts of one pool.
#[derive(Default)]
pub(super) struct Parts {
    /// By number; made when they are needed for the first time.
    all: OnceLock<Box<[Place]>>,
    /// Which of them have keys, a bit for each. Written under the pool's lock.
    marks: AtomicU32,
}

/// In lines of the cache of its own.
#[derive(Default)]
#[repr(align(128))]
struct Place(Mutex<Part>);

/// Some keys, and their order.
pub(super) struct Part {
    keys: Vec<Drawn>,
    /// Knows the keys by their places.
    schedule: Schedule,
    /// The last checkout. Nobody else has those up to the end.
    serial: u64,
    end: u64,
    /// When it was; see [`State::latest`].
    latest: Tick,
    /// When it has to give its keys back, by the coarse clock.
    until: Tick,
    /// Whether the writer has to be woken.
    wake: bool,
}

struct Drawn {
    id: SlotId,
    /// It is there from the draw on, until it is given back.
    entry: Option<Entry>,
    is_used: bool,
}

impl Parts {
    /// Whether there are any.
    #[inline]
    pub(super) fn are_out(&self) -> bool {
        self.marks.load(Ordering::Relaxed) != 0
    }

    fn is_out(&self, number: usize) -> bool {
        self.marks.load(Ordering::Relaxed) & 1 << number != 0
    }

    fn mark(&self, number: usize, is_out: bool) {
        let (mark, others) = (u32::from(is_out) << number, self.marks.load(Ordering::Relaxed) & !(1 << number));
        self.marks.store(others | mark, Ordering::Relaxed);
    }

    fn count(&self) -> usize {
        self.marks.load(Ordering::Relaxed).count_ones() as usize
    }

    pub(super) fn lock(&self, number: usize) -> MutexGuard<'_, Part> {
        self.all.get_or_init(|| (0..PARTS).map(|_| Place::default()).collect())[number].0.lock()
    }
}

/// The number of this thread's part.
fn number() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: Cell<Option<usize>> = const { Cell::new(None) };
    }
    let known = NUMBER.try_with(|number| {
        let known = number.get().unwrap_or_else(|| THREADS.fetch_add(1, Ordering::Relaxed) % PARTS);
        number.set(Some(known));
        known
    });
    // A thread that ends may make calls in its last destructors.
    known.unwrap_or(0)
}

impl Pool {
    /// The pool's lock, for a plain checkout in this scope when there are parts, or another thread has the lock. `Err` has a
    /// key of this thread's part.
    #[cold]
    #[inline(never)]
    pub(super) fn lock_or_part(&self, scope: ScopeId, lately: Tick) -> Result<MutexGuard<'_, State>, CheckedOut<Held>> {
        let is_parted = scope == NO_SCOPE && self.parts.are_out();
        if is_parted && let Some(taken) = self.parts.lock(number()).take(lately, &self.timeline) {
            return Err(taken);
        }
        let free = self.state.try_lock().map(|state| (state, false));
        let (mut state, is_hard_to_get) = free.unwrap_or_else(|| self.state.lock_held());
        if scope == NO_SCOPE {
            return self.part(number(), state, lately, is_hard_to_get);
        }
        self.recall_parts(&mut state);
        Ok(state)
    }

    /// As [`lock_or_part`](Self::lock_or_part), for the thread of this number, which has no part or one that has served. It
    /// gets one if the lock is hard to get.
    pub(super) fn part<'a>(
        &'a self,
        number: usize,
        mut state: MutexGuard<'a, State>,
        lately: Tick,
        is_hard_to_get: bool,
    ) -> Result<MutexGuard<'a, State>, CheckedOut<Held>> {
        if self.parts.are_out() && lately.since(state.parted) > LONGEST {
            self.recall_parts(&mut state);
        }
        let has_one = self.parts.is_out(number);
        if !is_hard_to_get && !has_one {
            return Ok(state);
        }
        let mut part = self.parts.lock(number);
        let goes_on = has_one && part.has_served_among_others(&state);
        if has_one {
            part.give_back(&mut state, &self.timeline);
            self.parts.mark(number, false);
        }
        if !self.parts.are_out() {
            state.parted = lately;
        }
        if is_hard_to_get || goes_on {
            let is_out = part.draw(&mut state, lately, self.home.journaled, self.parts.count());
            self.parts.mark(number, is_out);
        }
        let taken = part.take(lately, &self.timeline);
        drop(part);
        match taken {
            Some(taken) => {
                // Tells what the keys that were given back have to say.
                self.work(state, |_| ());
                Err(taken)
            }
            None => Ok(state),
        }
    }

    /// Has all keys back, under the pool's lock.
    #[cold]
    #[inline(never)]
    pub(super) fn recall_parts(&self, state: &mut State) {
        for number in (0..PARTS).filter(|number| self.parts.is_out(*number)) {
            self.parts.lock(number).give_back(state, &self.timeline);
            self.parts.mark(number, false);
        }
    }
}

impl Part {
    /// Whether all its checkouts were made, and others made theirs meanwhile.
    fn has_served_among_others(&self, state: &State) -> bool {
        let others = state.serial.saturating_sub(self.end);
        self.serial == self.end && others > u64::from(CALLS) / 8
    }

    /// Takes keys out of the order: as many as each has if there are so many other parts, or none at all. Only such keys
    /// that nothing but a count depends on. Returns whether there are any.
    fn draw(&mut self, state: &mut State, lately: Tick, journaled: bool, parts: usize) -> bool {
        let now = lately.max(state.latest);
        let State { serial, lanes, entries, dirty, index, .. } = state;
        let lane = &mut lanes[NO_SCOPE as usize];
        let wanted = (index.len() / (parts + 2)).min(lane.schedule.queued_len() / 2);
        let is_in_reach = (2..=MOST_KEYS).contains(&wanted) && entries.len() <= MOST_IN_POOL;
        if !is_in_reach || !lane.schedule.has_one_weight() || lane.queue.has_anybody() {
            return false;
        }
        // Neighbours in memory, as each line of the cache is to be one thread's.
        let first = lane.schedule.random_place(entries.len());
        for place in (first..entries.len()).chain(0..first) {
            let may_be_drawn = |entry: &mut Entry| entry.needs_nothing() && lane.schedule.is_queued(entry.slot.id);
            let Some(entry) = entries[place].take_if(may_be_drawn) else { continue };
            let id = entry.slot.id;
            lane.schedule.pop_this(id, now);
            self.keys.push(Drawn { id, entry: Some(entry), is_used: false });
            if self.keys.len() == wanted {
                break;
            }
        }
        if self.keys.len() < wanted {
            // Fewer would have to do the work of more.
            put_back(state, self.keys.drain(..));
            return false;
        }
        for slot in self.keys.iter().filter_map(|drawn| Some(&drawn.entry.as_ref()?.slot)) {
            if journaled && !slot.is_dirty() {
                self.wake |= dirty.is_empty();
                slot.set_dirty();
                dirty.push(slot.id);
            }
        }
        self.schedule = Schedule::new(*serial);
        self.schedule.insert_all(
            (0..)
                .zip(&self.keys)
                .filter_map(|(place, drawn)| Some((place, 1.0, drawn.entry.as_ref()?.last_use.stamp()))),
        );
        (self.serial, self.end) = (*serial, *serial + u64::from(CALLS));
        (self.latest, self.until) = (now, lately.plus(LONGEST));
        *serial = self.end;
        true
    }

    /// Uses the next key, by a reading of the clock that may be late.
    #[inline]
    pub(super) fn take(&mut self, lately: Tick, timeline: &Timeline) -> Option<CheckedOut<Held>> {
        if self.serial == self.end || lately > self.until {
            return None;
        }
        let now = lately.max(self.latest);
        let place = self.schedule.at_hand(now)?;
        let Drawn { entry, is_used, .. } = &mut self.keys[place as usize];
        let entry = entry.as_mut()?;
        self.serial += 1;
        self.latest = now;
        *is_used = true;
        entry.last_use = LastUse::here(now);
        entry.begin(NO_SCOPE, true);
        let ready = if entry.traits.is_counted() {
            entry.budget.take_more(self.serial, now, || timeline.next_midnight(now))
        } else {
            Tick::ZERO
        };
        if ready <= now {
            self.schedule.rotate(place);
        } else {
            self.schedule.hold(place);
        }
        let keys = Held::one(SharedSlot::clone(&entry.slot));
        Some(CheckedOut { keys, serial: self.serial, wake: std::mem::take(&mut self.wake) })
    }

    /// Puts all keys back where they belong.
    fn give_back(&mut self, state: &mut State, timeline: &Timeline) {
        let now = self.latest.max(state.latest);
        state.latest = now;
        if state.serial == self.end {
            state.serial = self.serial;
        }
        self.end = self.serial;
        let mut unused = Vec::new();
        while let Some(place) = self.schedule.pop(now) {
            let Drawn { id, entry, is_used } = &mut self.keys[place as usize];
            let drawn = Drawn { id: *id, entry: entry.take(), is_used: *is_used };
            if *is_used {
                state.entries[drawn.id as usize] = drawn.entry;
                state.lane_mut(NO_SCOPE).schedule.requeue(drawn.id);
            } else {
                unused.push(drawn);
            }
        }
        put_back(state, unused.into_iter());
        // What is left has spent a limit.
        for Drawn { id, entry, .. } in self.keys.drain(..) {
            let Some(entry) = entry else { continue };
            state.entries[id as usize] = Some(entry);
            state.lane_mut(NO_SCOPE).schedule.mark_used(id);
            state.place(id, now, timeline);
        }
    }
}

/// Puts keys back as if they had never been drawn.
fn put_back(state: &mut State, keys: impl DoubleEndedIterator<Item = Drawn>) {
    // In reverse, so that each finds its old neighbours.
    for Drawn { id, entry, .. } in keys.rev() {
        state.entries[id as usize] = entry;
        state.lane_mut(NO_SCOPE).schedule.put_back(id);
    }
}

impl Default for Part {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            schedule: Schedule::new(0),
            serial: 0,
            end: 0,
            latest: Tick::ZERO,
            until: Tick::ZERO,
            wake: false,
        }
    }
}

impl Entry {
    /// Whether it takes nothing but what is known of the key itself to use it.
    fn needs_nothing(&self) -> bool {
        self.is_at_rest() && (!self.traits.is_counted() || self.budget.is_begun())
    }
}
